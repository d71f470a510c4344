"""Several programs write the index of one store at the same time, and one of them is killed."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from ck3parse.store.index_records import MANY_CONTENTS
from command import ck3parse, run_json, start

FILES = MANY_CONTENTS + 1_000
"""Enough that a run keeps words in memory."""
WORD = "common_word"
BEGIN_LIMIT_S = 120.0
PAUSE_S = 0.02
QUERIES = (
    "SELECT name, kind, source, relpath, line, start_byte, end_byte, hash FROM definitions",
    "SELECT name, source, relpath FROM uses",
    "SELECT source, relpath, read_order FROM files_in_effect",
    "SELECT name, kind, winner_file, loser_file, equal FROM conflicts",
)

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module", autouse=True)
def native() -> None:
    pytest.importorskip("ck3parse.parser._native", reason="Python writes words one at a time")


@pytest.fixture(scope="module")
def mod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together") / "mod"
    (folder / "common/traits").mkdir(parents=True)
    for number in range(FILES):
        body = f"{{ {WORD} = yes flag = only_{number} }}"
        text = f"trait_{number} = {body}\nshared_{number % 7} = {{ }}\n" * (1 + number % 9)
        (folder / f"common/traits/{number:05}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def right(mod: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple[object, ...]]]:
    """Return what the views of a store say that one program wrote."""
    store = tmp_path_factory.mktemp("alone") / "store.sqlite"
    run_json(mod, "--out", store, cwd=store.parent)
    return index_of(store)


def index_of(store: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(store, timeout=60)) as db:
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        db.rollback()
        return [sorted(db.execute(query).fetchall(), key=repr) for query in QUERIES]


def value_of(store: Path, query: str) -> object:
    """Return the value that a query finds, or `None`, also where there is no such table yet."""
    if not store.exists():
        return None
    with closing(sqlite3.connect(store, timeout=60)) as db, suppress(sqlite3.OperationalError):
        for (value,) in db.execute(query):
            return value
    return None


def state_of(store: Path, key: str) -> object:
    return value_of(store, f"SELECT value FROM index_state WHERE key = '{key}'")  # noqa: S608


@contextmanager
def running(mod: Path, store: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Let `run` run, and end what is left of it and its workers."""
    process = start("run", mod, "--out", store, "--json", cwd=store.parent)
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(is_so: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + BEGIN_LIMIT_S
    while not is_so():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < until
        time.sleep(PAUSE_S)


def stop_between_commits(process: subprocess.Popen[bytes], store: Path) -> None:
    """Stop a process while it does not lock the store."""
    while True:
        process.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        with closing(sqlite3.connect(store, timeout=0, isolation_level=None)) as db:
            try:
                db.execute("BEGIN EXCLUSIVE")
                db.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                time.sleep(PAUSE_S)


def files_that_use(store: Path, mod: Path, *, is_shared: bool | None = False) -> int:
    done = ck3parse("uses", WORD, mod, "--store", store, "--json", cwd=store.parent)
    assert done.returncode == 0, done.stderr
    assert is_shared in (None, "another program writes this index" in done.stderr)
    return len({use["path"] for use in json.loads(done.stdout)["uses"]})


@pytest.mark.parametrize("is_killed", [False, True], ids=["goes on", "is killed"])
def test_a_question_during_the_first_run(
    is_killed: bool, mod: Path, right: list[list[tuple[object, ...]]], tmp_path: Path
) -> None:
    store = tmp_path / "store.sqlite"
    with running(mod, store) as run:
        wait_until(lambda: state_of(store, "unwritten"), run)
        stop_between_commits(run, store)
        assert state_of(store, "unwritten"), "it had written its words before it stood still"
        assert files_that_use(store, mod, is_shared=True) == FILES
        if is_killed:
            kill(run)
        else:
            run.send_signal(signal.SIGCONT)
            out, err = run.communicate()
            assert run.returncode == 0, err
            assert json.loads(out)["failed"] == 0
    assert index_of(store) == right
    assert files_that_use(store, mod) == FILES
    assert index_of(store) == right


@pytest.mark.parametrize("is_killed", [False, True], ids=["both go on", "one is killed"])
def test_two_runs_begin_at_once(
    is_killed: bool, mod: Path, right: list[list[tuple[object, ...]]], tmp_path: Path
) -> None:
    store = tmp_path / "store.sqlite"
    with ExitStack() as stack:
        runs = [stack.enter_context(running(mod, store)) for _ in range(2)]
        if is_killed:
            wait_until(lambda: value_of(store, "SELECT count(*) FROM index_contents"), runs[1])
            kill(runs[0])
        for run in runs[is_killed:]:
            _, err = run.communicate()
            assert run.returncode == 0, err
    # The one that was killed may have been the one that kept words in memory.
    assert files_that_use(store, mod, is_shared=None if is_killed else False) == FILES
    assert index_of(store) == right


def test_a_question_that_is_killed_during_the_first_run(
    mod: Path, right: list[list[tuple[object, ...]]], tmp_path: Path
) -> None:
    store = tmp_path / "store.sqlite"
    with running(mod, store) as run:
        wait_until(lambda: state_of(store, "unwritten"), run)
        stop_between_commits(run, store)
        question = start("uses", WORD, mod, "--store", store, cwd=tmp_path)
        try:
            wait_until(lambda: state_of(store, "generation"), question)
        finally:
            kill(question)
            question.communicate()
        run.send_signal(signal.SIGCONT)
        _, err = run.communicate()
        assert run.returncode == 0, err
    assert files_that_use(store, mod) == FILES
    assert index_of(store) == right
