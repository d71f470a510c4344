"""qbuilder's build on the pipeline: `python benchmarks/qbuilder_build.py FOLDER [--files N]`.

FOLDER holds mods. N of their script files are queued in a database with qbuilder's tables, triggers
and full-text indexes. Then it measures, as medians of `--rounds` in one run:

- the floor: SQLite alone writes the same rows in one transaction, with the triggers' work in bulk;
- the build, from an empty database to its last commit, with broker and worker running;
- the same queue item by item through the same bridge, as qbuilder's own worker does it
  (`tests/qbuilder_worker.py`), on every tenth file.

And beside further builds: the time from the insert of an item with a priority to its last commit;
how long another writer waits for the lock; and the most memory that the client, a process of its
own, takes, also with 100,000 more items.

Without FOLDER, synthetic files: `--files 25000 --megabytes 470`. `--profile` measures instead where
the time of one build goes, beside the floor.
"""

import argparse
import os
import platform
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

os.environ["QBUILDER_PERSISTENT_PARSE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "stand_in"))

from ck3parse.config.cpus import usable_cpus
from ck3parse.parser import parser_in_use
from ck3parse.qbuilder import ending
from ck3parse.qbuilder.build import Build
from ck3parse.qbuilder.build_queue import BuildQueue
from ck3parse.qbuilder.checkpoints import Checkpoints
from ck3parse.qbuilder.claiming import Claiming
from ck3parse.qbuilder.ending import Ending
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.observers import Observers
from ck3parse.qbuilder.parsing import Parsing
from ck3parse.qbuilder.routing import Routing
from ck3parse.qbuilder.schema import row_triggers
from ck3parse.qbuilder.staging import Staging
from ck3parse.qbuilder.writer import Writer
from ck3parse.qbuilder_bridge import parse_text, shutdown_pool
from qbuilder_database import Queued, connect, enqueue, make_database
from qbuilder_worker import Worker

URGENT = 100
MANY = 100_000
"""Items whose files are missing, behind all others, when the client's memory is measured."""
MOST_BUILDS = 20
"""Builds beside which the latency of `URGENT` items is measured, at most."""


def corpus(folder: Path, count: int) -> tuple[Path, list[Queued]]:
    """Return files of a folder, in an order that does not depend on their mods."""
    files = sorted(path for path in folder.rglob("*.txt") if path.is_file())
    random.Random(21).shuffle(files)
    return folder, [Queued(str(path.relative_to(folder))) for path in files[:count]]


def synthetic(folder: Path, count: int, megabytes: float) -> tuple[Path, list[Queued]]:
    """Write files that together have a size, each with definitions and references."""
    kinds = ("common/traits", "common/scripted_effects", "events", "common/decisions")
    blocks = max(1, round(megabytes * 1e6 / count / 103))
    items = []
    for number in range(count):
        relpath = f"{kinds[number % 4]}/{number // 500:03}/f{number:06}.txt"
        path = folder / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(
                f"thing_{number}_{block} = {{\n\tindex = {block}\n\tgood = yes\n"
                f"\tadd = {{ value = {number} multiply = 0.25 }}\n"
                + (f"\thas_trait = t{block}\n" if block % 4 == 0 else "\t# a comment\n")
                + "}\n"
                for block in range(blocks)
            )
        )
        items.append(Queued(relpath))
    return folder, items


def build(path: Path, **options: Any) -> None:
    """Build a database that has a queue."""
    db = connect(path, timeout=30)
    nobody = Observers(None, None)
    Build(db, observers=nobody, qbuilder=Qbuilder(), say=lambda _: None, **options).run()
    db.close()


