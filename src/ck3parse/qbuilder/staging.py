"""Rows that wait for their transaction, in a database in memory on the caller's connection.

While the write lock is held, one statement a tree then copies its rows, which takes a little more
than half of the time of inserting them one by one, and leaves the interpreter to other threads.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ck3parse.extractors.qbuilder import Row

TABLE = "ck3parse_staging.waiting"
"""The table of the rows, with the columns `name`, `type`, `line` and `col`."""
_SLICE_ROWS = 2_000
"""Rows that are added before `between` is called: about 5 ms."""


class Staging:
    """Keeps rows by number.

    Args:
        db: the caller's connection.

    Attributes:
        between: called between the slices of many rows, outside of transactions; it may add rows.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.between: Callable[[], None] = lambda: None
        self._db = db
        self._next = 1
        self._last = 0
        """The number of the last row in the table."""

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
        self._next = numbers.stop
        for start in range(0, len(rows), _SLICE_ROWS):
            if start:
                self.between()
            part = slice(start, start + _SLICE_ROWS)
            self._insert(numbers[part], rows[part])
        return numbers

    def _insert(self, numbers: range, rows: Sequence[Row]) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        if numbers.start == self._last + 1:
            self._db.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?)", rows)  # noqa: S608
        else:  # `between` has added rows; this takes a third longer
            self._db.executemany(
                f"INSERT INTO {TABLE} (name, type, line, col, rowid) VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                ((*row, number) for number, row in zip(numbers, rows, strict=True)),
            )
        self._last = max(self._last, numbers[-1])
        self._commit()

    def drop_below(self, number: int | None) -> None:
        """Forget the rows below a number, or all; call it outside of transactions."""
        where = "" if number is None else f" WHERE rowid < {number:d}"
        if number is None:
            self._next, self._last = 1, 0
        self._db.execute(f"DELETE FROM {TABLE}{where}")  # noqa: S608
        self._commit()

    def _commit(self) -> None:
        if self._db.in_transaction:
            self._db.commit()
