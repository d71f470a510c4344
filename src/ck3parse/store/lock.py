"""Waiting for another program that has locked an SQLite file."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

LOCK_PATIENCE_S = 60.0
"""Seconds to wait for a program that writes the same file: its longest transaction takes a few."""
_QUIET_S = 1.0
"""Seconds before the user is told."""
_PAUSE_S = 0.005
"""SQLite itself looks every 0.1 s, and misses the gaps between the transactions of a run."""


_HURRIED_S = 1.0
"""Seconds to wait after an interrupt: another run needs less for a transaction."""


class Waiting:
    """Begins and commits transactions, and waits for other programs that use the file.

    Args:
        path: the file.
        say: called with what is being waited for, and with `None` afterwards, in any thread.
    """

    def __init__(self, path: Path, say: Callable[[str | None], None]) -> None:
        self._path = path
        self._say = say
        self._patience_s = LOCK_PATIENCE_S

    def begin(self, db: sqlite3.Connection) -> None:
        """Begin a transaction that writes.

        Args:
            db: a connection to the file.

        Raises:
            sqlite3.OperationalError: another program holds the lock for too long, or the file
                cannot be used.
        """
        self._wait(db, "BEGIN IMMEDIATE", "write to")

    def commit(self, db: sqlite3.Connection) -> None:
        """Commit a transaction, which goes on if that fails.

        SQLite would wait for readers itself, but an interrupt would then wait, too.

        Args:
            db: a connection to the file.

        Raises:
            sqlite3.OperationalError: another program reads for too long, or the file cannot be
                written.
        """
        self._wait(db, "COMMIT", "read")

    def hurry(self) -> None:
        """Do not wait long any more, as the user wants to end: in any thread."""
        self._patience_s = min(self._patience_s, _HURRIED_S)

    def _wait(self, db: sqlite3.Connection, statement: str, others: str) -> None:
        began = monotonic()
        said = False
        self._let_sqlite_wait(db, 0)
        try:
            while True:
                try:
                    db.execute(statement)
                    return
                except sqlite3.OperationalError as error:
                    if not is_locked(error):
                        raise
                    waited_s = monotonic() - began
                    if waited_s >= self._patience_s:
                        self._patience_s = 0  # it may hold it forever
                        raise
                    if waited_s >= _QUIET_S and not said:
                        said = True
                        self._say(f"waiting for {holder(self._path)} to {others} {self._path}")
                sleep(_PAUSE_S)
        finally:
            self._let_sqlite_wait(db, self._patience_s)
            if said:
                self._say(None)

    def _let_sqlite_wait(self, db: sqlite3.Connection, seconds: float) -> None:
        db.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")


def is_locked(error: sqlite3.Error) -> bool:
    """Return whether an error is that another program has locked the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def holder(path: Path) -> str:
    """Return who has locked a file: `process 4711`, or `another program`.

    It does not open the file: to close it would free the locks of this process.

    Args:
        path: the file.
    """
    try:
        found = os.stat(path)
        place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        with open("/proc/locks", encoding="ascii") as locks:  # Linux has it
            for line in locks:
                words = line.split()
                if "WRITE" in words and "->" not in words:
                    pid, where = words[words.index("WRITE") + 1 :][:2]
                    if where == place and int(pid) not in (0, os.getpid()):
                        return f"process {pid}"
    except (OSError, AttributeError, ValueError):
        pass
    return "another program"
