"""The qbuilder that is installed: its routing table, its lookups and its writer lock.

It is the package `qbuilder` of this process's search path. Within qbuilder's daemon it is the one
that runs. The command line adds the folder that `--qbuilder` names to the path. Without it, a build
knows what to do with scripts, and leaves other items in the queue.
"""

import importlib
import importlib.util
import json
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from ck3parse.config import read_setting
from ck3parse.errors import UsageError
from ck3parse.qbuilder import localization

PARSE = "parse"
SYMBOLS = "extract_symbols"
REFS = "extract_refs"
SCRIPT_STEPS = (PARSE, SYMBOLS, REFS)

Lookup = Callable[[str, int, int, sqlite3.Connection], object]
"""Called with a file's text, its `file_id` and `content_version_id`, and a connection."""

_WITHOUT_QBUILDER: dict[str, tuple[str, ...]] = {
    "E_SCRIPT": SCRIPT_STEPS,
    "E_LOC": (),
    "E_SKIP": (),
}
"""The envelopes whose work is known without the routing table."""


class Qbuilder:
    """The installed qbuilder.

    Args:
        package: the name of its package.
        search: the folder that holds it; it stays in the search path of this process, as qbuilder
            imports more from there.

    Raises:
        UsageError: that folder does not hold it.
    """

    def __init__(self, package: str = "qbuilder", search: Path | None = None) -> None:
        self._package = package
        self._localization = bool(read_setting("qbuilder_loc"))
        if search is not None:
            sys.path.insert(0, str(search.absolute()))
            if self.folder != search.absolute() / package:
                raise UsageError(
                    f"{search} does not hold the package {package}: name the folder above the one"
                    f" called {package}"
                )

    @cached_property
    def folder(self) -> Path | None:
        """The folder of the package, or `None` if it is not installed."""
        try:
            spec = importlib.util.find_spec(self._package)
        except (ImportError, ValueError):
            return None
        if spec is None or not spec.submodule_search_locations:
            return None
        return Path(next(iter(spec.submodule_search_locations)))

    @cached_property
    def steps(self) -> Mapping[str, tuple[str, ...]]:
        """The steps of each envelope; `CK3PARSE_QBUILDER_LOC` adds that of localization files.

        Raises:
            UsageError: the routing table cannot be read.
        """
        steps = self._routed_steps()
        return (
            {**steps, localization.ENVELOPE: (localization.STEP,)} if self._localization else steps
        )

    def _routed_steps(self) -> Mapping[str, tuple[str, ...]]:
        if self.folder is None:
            return _WITHOUT_QBUILDER
        path = self.folder / "routing_table.json"
        try:
            table = json.loads(path.read_text("utf-8"))["envelope_steps"]
            return msgspec.convert(table, dict[str, tuple[str, ...]])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UsageError(
                f"the routing table {path} cannot be read ({type(error).__name__}: {error}):"
                " update or reinstall qbuilder"
            ) from error

    @cached_property
    def lookups(self) -> Mapping[str, Lookup]:
        """The functions of the steps that fill tables other than those of scripts, by step.

        Raises:
            UsageError: qbuilder's module of them cannot be imported.
        """
        lookups = self._own_lookups()
        return (
            {**lookups, localization.STEP: localization.insert_texts}
            if self._localization
            else lookups
        )

    def _own_lookups(self) -> Mapping[str, Lookup]:
        if self.folder is None:
            return {}
        name = f"{self._package}.lookup_extractors"
        try:
            found: Mapping[str, Lookup] = importlib.import_module(name).LOOKUP_EXECUTORS
        except ModuleNotFoundError as error:
            if error.name == name:
                return {}
            raise UsageError(_cannot_import(name, error)) from error
        except Exception as error:  # whatever a module raises when it is imported
            raise UsageError(_cannot_import(name, error)) from error
        return found

    def writer_lock(self, database: Path) -> AbstractContextManager[Any]:
        """Return qbuilder's lock for the one writer of a database, to be entered.

        Without qbuilder it locks nothing.

        Args:
            database: the database file.

        Raises:
            UsageError: another process holds it, or qbuilder's module of it cannot be imported.
        """
        stack = ExitStack()
        name = f"{self._package}.writer_lock"
        if self.folder is None:
            return stack
        try:
            lock = importlib.import_module(name).WriterLock(database)
        except ModuleNotFoundError as error:
            if error.name == name:
                return stack
            raise UsageError(_cannot_import(name, error)) from error
        except Exception as error:  # whatever a module raises when it is imported
            raise UsageError(_cannot_import(name, error)) from error
        if not lock.acquire():
            raise UsageError(
                f"another process builds {database} (qbuilder's writer lock is taken): stop that"
                " daemon or build first"
            )
        stack.callback(lock.release)
        return stack


def _cannot_import(name: str, error: Exception) -> str:
    return f"{name} cannot be imported ({type(error).__name__}: {error}): repair qbuilder"
