"""Write transactions on the caller's connection, and the connection's settings meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

CACHE_KB = 64 * 1024
"""Pages that the connection keeps: the upper ones of all indexes that a build writes to."""
CHECKPOINT_BYTES = 32 * 1024 * 1024
"""Bytes written since the last checkpoint after which the build makes one."""


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the database's write lock, and commit at the end or roll back.

    Args:
        db: the connection. What it has not committed yet is committed first, as qbuilder's own
            worker does.

    Raises:
        sqlite3.Error: another connection holds the lock for longer than this one's timeout, or the
            database cannot be written.
    """
    if db.in_transaction:
        db.commit()
    # With `autocommit=False` (Python 3.12) a transaction is open all the time.
    if not db.in_transaction:
        db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.commit()
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


@contextmanager
def tuned(db: sqlite3.Connection) -> Iterator[None]:
    """Have a larger cache, and no checkpoints by themselves, until the block ends.

    SQLite would make a checkpoint after nearly every transaction, which writes the same pages of
    the indexes again and again. Call `checkpoint` instead. Both settings are this connection's
    alone.

    Args:
        db: a connection with rows as tuples.
    """
    (cache,) = db.execute("PRAGMA cache_size").fetchone()
    (pages,) = db.execute("PRAGMA wal_autocheckpoint").fetchone()
    db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    try:
        yield
    finally:
        db.execute(f"PRAGMA cache_size = {cache}")
        db.execute(f"PRAGMA wal_autocheckpoint = {pages}")


def checkpoint(db: sqlite3.Connection) -> None:
    """Move what was committed from the write-ahead log to the database file.

    Nobody waits for it: it takes no lock that readers or writers need.

    Args:
        db: the connection, outside of a transaction.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
