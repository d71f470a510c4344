"""Another program has locked the store."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ck3parse.errors import StoreError
from ck3parse.store import Store, lock

HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(sys.argv[2])
print("locked", flush=True)
sys.stdin.read()
"""
VERSION = "test/1"


@contextmanager
def locked(store: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[subprocess.Popen[bytes]]:
    """Let another process hold a lock, until its standard input is closed."""
    command = [sys.executable, "-c", HOLD, str(store), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        yield process


def release(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()


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
    who = f"process {process.pid}" if sys.platform == "linux" else "another program"
    assert said == [f"waiting for {who} to write to {path}", None]


def test_a_lock_that_stays_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"
    monkeypatch.setattr(lock, "LOCK_PATIENCE_S", 0.05)
    said: list[str | None] = []
    with Store(path, VERSION, say=said.append) as store, locked(path) as process:
        who = f"process {process.pid}" if sys.platform == "linux" else "another program"
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
