"""Rows that the native module writes as a database are those that SQLite would have written."""

import sqlite3
from contextlib import closing

import pytest

native = pytest.importorskip("ck3parse.parser.native", reason="the native module is not built")

SQL = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT, c INTEGER)"
ROWS = [
    (1, 0, "", None),
    (2, -1, "a" * 5_000, 2**62),
    (70_000, None, "é\U0001f600", -(2**63)),
    *(
        (number, number % 3, f"common/traits/{number}.txt", None)
        for number in range(70_001, 80_000)
    ),
]


def test_rows_of_all_kinds_of_values_are_read_back() -> None:
    made = native.table_database("t", SQL, ROWS)
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(made)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT * FROM t").fetchall() == ROWS


def test_what_is_no_value_of_a_row_is_refused() -> None:
    for row in [(1, 2.5), (1, b"a"), (1, 2**63), ("a", 1)]:
        with pytest.raises((TypeError, OverflowError)):
            native.table_database("t", SQL, [row])
    with pytest.raises(UnicodeEncodeError):
        native.table_database("t", SQL, [(1, "\udc80")])
