"""Builds whose database, disk, files or callers do what they should not.

Issue 21: the build goes on or stops with one sentence, and no item is lost or done twice.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridging import bridge, output_of
from ck3parse.bridge.engine import SWITCH
from ck3parse.errors import StoreError
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.observers import Observers
from command import FAULTY, ck3parse, start
from polling import wait_until
from qbuilder_database import Queued, close_all, connect, differences, make_database
from qbuilder_queue import make_queue, make_queued_database, write_scripts
from qbuilder_worker import Worker
from stand_in_qbuilder import STAND_IN, build, installed

FILES = 1_000
LIMIT_S = 120.0
ROWS = 100_000
MAX_CLIENT_MB = 300


@pytest.fixture(autouse=True)
def connections() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def qbuilder() -> Iterator[Qbuilder]:
    with installed() as found:
        yield found


@pytest.fixture(scope="module")
def queued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with files that each take 5 ms with the parser `faulty`."""
    root = tmp_path_factory.mktemp("slow") / "mod"
    (root / "events").mkdir(parents=True)
    names = [f"events/{number}.txt" for number in range(FILES)]
    for number, name in enumerate(names):
        (root / name).write_text(f"fault = slow\nevent_{number} = {{ has_trait = t }}\n")
    path = root.parent / "q.db"
    make_database(path, root, map(Queued, names)).close()
    return path


@pytest.fixture
def database(queued: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(queued, tmp_path))


def build_started(database: Path, *args: str) -> "subprocess.Popen[bytes]":
    """Start `ck3parse qbuilder build`, and wait until it has built something."""
    command: list[str | Path] = ["qbuilder", "build", "--db", database, *args]
    process = start(*command, cwd=database.parent, env={**FAULTY, "CK3PARSE_WORKERS": "1"})
    with contextlib.closing(connect(database)) as db:
        wait_until(lambda: process.poll() is not None or built(db), LIMIT_S, "something is built")
    assert process.poll() is None, process.communicate()
    return process


def built(db: sqlite3.Connection) -> int:
    sql = "SELECT count(*) FROM build_queue WHERE status = 'completed'"
    return int(db.execute(sql).fetchone()[0])


def end_of(process: "subprocess.Popen[bytes]") -> str:
    """Return what a build wrote to standard error, but for its progress."""
    _, err = process.communicate(timeout=LIMIT_S)
    return "".join(line for line in err.decode().splitlines(True) if " files/s, " not in line)


