"""The store's disk is full, another program has locked it, or its file is damaged."""

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import pytest

from ck3parse.store import Store
from ck3parse.store.lock import LOCK_PATIENCE_S
from reliability import Case
from trial import Mod, Trial, assert_right, last_run

END_LIMIT_S = 150.0
DISK_BYTES = 1280 * 1024
"""Room beside an empty store: enough for its journal and some files, but not for a run."""
FILE_BYTES = 320 * 1024
"""The same in the file of the store."""


class SmallDisk(NamedTuple):
    """A place without room for a store, and how to start programs that use it."""

    kind: str
    folder: Path
    options: dict[str, Any]
    grow: Callable[[], object]


def _limit_file_size(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small file system if one can be mounted, else a limit on the size of files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    Store(tmp_path / "empty.sqlite", "test/1").close()
    empty = (tmp_path / "empty.sqlite").stat().st_size

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    if shutil.which("mount") and os.geteuid() == 0 and mount(f"size={empty + DISK_BYTES}"):
        yield SmallDisk("a small tmpfs", folder, {}, lambda: mount("remount,size=64m"))
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        options: dict[str, Any] = {"preexec_fn": partial(_limit_file_size, empty + FILE_BYTES)}
        yield SmallDisk("small files only", folder, options, options.clear)


def state_of(store: Path) -> dict[str, int]:
    """Check that a store is valid, and return the numbers of rows of its tables of results."""
    with contextlib.closing(sqlite3.connect(store)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("files", "asts")
        }


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_full_disk_is_an_error_and_the_next_run_goes_on(
    small_disk: SmallDisk, slow: Mod, tmp_path: Path, case: Case
) -> None:
    """Issue 19, line 5: the run still reports, and its row in the store has the exit code."""
    case.of("store", f"its disk is full ({small_disk.kind})")
    store = small_disk.folder / "out.sqlite"
    with Trial(tmp_path, slow.folder, store=store, **small_disk.options) as trial:
        told = trial.end(END_LIMIT_S, code=2)
    assert str(store) in trial.err
    assert str(store) in told["error"]
    small_disk.grow()
    before = state_of(store)
    assert told["files"] == told["parsed"] == before["files"]
    ended = last_run(store)
    assert ended.finished_at
    assert ended[1:] == (before["files"], 0, 0, 2)
    assert 0 < before["files"] == before["asts"] < len(slow.asts)
    report = report_of_the_rest(tmp_path, slow, before, store=store, **small_disk.options)
    case.did(report, trial.seconds, "exit 2, with what to do; the second run does the rest")


def report_of_the_rest(
    folder: Path, mod: Mod, before: dict[str, int], **options: Any
) -> dict[str, Any]:
    """Run again with the same store, check that this does what was left, and return its report."""
    with Trial(folder, mod.folder, **options) as again:
        report = again.end(END_LIMIT_S)
    assert_right(report, again.store, mod)
    assert report["unchanged"] == before["files"] > 0
    return report


@contextlib.contextmanager
def locked(store: Path, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Lock a store like another program: for writing, or with `BEGIN` for reading."""
    with contextlib.closing(sqlite3.connect(store, timeout=10, isolation_level=None)) as db:
        db.execute(begin)
        db.execute("SELECT count(*) FROM files").fetchone()
        yield
        db.execute("ROLLBACK")


@pytest.mark.parametrize(("how", "begin"), [("holds it", "BEGIN IMMEDIATE"), ("reads it", "BEGIN")])
def test_a_store_that_is_held_for_a_while_is_waited_for(
    how: str, begin: str, slow: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("store", f"another program {how} for 3 s")
    with Trial(tmp_path, slow.folder) as trial:
        trial.wait_recorded()
        with locked(trial.store, begin):
            assert not Event().wait(3)  # the fault itself takes so long
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


def test_a_store_that_stays_held_is_an_error(slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("store", "another program holds it, on and on")
    with Trial(tmp_path, slow.folder) as trial:
        trial.wait_recorded()
        with locked(trial.store):
            done = state_of(trial.store)
            trial.end(END_LIMIT_S, code=2)
    assert "locked" in trial.err
    assert state_of(trial.store) == done
    report = report_of_the_rest(tmp_path, slow, done)
    case.did(report, trial.seconds, "exit 2, with what to do; the second run does the rest")


def test_an_interrupt_does_not_wait_for_a_store_that_stays_held(
    slow: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("store", "another program holds it, and the user gives up")
    with Trial(tmp_path, slow.folder) as trial:
        trial.wait_recorded()
        with locked(trial.store):
            done = state_of(trial.store)
            assert trial.process.stderr
            while b"waiting for" not in trial.process.stderr.readline():
                assert trial.process.poll() is None
            trial.process.send_signal(signal.SIGINT)
            # By itself, it would give up later than this.
            assert trial.end(LOCK_PATIENCE_S, code=130)["interrupted"]
    assert state_of(trial.store) == done
    report = report_of_the_rest(tmp_path, slow, done)
    case.did(report, trial.seconds, "exit 130 at once; the second run does the rest")


def spoil_all(store: Path) -> None:
    store.write_bytes(bytes(range(256)) * 100)


def spoil_pages(store: Path) -> None:
    """Overwrite all pages of a database except for the first."""
    with store.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * (store.stat().st_size - 4096))


def cut_off(store: Path) -> None:
    os.truncate(store, store.stat().st_size // 2)


@pytest.mark.parametrize(
    ("how", "spoil"),
    [("no SQLite file", spoil_all), ("overwritten pages", spoil_pages), ("cut in half", cut_off)],
)
def test_a_damaged_store_is_an_error_and_left_alone(
    how: str, spoil: Callable[[Path], None], quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("store", f"its file is damaged: {how}")
    with Trial(tmp_path, quick.folder) as first:
        first.end(END_LIMIT_S)
    spoil(first.store)
    before = first.store.read_bytes()
    for changed in (False, True):
        if changed:  # so that there is something to write
            shutil.copytree(quick.folder, tmp_path / "mod")
        mod = tmp_path / "mod" if changed else quick.folder
        with Trial(tmp_path, mod) as trial:
            trial.end(END_LIMIT_S, code=2)
        assert str(trial.store) in trial.err
        assert first.store.read_bytes() == before
    with Trial(tmp_path, quick.folder, store=tmp_path / "other.sqlite") as again:
        report = again.end(END_LIMIT_S)
    assert_right(report, again.store, quick)
    case.did(report, trial.seconds, "exit 2, with what to do; the file is left as it was")
