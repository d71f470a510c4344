"""The store: its queries and its records in one class."""

from functools import cached_property
from typing import TYPE_CHECKING

from ck3parse.extractors import LOCALIZATION
from ck3parse.store.definition_records import DefinitionRecords
from ck3parse.store.queries import Queries
from ck3parse.store.records import Records

if TYPE_CHECKING:
    # A run without localization files does not need it.
    from ck3parse.store.text_store import TextStore


class Store(Queries, Records, DefinitionRecords):
    """A SQLite file of ASTs and diagnostics, opened for one version of a parser.

    It is a context manager that closes the file. Threads may share it if they take turns.

    Args:
        path: the SQLite file; it is created if it does not exist.
        parser_version: the version under which results are stored and found.

    Raises:
        StoreError: the file cannot be opened or created, or a newer ck3parse wrote it.
    """

    @cached_property
    def texts(self) -> "TextStore":
        """The localization files of the store, which takes turns with it.

        Raises:
            StoreError: the store cannot be written.
        """
        from ck3parse.store.text_store import TextStore

        return TextStore.beside(self, LOCALIZATION)