def states(database: Path) -> dict[str, tuple[int, int, int]]:
    """Return number, retries and reclaims of the items of each status."""
    with contextlib.closing(connect(database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        rows = db.execute(
            "SELECT status, count(*), sum(retry_count), sum(reclaim_count) FROM build_queue"
            " GROUP BY 1"
        )
        return {status: tuple(numbers) for status, *numbers in rows}


def finish(database: Path) -> None:
    """Run a build to its end, and check that each item was built once."""
    done = ck3parse("qbuilder", "build", "--db", database, "--json", cwd=database.parent)
    assert done.returncode == 0, done.stderr
    assert states(database) == {"completed": (FILES, 0, 0)}
    with contextlib.closing(connect(database)) as db:
        rows = db.execute("SELECT count(*), count(DISTINCT ast_id) FROM symbols").fetchone()
    assert tuple(rows) == (2 * FILES, FILES)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_gives_everything_back(database: Path, by: signal.Signals) -> None:
    with build_started(database) as process:
        process.send_signal(by)
        assert end_of(process) == ""
    assert process.returncode == 130
    found = states(database)
    assert found.keys() == {"completed", "pending"}
    assert found["pending"][1:] == (0, 0)
    finish(database)


def test_interrupts_in_a_row_lose_no_item(database: Path) -> None:
    with build_started(database) as process:
        for _ in range(20):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            assert not threading.Event().wait(0.005)
        end_of(process)
    assert process.returncode in (130, -signal.SIGINT)
    assert sum(numbers[0] for numbers in states(database).values()) == FILES
    finish(database)


def test_two_builds_at_once_share_the_queue(database: Path) -> None:
    with build_started(database) as first:
        second = ck3parse("qbuilder", "build", "--db", database, cwd=database.parent, env=FAULTY)
        assert second.returncode == 0, second.stderr
        assert end_of(first) == ""
    assert first.returncode == 0
    finish(database)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_database_that_goes_in_mid_build_is_an_error(database: Path, how: str) -> None:
    with build_started(database) as process:
        database.rename(database.with_name("moved.db"))
        if how == "replaced":
            shutil.copy(database.with_name("moved.db"), database)
        err = end_of(process)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert "was removed or replaced while it was built" in err


def test_a_table_that_goes_in_mid_build_is_an_error(database: Path) -> None:
    with build_started(database) as process:
        with contextlib.closing(connect(database, timeout=30)) as db:
            db.execute("DROP TABLE refs")
        err = end_of(process)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert "no such table" in err
    assert "run `ck3parse qbuilder check" in err
    assert states(database).keys() == {"completed", "pending"}


def test_a_database_that_is_damaged_is_an_error(tmp_path: Path, qbuilder: Qbuilder) -> None:
    root, path = tmp_path / "mod", tmp_path / "q.db"
    db = make_database(path, root, map(Queued, write_scripts(root, 50)))
    (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'idx_symbols_name'")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    with path.open("r+b") as file:
        file.seek((page[0] - 1) * 4096)
        file.write(b"\xaa" * 4096)
    with (
        bridge({SWITCH: "1"}),
        pytest.raises(StoreError, match=r"malformed\): the file is damaged"),
    ):
        build(connect(path), qbuilder)


def test_a_greedy_writer_costs_no_item(
    tmp_path: Path, qbuilder: Qbuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the lock for longer than the build waits, again and again."""
    monkeypatch.setattr("ck3parse.qbuilder.build._PAUSE_S", 0.05)
    root, path = tmp_path / "mod", tmp_path / "q.db"
    queue = make_queue(root, write_scripts(root, 200), crashing=False)
    make_queued_database(path, root, queue).close()
    shutil.copy(path, tmp_path / "single.db")
    stop, said = threading.Event(), list[str]()

    def write_greedily() -> None:
        with contextlib.closing(connect(path, timeout=30)) as other:
            while not stop.wait(0.02):
                other.execute("BEGIN IMMEDIATE")
                stop.wait(0.1)
                other.rollback()

    db, single = connect(path, timeout=0.01), connect(tmp_path / "single.db")
    with bridge({SWITCH: "1"}):
        greedy = threading.Thread(target=write_greedily)
        greedy.start()
        try:
            build(db, qbuilder, say=said.append)
        finally:
            stop.set()
            greedy.join()
        Worker(single, qbuilder).run()
    assert any("database is locked" in line for line in said)
    assert differences(db, single) == []


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of a file system with 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(command).returncode:
        pytest.skip("no file system can be mounted")
    yield folder
    close_all()
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full_stops_the_build_and_loses_nothing(
    tmp_path: Path, full_disk: Path, qbuilder: Qbuilder
) -> None:
    root = tmp_path / "mod"
    queue = [Queued(relpath) for relpath in write_scripts(root, 400)]
    path, single = full_disk / "q.db", connect(tmp_path / "single.db")
    make_database(path, root, queue).close()
    shutil.copy(path, tmp_path / "copy.db")
    db = connect(path)
    with bridge({SWITCH: "1"}):
        with pytest.raises(StoreError, match="its disk has room"):
            build(db, qbuilder)
        assert built(db) < len(queue)
        subprocess.run(["mount", "-o", "remount,size=256m", str(full_disk)], check=True)
        build(db, qbuilder)
        single = connect(tmp_path / "copy.db")
        Worker(single, qbuilder).run()
    # Items that the full disk left in hand were taken back by the next build.
    assert differences(db, single) == []


def test_items_that_a_build_could_not_release_go_to_the_next_one_of_the_process(
    tmp_path: Path, qbuilder: Qbuilder
) -> None:
    """As on a full disk: the database cannot be written when the build ends."""
    root, path = tmp_path / "mod", tmp_path / "q.db"
    make_database(path, root, map(Queued, write_scripts(root, FILES))).close()
    stop, said = threading.Event(), list[str]()
    other = connect(path, timeout=30)

    class Locking:
        def item_complete(self, *_: object) -> None:
            if not stop.is_set():
                stop.set()
                other.execute("BEGIN IMMEDIATE")

    db = connect(path, timeout=0.01)
    with bridge({SWITCH: "1"}):
        observers = Observers(Locking(), None)  # type: ignore[arg-type]
        build(db, qbuilder, observers=observers, shutdown_event=stop, say=said.append)
        assert any("Claimed items stay so" in line for line in said)
        other.rollback()
        assert states(path)["processing"][0]
        build(db, qbuilder)
    assert states(path) == {"completed": (FILES, 0, 0)}


def test_odd_roots_and_paths(tmp_path: Path, qbuilder: Qbuilder) -> None:
    root = tmp_path / "mod"
    (root / "events").mkdir(parents=True)
    (root / "events" / "e.txt").write_text("event = { has_trait = brave }")
    names = ["events/e.txt", "./events/e.txt", "events/../events/e.txt", "events//e.txt", "", ".",
             "..", "/", str(root / "events/e.txt"), "events\\e.txt", "Events/E.TXT", "e\0.txt",
             "x" * 300, "events/e.txt/", "~/e.txt", "%2e", "event\ud7ff.txt", "a\nb"]  # fmt: skip
    queue = [Queued("events/e.txt")]
    paths = [tmp_path / "bulk.db", tmp_path / "single.db"]
    db = make_database(paths[0], root, queue)
    roots = [str(root), f"{root}/", str(tmp_path / "none"), "mod", "/", " ", "\0"]
    for cvid, folder in enumerate(roots, 3):
        db.execute("INSERT INTO content_versions VALUES (?, NULL, ?)", (cvid, folder))
        for name in names:
            file_id = db.execute(
                "INSERT INTO files (content_version_id, relpath) VALUES (?, ?)", (cvid, name)
            ).lastrowid
            db.execute(
                "INSERT INTO build_queue (file_id, envelope, work_file_mtime, work_file_size,"
                " work_file_hash, created_at) VALUES (?, 'E_SCRIPT', 1, 1, ?, 1)",
                (file_id, f"{file_id:064}"),
            )
    db.commit()
    db.close()
    shutil.copy(*paths)
    bulk, single = map(connect, paths)
    with bridge({SWITCH: "1"}):
        done = build(bulk, qbuilder)
        assert done == Worker(single, qbuilder).run()
    assert differences(bulk, single) == []
    assert done["completed"] > 10
    assert done["errors"] > 100


@pytest.mark.parametrize("observer", [object(), 7])
def test_observers_without_the_methods_do_not_stop_a_build(
    tmp_path: Path, qbuilder: Qbuilder, observer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.txt").write_text("a = b")
    db = make_database(tmp_path / "q.db", tmp_path, [Queued("a.txt")])
    with bridge({SWITCH: "1"}):
        done = build(db, qbuilder, observers=Observers(observer, observer))
    assert done["completed"] == 1
    assert "the build goes on" in caplog.text


def test_a_logger_that_ends_the_program_loses_no_item(tmp_path: Path, qbuilder: Qbuilder) -> None:
    class Exiting:
        def item_complete(self, *_: object) -> None:
            raise SystemExit(3)

    root = tmp_path / "mod"
    queue = [Queued(relpath) for relpath in write_scripts(root, 50)]
    db = make_database(tmp_path / "q.db", root, queue)
    single = make_database(tmp_path / "single.db", root, queue)
    exits = 0
    with bridge({SWITCH: "1"}):
        while True:
            try:
                build(db, qbuilder, observers=Observers(Exiting(), None))  # type: ignore[arg-type]
                break
            except SystemExit:
                exits += 1
        Worker(single, qbuilder).run()
    assert exits
    assert differences(db, single) == []


@pytest.mark.parametrize(
    "table",
    [
        '{"envelope_steps": {"E_SCRIPT": "parse"}}',
        '{"envelope_steps": {"E_SCRIPT": ["parse", 1]}}',
        '{"envelope_steps": []}',
        "[]",
        "",
        "{",
    ],
)
def test_a_routing_table_of_another_form_is_refused(
    tmp_path: Path, database: Path, table: str
) -> None:
    (tmp_path / "qbuilder").mkdir()
    (tmp_path / "qbuilder" / "__init__.py").touch()
    (tmp_path / "qbuilder" / "routing_table.json").write_text(table)
    args = ("--db", database, "--qbuilder", tmp_path)
    done = ck3parse("qbuilder", "build", *args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be read" in done.stderr
    done = ck3parse("qbuilder", "check", *args, cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot be read" in done.stdout


def test_a_folder_without_qbuilder_is_refused(tmp_path: Path, database: Path) -> None:
    for command in ("check", "build"):
        for folder in (tmp_path, STAND_IN / "qbuilder"):
            args = ("--db", database, "--qbuilder", folder)
            done = ck3parse("qbuilder", command, *args, cwd=tmp_path)
            assert done.returncode == 2
            assert done.stderr.count("\n") == 1
            assert "does not hold the package qbuilder" in done.stderr
    assert states(database) == {"pending": (FILES, 0, 0)}


MANY_ROWS = """
import sys
from pathlib import Path
from qbuilder_database import connect
from stand_in_qbuilder import build, installed
db = connect(Path(sys.argv[1]))
with installed() as qbuilder:
    done = build(db, qbuilder)
print(done["completed"], done["errors"])
# The most memory that `getrusage` knows is that of the process that started this one.
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_a_hundred_thousand_rows_take_little_memory(tmp_path: Path) -> None:
    """Most have a content that was built already; a twentieth are of files that are gone."""
    root, path = tmp_path / "mod", tmp_path / "q.db"
    (root / "events").mkdir(parents=True)
    large = [f"events/large_{number}.txt" for number in range(60)]
    for number, name in enumerate(large):
        text = f"event_{number} = {{ has_trait = t value = {{ 1 2 3 }} }}\n"
        (root / name).write_text(text * (1_000_000 // len(text)))
    db = make_database(path, root, [Queued(name) for name in large])
    with db:
        db.executemany(
            "INSERT INTO files (file_id, content_version_id, relpath) VALUES (?, 1, ?)",
            ((1000 + n, f"events/{n}.txt") for n in range(2000)),
        )
        db.executemany(
            "INSERT INTO build_queue (file_id, envelope, work_file_mtime, work_file_size,"
            " work_file_hash, created_at) VALUES (?, 'E_SCRIPT', ?, 1, ?, 1)",
            ((1000 + n % 2000, n, f"{n % 50:064}") for n in range(ROWS)),
        )
    for number in range(2000):
        if number % 20:
            (root / f"events/{number}.txt").write_text(f"event = {{ n = {number} }}")
    db.close()
    out = output_of(MANY_ROWS, path, env={SWITCH: "1"}, limit_s=800).split()
    completed, errors, megabytes = map(int, out)
    gone = ROWS // 20
    assert (completed, errors) == (len(large) + ROWS - gone, 3 * gone)
    assert megabytes < MAX_CLIENT_MB
    assert states(path) == {
        "completed": (len(large) + ROWS - gone, 0, 0),
        "error": (gone, 3 * gone, 0),
    }
