"""Rows that wait for their transaction, in a database in memory on the caller's connection.

While the write lock is held, one statement a tree then copies its rows, which takes a little more
than half of the time of inserting them one by one, and leaves the interpreter to other threads.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ck3parse.extractors.qbuilder import Row

TABLE = "ck3parse_staging.waiting"
"""The table of the rows, with the columns `name`, `type`, `line` and `col`."""


class Staging:
    """Keeps rows by number.

    Args:
        db: the caller's connection.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._next = 1

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Have the database attached until the block ends.

        Raises:
            sqlite3.Error: the connection has too many databases attached.
        """
        self._commit()
        self._db.execute("ATTACH DATABASE ':memory:' AS ck3parse_staging")
        try:
            self._db.execute(f"CREATE TABLE {TABLE} (name, type, line, col)")
            self._commit()
            yield
        finally:
            self._commit()
            self._db.execute("DETACH DATABASE ck3parse_staging")

    def add(self, rows: Sequence[Row]) -> range:
        """Keep rows; call it outside of transactions.

        Returns:
            Their numbers.
        """
        numbers = range(self._next, self._next + len(rows))
        if rows:
            self._next = numbers.stop
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            self._db.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?)", rows)  # noqa: S608
            self._commit()
        return numbers

    def drop_below(self, number: int | None) -> None:
        """Forget the rows below a number, or all; call it outside of transactions."""
        where = "" if number is None else f" WHERE rowid < {number:d}"
        if number is None:
            self._next = 1
        self._db.execute(f"DELETE FROM {TABLE}{where}")  # noqa: S608
        self._commit()

    def _commit(self) -> None:
        if self._db.in_transaction:
            self._db.commit()
