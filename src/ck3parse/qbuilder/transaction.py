"""Write transactions on the caller's connection."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


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
