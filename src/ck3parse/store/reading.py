"""Opening the SQLite file of a store for reading only."""

import sqlite3
from pathlib import Path


def open_to_read(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open a store for reading only.

    Args:
        path: the file.
        timeout_s: seconds to wait for a program that locks it.

    Returns:
        The connection, which cannot write. Several threads can use it, one at a time.

    Raises:
        sqlite3.Error: there is no such file, or it cannot be read.
    """
    db = _opened(path, "ro", timeout_s)
    try:
        db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    except sqlite3.OperationalError as error:
        db.close()
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        # A program was killed while it wrote: who opens the store for writing undoes that.
        recovering = _opened(path, "rw", timeout_s)
        try:
            recovering.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        finally:
            recovering.close()
        db = _opened(path, "ro", timeout_s)
    except BaseException:
        db.close()
        raise
    return db


def _opened(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=timeout_s, check_same_thread=False)