def floor(made: Path, path: Path) -> None:
    """Write the rows of a database that was built to an empty one, in one transaction."""
    source = connect(made)
    source.row_factory = None
    asts = source.execute(
        "SELECT ast_id, file_id, content_hash, ast_blob, node_count FROM asts ORDER BY ast_id"
    )
    rows = {
        table: source.execute(f"SELECT {columns} FROM {table} ORDER BY 1, rowid").fetchall()  # noqa: S608
        for table, columns in (
            ("symbols", "ast_id, name, symbol_type, line_number, column_number, node_hash_norm"),
            ("refs", "ast_id, name, ref_type, line_number, column_number"),
        )
    }
    trees = asts.fetchall()
    db = connect(path)
    db.row_factory = None
    began, cpu = perf_counter(), process_time()
    db.execute("BEGIN IMMEDIATE")
    triggers = row_triggers(db)
    for trigger in triggers:
        db.execute(f"DROP TRIGGER {trigger.name}")
    db.executemany(
        "INSERT INTO asts (ast_id, file_id, content_hash, parser_version_id, ast_blob, node_count)"
        " VALUES (?, ?, ?, 1, ?, ?)",
        trees,
    )
    db.executemany(
        "INSERT INTO symbols (ast_id, name, symbol_type, line_number, column_number,"
        " node_hash_norm, node_start_offset, node_end_offset) VALUES (?, ?, ?, ?, ?, ?, 0, 0)",
        rows["symbols"],
    )
    db.executemany(
        "INSERT INTO refs (ast_id, name, ref_type, line_number, column_number)"
        " VALUES (?, ?, ?, ?, ?)",
        rows["refs"],
    )
    for trigger in triggers:
        if trigger.fill:
            db.execute(trigger.fill, (0,))
        db.execute(trigger.sql)
    db.commit()
    db.close()
    _taken["floor"].append(perf_counter() - began)
    _taken["floor, CPU"].append(process_time() - cpu)
    source.close()


_taken: dict[str, list[float]] = {
    name: [] for name in ("floor", "floor, CPU", "build", "client, CPU", "one by one")
}
"""Seconds by what was measured. The processor time is the client's alone, without its workers."""


def fresh(
    folder: Path, name: str, root: Path, items: Sequence[Queued], missing: Sequence[Queued] = ()
) -> Path:
    """Return a new database whose queue has items, and after them some whose files are missing."""
    path = folder / f"{name}.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    db = make_database(path, root, items)
    enqueue(db, root, missing)
    db.close()
    return path


def one_by_one(path: Path) -> float:
    db = connect(path)
    began = perf_counter()
    Worker(db, Qbuilder()).run()
    taken = perf_counter() - began
    db.close()
    return taken


def build_command(path: Path) -> list[str]:
    """Return the command of a process that builds and prints the most memory that it took."""
    return [sys.executable, __file__, "--only-build", str(path)]


def beside(path: Path, work: Callable[[sqlite3.Connection, Callable[[], bool]], None]) -> None:
    """Do some work while another process builds; it is told whether the build is over."""
    with (
        connect(path, timeout=30) as db,
        subprocess.Popen(build_command(path), stdout=subprocess.DEVNULL),
    ):

        def exists(status: str) -> bool:
            sql = f"SELECT 1 FROM build_queue WHERE priority = 0 AND status {status} LIMIT 1"  # noqa: S608
            return db.execute(sql).fetchone() is not None

        while not exists("= 'completed'"):  # broker and worker have started
            time.sleep(0.01)
        work(db, lambda: not exists("IN ('pending', 'processing')"))
    db.close()


def waits_of_a_writer(path: Path) -> tuple[list[float], list[float]]:
    """Return how long another writer waited for the lock, and for its commit, in seconds each.

    As any connection does by default, it makes a checkpoint after its commit if the log is long.
    """
    locks: list[float] = []
    commits: list[float] = []

    def write(db: sqlite3.Connection, over: Callable[[], bool]) -> None:
        while not over():
            began = perf_counter()
            db.execute("BEGIN IMMEDIATE")
            locks.append(perf_counter() - began)
            db.execute("INSERT OR REPLACE INTO db_metadata VALUES ('a writer', '1')")
            began = perf_counter()
            db.commit()
            commits.append(perf_counter() - began)
            time.sleep(random.Random(len(locks)).uniform(0.0, 0.05))

    beside(path, write)
    return locks, commits


