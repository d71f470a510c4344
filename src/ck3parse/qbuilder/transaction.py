"""Write transactions on the caller's connection, and its cache meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

CACHE_KB = 64 * 1024
"""Pages that the connection keeps: the upper ones of all indexes that a build writes to."""


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
def large_cache(db: sqlite3.Connection) -> Iterator[None]:
    """Have a larger cache, this connection's alone, until the block ends.

    Args:
        db: a connection with rows as tuples.
    """
    (cache,) = db.execute("PRAGMA cache_size").fetchone()
    db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
    try:
        yield
    finally:
        db.execute(f"PRAGMA cache_size = {cache}")
