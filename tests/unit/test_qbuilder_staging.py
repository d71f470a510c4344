"""The rows that wait for their transaction."""

import sqlite3
from collections.abc import Iterator
from typing import Literal

import pytest

from ck3parse.qbuilder.staging import TABLE, Staging

ROWS = [("a", "trait", 1, 1), ("b", "trait", 2, 1), ("c", "event", 3, 5)]


@pytest.fixture(params=["DEFERRED", None])
def db(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    level: Literal["DEFERRED"] | None = request.param
    db = sqlite3.connect(":memory:", isolation_level=level)
    yield db
    db.close()


def names(db: sqlite3.Connection) -> list[tuple[int, str]]:
    return db.execute(f"SELECT rowid, name FROM {TABLE} ORDER BY rowid").fetchall()  # noqa: S608


def test_rows_are_kept_under_their_numbers(db: sqlite3.Connection) -> None:
    staging = Staging(db)
    with staging.attached():
        assert staging.add(ROWS[:2]) == range(1, 3)
        assert not staging.add([])
        assert staging.add(ROWS[2:]) == range(3, 4)
        assert names(db) == [(1, "a"), (2, "b"), (3, "c")]
        assert not db.in_transaction


def test_rows_that_wait_keep_their_numbers(db: sqlite3.Connection) -> None:
    staging = Staging(db)
    with staging.attached():
        staging.add(ROWS)
        staging.drop_below(3)
        assert staging.add(ROWS[:1]) == range(4, 5)
        assert names(db) == [(3, "c"), (4, "a")]
        staging.drop_below(None)
        assert staging.add(ROWS[:1]) == range(1, 2)
        assert names(db) == [(1, "a")]


def test_rows_added_between_do_not_mix_with_those_of_another(db: sqlite3.Connection) -> None:
    staging = Staging(db)
    many = [(f"n{number}", "trait", number, 1) for number in range(5_000)]
    between: list[range] = []

    def add_some() -> None:
        assert not db.in_transaction
        staging.between = lambda: None
        between.append(staging.add(ROWS))

    staging.between = add_some
    with staging.attached():
        assert staging.add(many) == range(1, 5_001)
        assert between == [range(5_001, 5_004)]
        assert staging.add(ROWS[:1]) == range(5_004, 5_005)
        expected = [*many, *ROWS, ROWS[0]]
        assert names(db) == [(at, row[0]) for at, row in enumerate(expected, 1)]


def test_nothing_is_attached_afterwards(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE t (a)")
    db.execute("INSERT INTO t VALUES (1)")
    staging = Staging(db)
    with staging.attached():
        staging.add(ROWS)
        db.execute("INSERT INTO t VALUES (2)")
    assert [row[1] for row in db.execute("PRAGMA database_list")] == ["main"]
    assert db.execute("SELECT count(*) FROM t").fetchone() == (2,)