def latencies(path: Path, root: Path, urgent: Sequence[Queued]) -> tuple[list[float], list[float]]:
    """Return the seconds from the commit of an urgent item to its claim and to its rows' commit.

    Between two of them there is a pause, so that the build goes on.
    """
    until_claimed: list[float] = []
    until_written: list[float] = []
    sql = "SELECT status FROM build_queue ORDER BY build_id DESC LIMIT 1"

    def ask(db: sqlite3.Connection, over: Callable[[], bool]) -> None:
        db.execute("PRAGMA wal_autocheckpoint = 0")  # so that the commit returns at once
        for item in urgent:
            time.sleep(random.Random(len(until_written)).uniform(0.0, 0.15))
            enqueue(db, root, [item])
            began = perf_counter()
            claimed = None
            while (status := db.execute(sql).fetchone()[0]) != "completed":
                if over():
                    return
                if status == "processing":
                    claimed = claimed or perf_counter()
                time.sleep(0.002)
            until_written.append(perf_counter() - began)
            until_claimed.append((claimed or perf_counter()) - began)

    beside(path, ask)
    return until_claimed, until_written


PARTS: list[tuple[str, Any, str]] = [
    ("claim items", Claiming, "claim"),
    ("claim items", Claiming, "claim_within"),
    ("look for priorities", Claiming, "sees_urgent"),
    ("find their files and trees", Routing, "accept"),
    ("send them", Parsing, "send"),
    ("wait for workers", Parsing, "take"),
    ("unpack trees, decode rows", ending, "outcome_of"),
    ("prepare rows", Staging, "add"),
    ("insert trees", Writer, "_insert"),
    ("copy rows", Writer, "_write"),
    ("full text, triggers, sessions", Writer, "write"),
    ("end queue rows", BuildQueue, "complete"),
    ("lock and commit", Ending, "write"),
    ("begin checkpoints", Checkpoints, "note"),
    ("gaps for other writers", Ending, "take"),
]
"""What takes time in the build's thread, and the functions that do it. A function's time is without
that of others in this list."""


def profile(path: Path) -> None:
    """Build, and show where the time of the build's thread goes."""
    spent = {part: 0.0 for part, _, _ in PARTS}
    inner = [0.0]

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            began = perf_counter()
            inner.append(0.0)
            try:
                return function(*args, **options)
            finally:
                taken = perf_counter() - began
                spent[part] += taken - inner.pop()
                inner[-1] += taken

        return call

    for part, owner, name in PARTS:
        setattr(owner, name, timed(part, getattr(owner, name)))
    began = perf_counter()
    build(path)
    whole = perf_counter() - began
    for part, seconds in [*spent.items(), ("all else", whole - sum(spent.values()))]:
        print(f"  {part:32} {seconds:7.2f} s {seconds / whole:6.1%}")
    print(f"  {'the build':32} {whole:7.2f} s")


