"""Another program has locked the store."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ck3parse.errors import StoreError
from ck3parse.store import Store, lock
from store_lock import holder_of, locked, release

VERSION = "test/1"


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    said: list[str | None] = []
    Store(path, VERSION).close()
    with locked(path) as process:

        def say(text: str | None) -> None:
            said.append(text)
            if text:
                release(process)

        with Store(path, VERSION, say=say) as store:
            store.begin_run(["/mod"], "native")
    assert said == [f"waiting for {holder_of(process)} to write to {path}", None]


def test_a_lock_that_stays_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"
    monkeypatch.setattr(lock, "LOCK_PATIENCE_S", 0.05)
    said: list[str | None] = []
    with Store(path, VERSION, say=said.append) as store, locked(path) as process:
        who = holder_of(process)
        for _ in range(2):
            with pytest.raises(StoreError, match=f"locked by {who}: .*run again to continue"):
                store.begin_run(["/mod"], "native")
        with pytest.raises(StoreError, match=f"cannot be opened, as it is locked by {who}"):
            Store(path, VERSION)
        release(process)
        process.wait()
        store.begin_run(["/mod"], "native")
    assert said == []


def test_a_lock_during_a_question_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as store:
        store._db.execute("PRAGMA busy_timeout = 10")
        with locked(path, "BEGIN EXCLUSIVE") as process:
            with pytest.raises(sqlite3.OperationalError):
                store.sizes()
            with pytest.raises(StoreError, match="cannot be read, as it is locked by"), store:
                store.sizes()
            release(process)


def test_a_store_that_is_being_read_is_opened_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To commit, even nothing, would wait for the reader, who may take seconds."""
    monkeypatch.setattr(lock, "LOCK_PATIENCE_S", 0.1)
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as store:
        assert store.texts
    with closing(sqlite3.connect(path)) as reader:
        reading = reader.execute("SELECT name FROM sqlite_schema")
        reading.fetchone()
        with Store(path, VERSION) as store:
            assert store.texts
