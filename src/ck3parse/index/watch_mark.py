"""The mark of `run --watch`: a file beside the store that says whether its index is up to date.

The process that watches holds a lock on the file, which the system frees when the process ends,
however it does. Other processes that find the lock held, and their own selection and settings in
the file, need not look at the files of the playset, unless another one has written to the store.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ck3parse.config import Settings
from ck3parse.extractors.ck3 import rules_digest
from ck3parse.index.selection import Selection
from ck3parse.store.schema import SCHEMA_VERSION

_LOCKED_BYTE = 1 << 30
"""The byte that is locked: Windows lets nobody else read what is locked."""

_CHANGE_COUNTER_AT = 24
"""See section 1.3.6 of https://www.sqlite.org/fileformat.html."""


def path_of(store: Path) -> Path:
    """Return the path of the mark of a store."""
    return store.with_name(store.name + "-watch")


def wording(selection: Selection, settings: Settings) -> bytes:
    """Return what the mark of an index says that is up to date.

    Args:
        selection: the files that the index is of.
        settings: what else it depends on.
    """
    parts = [
        selection.json(), settings.reading_order, settings.max_file_bytes, rules_digest(),
        SCHEMA_VERSION,
    ]  # fmt: skip
    return repr(parts).encode()


def is_up_to_date(store: Path, selection: Selection, settings: Settings) -> bool:
    """Return whether another process keeps the index of a store up to date.

    This process must not have the store open.

    Args:
        store: the store.
        selection: the files that the index shall be of.
        settings: what else it depends on.
    """
    try:
        mark = os.open(path_of(store), os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        if _lock(mark):  # nobody watches
            return False
        said = wording(selection, settings) + _change_counter(store)
        return os.read(mark, len(said) + 1) == said
    finally:
        os.close(mark)


class WatchMark:
    """Holds the lock of the mark of a store, from the time it is entered. A context manager.

    Without a mark, as in a folder that cannot be written to, other processes look at the files.

    Args:
        store: the store.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._path = path_of(store)
        self._mark: int | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            mark = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            if _lock(mark):
                self._mark = mark
            else:  # another one watches
                os.close(mark)
        self.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()
        if self._mark is not None:
            os.close(self._mark)
            self._mark = None

    def clear(self) -> None:
        """Say that the index is not up to date."""
        self._write(b"")

    def set(self, selection: Selection, settings: Settings) -> None:
        """Say that the index is up to date. This process must not have the store open.

        Args:
            selection: the files that it is of.
            settings: what else it depends on.
        """
        self._write(wording(selection, settings) + _change_counter(self._store))

    def _write(self, text: bytes) -> None:
        if self._mark is not None:
            os.ftruncate(self._mark, 0)
            os.lseek(self._mark, 0, os.SEEK_SET)
            os.write(self._mark, text)


def _change_counter(store: Path) -> bytes:
    """Return a number that SQLite counts up whenever a program writes to a store.

    To close the file frees the locks that this process has on it.
    """
    try:
        with open(store, "rb") as file:
            file.seek(_CHANGE_COUNTER_AT)
            return file.read(4)
    except OSError:  # whoever opens it says why
        return b""


def _lock(mark: int) -> bool:
    """Lock a mark, and return whether no other process has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(mark, _LOCKED_BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(mark, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(mark, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
