"""The checkpoints that a build makes of qbuilder's database."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ck3parse.qbuilder import checkpoints
from ck3parse.qbuilder.checkpoints import Checkpoints
from polling import wait_until
from qbuilder_database import connect

LIMIT_S = 20


def fill(db: sqlite3.Connection, rows: int) -> None:
    db.execute("CREATE TABLE IF NOT EXISTS t (a)")
    db.executemany("INSERT INTO t VALUES (randomblob(1000))", [()] * rows)
    db.commit()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = connect(tmp_path / "q.db")
    db.row_factory = None
    yield db
    db.close()


def test_a_thread_moves_what_was_committed(db: sqlite3.Connection, tmp_path: Path) -> None:
    made = Checkpoints(db)
    with made.running():
        fill(db, 3000)
        before = (tmp_path / "q.db").stat().st_size
        made.note(checkpoints.START_BYTES)
        wait_until(
            lambda: (tmp_path / "q.db").stat().st_size > before + 2_000_000,
            LIMIT_S,
            "the log to be moved",
        )


def test_nothing_is_moved_before_there_is_enough(db: sqlite3.Connection, tmp_path: Path) -> None:
    made = Checkpoints(db)
    with made.running():
        fill(db, 3000)
        before = (tmp_path / "q.db").stat().st_size
        made.note(checkpoints.START_BYTES - 1)
        assert (tmp_path / "q.db").stat().st_size == before
        made.finish()
        assert (tmp_path / "q.db").stat().st_size > before + 2_000_000


def test_a_long_log_begins_anew(db: sqlite3.Connection, tmp_path: Path) -> None:
    made = Checkpoints(db)
    with made.running():
        for _ in range(5):
            fill(db, 1000)
            made.note(checkpoints.MAX_LOG_BYTES)
        assert (tmp_path / "q.db-wal").stat().st_size < 2_000_000


@pytest.mark.parametrize("path", ["q.db", ":memory:"])
def test_the_connections_setting_is_as_before(tmp_path: Path, path: str) -> None:
    db = sqlite3.connect(path if path == ":memory:" else tmp_path / path)
    db.execute("PRAGMA wal_autocheckpoint = 77")
    made = Checkpoints(db)
    with made.running():
        assert db.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        made.note(checkpoints.START_BYTES)
    assert db.execute("PRAGMA wal_autocheckpoint").fetchone() == (77,)
    db.close()
