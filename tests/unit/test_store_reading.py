"""A program was killed while it wrote to the store."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ck3parse import Index
from ck3parse.store import Store
from ck3parse.store.merge import merge


@pytest.fixture
def half_written(tmp_path: Path) -> Path:
    """A store with the journal of a transaction that did not end."""
    path = tmp_path / "written.sqlite"
    store = tmp_path / "store.sqlite"
    Store(path, "test/1").close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO roots (path) VALUES ('lost')")
        db.execute("CREATE TABLE big (value)")
        db.executemany("INSERT INTO big VALUES (zeroblob(?))", [(100_000,)] * 50)
        shutil.copy(path, store)
        shutil.copy(f"{path}-journal", f"{store}-journal")
        db.execute("ROLLBACK")
    with (
        closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as db,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        db.execute("SELECT * FROM roots")
    return store


def test_questions(half_written: Path) -> None:
    with Index(half_written) as index:
        assert index.sources() == []
    assert not half_written.with_name("store.sqlite-journal").exists()


def test_merge(half_written: Path, tmp_path: Path) -> None:
    assert merge([half_written], tmp_path / "merged.sqlite").files == 0
