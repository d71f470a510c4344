"""The store: its queries and its records in one class."""

from ck3parse.store.queries import Queries
from ck3parse.store.records import Records


class Store(Queries, Records):
    """A SQLite file of ASTs and diagnostics, opened for one version of a parser.

    It is a context manager that closes the file. Threads may share it if they take turns.

    Args:
        path: the SQLite file; it is created if it does not exist.
        parser_version: the version under which results are stored and found.

    Raises:
        StoreError: the file cannot be opened or created, or a newer ck3parse wrote it.
    """
