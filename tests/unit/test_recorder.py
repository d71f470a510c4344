import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zstandard
from msgspec.structs import replace

from ck3parse.errors import StoreError
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.pipeline.recorder import COMMIT_BYTES, Recorded, Recorder
from ck3parse.store import Store

VERSION = "test/1"


def outcomes(*names: str, ast_bytes: int = 0) -> Recorded:
    frame = zstandard.compress(b'{"_type":"root"}') + bytes(ast_bytes)
    return [
        (
            Found("/mod", name, 3, 1),
            ParseResult(name, f"/mod/{name}", True, frame, 1, content_hash=name, size=3),
        )
        for name in names
    ]


def names_of(some: Recorded) -> list[str]:
    return [found.name for found, _ in some]


def begun(recorder: Recorder, first: Recorded) -> None:
    """Start a first transaction."""
    recorder.add(first)
    while not recorder.is_recording:
        assert recorder.recorded() == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Lock a store against writers, like a slow reader."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN EXCLUSIVE")
        yield


def stored(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM files")}


def test_what_is_returned_is_in_the_store(path: Path) -> None:
    with Store(path, VERSION) as store, closing(Recorder(store)) as recorder:
        recorder.add(outcomes("a.txt", "b.txt"))
        told: Recorded = []
        while not told:
            told = recorder.recorded()
        assert names_of(told) == ["a.txt", "b.txt"]
        assert stored(path) == {"a.txt", "b.txt"}
        assert recorder.flush() == []


def test_a_flush_returns_each_outcome_once_and_in_order(path: Path) -> None:
    with Store(path, VERSION) as store, closing(Recorder(store)) as recorder:
        recorder.add(outcomes("a.txt"))
        told = recorder.recorded()
        recorder.add(outcomes("b.txt", "c.txt"))
        told += recorder.flush()
        assert names_of(told) == ["a.txt", "b.txt", "c.txt"]
        assert recorder.flush() == recorder.recorded() == []


def test_more_can_come_while_the_store_is_held(path: Path) -> None:
    with Store(path, VERSION) as store, closing(Recorder(store)) as recorder:
        with held(path):
            begun(recorder, outcomes("a.txt"))
            for name in ("b.txt", "c.txt", "d.txt"):
                recorder.add(outcomes(name))
                assert recorder.recorded() == []
        assert names_of(recorder.flush()) == ["a.txt", "b.txt", "c.txt", "d.txt"]


def test_too_much_that_waits_is_waited_for(path: Path) -> None:
    with Store(path, VERSION) as store, closing(Recorder(store)) as recorder:
        begun(recorder, outcomes("a.txt"))
        recorder.add(outcomes("b.txt", ast_bytes=COMMIT_BYTES))
        assert names_of(recorder.recorded()) == ["a.txt"]
        assert recorder.is_recording
        assert names_of(recorder.flush()) == ["b.txt"]


def test_a_store_that_cannot_be_written_is_an_error_once(path: Path) -> None:
    with Store(path, VERSION) as store, closing(Recorder(store)) as recorder:
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE asts")
        recorder.add(outcomes("a.txt"))
        with pytest.raises(StoreError, match="asts"):
            recorder.flush()
        assert recorder.flush() == []


def test_what_is_known_no_more_is_not_recorded(path: Path) -> None:
    """Issue 19, line 1."""
    (first, known), (second, other) = outcomes("a.txt", "b.txt")
    with Store(path, VERSION) as store, closing(Recorder(store)) as recorder:
        recorder.add([(first, known)])
        recorder.add_known([(second, known), (replace(second, name="c.txt"), other)])
        assert names_of(recorder.flush()) == ["a.txt", "b.txt"]
        assert [found.name for found in recorder.gone] == ["c.txt"]
        recorder.add_known([(replace(second, name="d.txt"), known)])
        assert names_of(recorder.flush()) == ["d.txt"]
    assert stored(path) == {"a.txt", "b.txt", "d.txt"}
