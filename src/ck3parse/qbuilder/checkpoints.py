"""Moves what was committed from the write-ahead log to the database file, beside the build.

SQLite would do that after nearly every transaction, in the same thread, and so write the same pages
of the indexes again and again. Here a thread of its own does it with its own connection. Neither
readers nor writers wait for it.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

START_BYTES = 16 * 1024 * 1024
"""Bytes written since the last checkpoint after which another one begins."""
MAX_LOG_BYTES = 512 * 1024 * 1024
"""Bytes written after which the build waits until all of the log was moved, so that SQLite begins
it anew: it cannot do that as long as more is appended meanwhile."""


class Checkpoints:
    """Makes the checkpoints of a build, and keeps the connection from making its own.

    Args:
        db: the build's connection.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._own: sqlite3.Connection | None = None
        """The thread's; opened once, as another file may take the place of the database."""
        self._since_last = 0
        """Bytes written since a checkpoint began, roughly."""
        self._in_log = 0
        """Bytes written since the log began anew, roughly."""
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Make the checkpoints until the block ends; needs a connection with rows as tuples."""
        self._own = self._open()
        (pages,) = self._db.execute("PRAGMA wal_autocheckpoint").fetchone()
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        try:
            yield
        finally:
            self._join()
            if self._own:
                self._own.close()
            self._db.execute(f"PRAGMA wal_autocheckpoint = {pages}")

    def note(self, size: int) -> None:
        """Note that about so many bytes were committed, and make a checkpoint if it is time to.

        Call it outside of transactions.

        Raises:
            sqlite3.Error: the database cannot be written.
        """
        self._since_last += size
        self._in_log += size
        if self._in_log >= MAX_LOG_BYTES:
            self.finish()
        elif self._since_last >= START_BYTES and self._own and not self._is_running():
            self._since_last = 0
            self._thread = threading.Thread(
                target=_move, args=(self._own,), name="ck3parse checkpoint"
            )
            self._thread.start()

    def finish(self) -> None:
        """Move all that was committed, unless there is nothing to move.

        Raises:
            sqlite3.Error: the database cannot be written.
        """
        if self._in_log:
            self._join()
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._since_last = self._in_log = 0

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _join(self) -> None:
        if self._thread:
            self._thread.join()

    def _open(self) -> sqlite3.Connection | None:
        """Return another connection to the same file, or `None` if it cannot be opened."""
        files = self._db.execute("PRAGMA database_list").fetchall()
        path = next((path for _, name, path in files if name == "main"), "")
        if not path:
            return None  # it is in memory
        uri = f"{Path(path).as_uri()}?mode=rw"
        try:
            db = sqlite3.connect(uri, uri=True, check_same_thread=False)
            db.execute("PRAGMA schema_version").fetchone()  # opens the file
        except sqlite3.Error:
            return None
        return db


def _move(db: sqlite3.Connection) -> None:
    # What cannot be moved now stays in the log; `finish` reports an error that lasts.
    with contextlib.suppress(sqlite3.Error):
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