def most_memory_mb() -> float:
    """Return the most memory that this process has taken."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss counts what the process had that this one was forked from
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(path: Path, what: str) -> None:
    """Build in a process of its own, and show the most memory that it took."""
    made = subprocess.run(build_command(path), check=True, capture_output=True, text=True)
    megabytes = float(made.stdout)
    print(f"the client's memory, {what}: {megabytes:,.0f} MB at most")


def show(what: str, seconds: list[float]) -> None:
    cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
    print(
        f"{what}: median {statistics.median(seconds) * 1000:.0f} ms, 99th percentile"
        f" {cuts[98] * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms, of {len(seconds)}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, nargs="?")
    arguments.add_argument("--files", type=int, default=4000)
    arguments.add_argument("--megabytes", type=float, default=75.0)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--part", type=int, default=10, help="one by one: every so many files")
    arguments.add_argument("--brief", action="store_true", help="speed and memory only")
    arguments.add_argument("--profile", action="store_true", help="where a build's time goes")
    arguments.add_argument("--only-build", type=Path, metavar="DATABASE", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.only_build:
        build(options.only_build)
        shutdown_pool()
        print(most_memory_mb())
        return
    print(
        f"{platform.platform()}, {usable_cpus()} cores, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, parser {parser_in_use().name}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.folder:
            root, items = corpus(options.folder, options.files)
        else:
            root, items = synthetic(folder / "mod", options.files, options.megabytes)
        size = sum((root / item.relpath).stat().st_size for item in items)
        print(f"{len(items):,} files, {size / 1e6:,.1f} MB")
        assert parse_text("a = b").success
        if options.profile:
            path = fresh(folder, "build", root, items)
            profile(path)
            floor(path, fresh(folder, "floor", root, items))
            print(f"  {'SQLite alone':32} {_taken['floor'][0]:7.2f} s")
            shutdown_pool()
            return
        part = items[:: options.part]
        for _ in range(options.rounds):
            path = fresh(folder, "build", root, items)
            began, cpu = perf_counter(), process_time()
            build(path)
            _taken["build"].append(perf_counter() - began)
            _taken["client, CPU"].append(process_time() - cpu)
            floor(path, fresh(folder, "floor", root, items))
            _taken["one by one"].append(one_by_one(fresh(folder, "single", root, part)))
        report(path, items, part)
        memory(fresh(folder, "alone", root, items), f"{len(items):,} items")
        if options.brief:
            shutdown_pool()
            return
        many = [Queued(f"a file/{number}") for number in range(MANY)]
        memory(fresh(folder, "many", root, items, many), f"{MANY + len(items):,} items")
        locks, commits = waits_of_a_writer(fresh(folder, "waits", root, items))
        show("another writer's wait for the lock", locks)
        show("another writer's commit", commits)
        # A hash of its own for each, so that it has to be parsed.
        urgent = [
            Queued(item.relpath, "E_SCRIPT", 1, f"{number:064}")
            for number, item in enumerate(items[:URGENT])
        ]
        claimed: list[float] = []
        written: list[float] = []
        for _ in range(MOST_BUILDS):
            found = latencies(fresh(folder, "urgent", root, items), root, urgent[len(written) :])
            claimed += found[0]
            written += found[1]
            if len(written) == URGENT:
                break
        if written:
            show("an item with a priority until it is claimed", claimed)
            show("an item with a priority until it is written", written)
    shutdown_pool()


def report(path: Path, items: Sequence[Queued], part: Sequence[Queued]) -> None:
    db = connect(path)
    counts = {
        table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table in ("asts", "symbols", "refs")
    }
    text = db.execute("SELECT sum(length(ast_blob)) FROM asts").fetchone()[0]
    db.close()
    median = {name: statistics.median(values) for name, values in _taken.items() if values}
    print(
        f"{counts['asts']:,} trees ({text / 1e6:,.0f} MB), {counts['symbols']:,} symbols,"
        f" {counts['refs']:,} references"
    )
    for name, seconds in median.items():
        print(f"  {name:12} {seconds:8.2f} s  ({', '.join(f'{s:.2f}' for s in _taken[name])})")
    print(
        f"build / floor: {median['build'] / median['floor']:.2f} (to reach: at most 1.3);"
        f" in processor time {median['client, CPU'] / median['floor, CPU']:.2f}"
    )
    each = median["one by one"] / len(part), median["build"] / len(items)
    print(
        f"one by one: {each[0] * 1000:.2f} ms an item, build: {each[1] * 1000:.2f} ms;"
        f" {each[0] / each[1]:.1f} times as fast (to reach: at least 5)"
    )


if __name__ == "__main__":
    main()
