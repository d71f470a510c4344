"""A broker that is far away: `python benchmarks/distance.py [client] [farm] [options]`.

`client`: a client that is a round trip of 0, 20, 100 and 300 ms away from its broker, whose worker
of four processes is near. The time of a run is given as a multiple of that without a delay.

`farm`: 64 processes in eight workers, and the client, all a round trip away from the broker. Their
parser sleeps for as long as a parser would work on a file of that size (`tests/sleeping.py`), so
that they behave as on 64 CPUs. The efficiency is the time slept, divided by the time of the run and
the number of processes. It is split into three phases: until nine of ten processes have begun, the
steady state, and from when one of ten has done its last file.

Both compare what is stored with what a run at no distance stored, and count the round trips of
client and workers by what the network forwards (`tests/far_network.py`).
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ck3parse.config import Settings
from ck3parse.messaging.app import make_app
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.census import process_count
from ck3parse.pipeline.connection import worker_stats
from ck3parse.store import Store
from peers import files_of, warm
from playset import make_playset
from result import Result, Row, show

TESTS = Path(__file__).parents[1] / "tests"
sys.path.append(str(TESTS))

from polling import wait_until  # noqa: E402
from services import free_port, server, valkey  # noqa: E402

DELAYS_MS = (0, 20, 100, 300)
CLIENT_PROCESSES = 4
FARM_WORKERS, FARM_PROCESSES = 8, 64
START_LIMIT_S = 300.0
MB_A_FILE = 0.0187


class Ran(NamedTuple):
    """A run.

    Attributes:
        seconds: from its report.
        digest: of all names and ASTs in its store.
        network: what the client's network counted.
    """

    seconds: float
    digest: str
    network: dict[str, Any]


class Phase(NamedTuple):
    """A part of a run on a farm.

    Attributes:
        name: what it is.
        seconds: how long it takes.
        efficiency: the share of that time that the processes sleep.
    """

    name: str
    seconds: float
    efficiency: float


def phases(logs: Path, began: float, ended: float, processes: int) -> list[Phase]:
    """Split a run by what its processes wrote (`tests/sleeping.py`).

    Args:
        logs: the folder with the files of the processes.
        began: when the run began, in seconds since 1970.
        ended: when it ended.
        processes: how many there are.
    """
    slept = [
        [(float(start), float(end)) for start, end in map(str.split, log.read_text().splitlines())]
        for log in sorted(logs.glob("*.slept"))
    ]
    few = processes // 10
    # A process that never began is idle until the end.
    starts = sorted([each[0][0] for each in slept] + [ended] * (processes - len(slept)))
    ends = sorted(each[-1][1] for each in slept)
    ramp = starts[-few - 1]
    tail = max(ramp, ends[few] if len(ends) > few else ended)
    marks = {"ramp-up": (began, ramp), "steady": (ramp, tail), "tail": (tail, ended)}
    found = []
    for name, (first, last) in marks.items():
        busy_s = sum(
            max(0.0, min(end, last) - max(start, first)) for each in slept for start, end in each
        )
        seconds = last - first
        found.append(Phase(name, seconds, busy_s / processes / seconds if seconds > 0 else 1.0))
    return found


@contextlib.contextmanager
def network(port: int, delay_ms: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the URL of a server through a network, and a map that is filled at the end."""
    counted: dict[str, Any] = {}
    command = [sys.executable, str(TESTS / "far_network.py"), str(port), str(delay_ms / 2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"redis://127.0.0.1:{int(process.stdout.readline())}/0", counted
        finally:
            process.terminate()
            counted.update(json.loads(process.stdout.read() or "{}"))


@contextlib.contextmanager
def workers(
    url: str, near: str, count: int, processes: int, folder: Path, env: Mapping[str, str]
) -> Iterator[None]:
    """Run workers until the end of the block, which starts once all have answered."""
    base = {k: v for k, v in os.environ.items() if not k.startswith("CK3PARSE_")}
    with contextlib.ExitStack() as stack:
        for number in range(count):
            command = [sys.executable, "-m", "celery", "-A", "ck3parse", "worker"]
            command += ["-l", "WARNING", "-c", str(processes // count), "-n", f"w{number}@%h"]
            log = stack.enter_context((folder / f"worker{number}.log").open("ab"))
            process = stack.enter_context(
                subprocess.Popen(
                    [*command, "--without-gossip", "--without-mingle"],
                    env={**base, **env, "CK3PARSE_BROKER_URL": url, "REMAP_SIGTERM": "SIGQUIT"},
                    cwd=folder,
                    stdout=log,
                    stderr=log,
                )
            )
            stack.callback(process.terminate)
        app = make_app(Settings(broker_url=near))
        try:
            wait_until(
                lambda: sum(map(process_count, worker_stats(app).values())) == processes,
                START_LIMIT_S,
                "all workers answer",
            )
        finally:
            app.close()
        yield


def run(url: str, mod: Path, store: Path, env: Mapping[str, str]) -> tuple[float, str]:
    """Return the seconds of a run, and a digest of what it stored."""
    command = [sys.executable, "-m", "ck3parse", "run", str(mod), "--json", "--no-index"]
    command += ["--broker", url, "--out", str(store), "--include", "*.txt"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **env}, check=False)
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["parsed"] == report["files"], report
    digest = hashlib.sha256()
    with Store(store, env.get("CK3PARSE_PARSER") or parser_in_use().version) as opened:
        for _, name, ast in sorted(opened.asts()):
            digest.update(name.encode() + b"\0" + ast)
    return float(report["seconds"]), digest.hexdigest()


def client_away(files: int, delays_ms: list[float], folder: Path) -> Result:
    """Measure runs of a client that is away."""
    mod = folder / "mod"
    make_playset(mod, files, files * MB_A_FILE)
    warm(files_of(mod))
    port = free_port()
    rows, base, digests = [], 0.0, set()
    with server(valkey(), "--port", str(port), cwd=folder, port=port):
        near = f"redis://127.0.0.1:{port}/0"
        with workers(near, near, 1, CLIENT_PROCESSES, folder, {}):
            run(near, mod, folder / "warm.sqlite", {})
            for delay_ms in delays_ms:
                with network(port, delay_ms) as (url, counted):
                    seconds, digest = run(url, mod, folder / f"client{delay_ms}.sqlite", {})
                base = base or seconds
                digests.add(digest)
                rows.append(_row(f"client {delay_ms:g} ms away", seconds, seconds / base, counted))
    assert len(digests) == 1, "results differ"
    about = (
        f"{files:,} files, a worker of {CLIENT_PROCESSES} processes near the broker. The ratio is"
        " to the run without a delay. Results are equal."
    )
    return Result("Distance: the client is away", about, rows)


def farm(
    files: int, megabytes: float, bytes_per_s: float, delays_ms: list[float], folder: Path
) -> Result:
    """Measure runs on a farm that is away."""
    mod = folder / "mod"
    make_playset(mod, files, megabytes)
    paths = files_of(mod)
    warm(paths)
    slept_s = sum(map(os.path.getsize, paths)) / bytes_per_s
    env = {
        "CK3PARSE_PARSER": "sleeping:parse",
        "SLEEPING_BYTES_PER_S": str(bytes_per_s),
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(TESTS)])),
    }
    port = free_port()
    rows, digests = [], set()
    with server(valkey(), "--port", str(port), cwd=folder, port=port):
        near = f"redis://127.0.0.1:{port}/0"
        for delay_ms in delays_ms:
            logs = folder / f"slept{delay_ms}"
            logs.mkdir()
            env["SLEEPING_LOG"] = str(logs)
            with (
                network(port, delay_ms) as (url, by_client),
                network(port, delay_ms) as (workers_url, by_workers),
                workers(workers_url, near, FARM_WORKERS, FARM_PROCESSES, folder, env),
            ):
                store = folder / f"farm{delay_ms}.sqlite"
                seconds, digest = run(url, mod, store, env)
                ended = time.time()
            digests.add(digest)
            efficiency = slept_s / FARM_PROCESSES / seconds
            rows.append(_row(f"{delay_ms:g} ms away", seconds, efficiency, by_client))
            rows.append(_row(f"{delay_ms:g} ms away, workers", seconds, None, by_workers))
            for phase in phases(logs, ended - seconds, ended, FARM_PROCESSES):
                what = f"{delay_ms:g} ms away, {phase.name}"
                rows.append(Row(what, phase.seconds, "s", phase.efficiency))
    assert len(digests) == 1, "results differ"
    about = (
        f"{files:,} files, {megabytes:,.0f} MB, {FARM_PROCESSES} processes in {FARM_WORKERS}"
        f" workers that sleep {slept_s:,.0f} s in all; {slept_s / FARM_PROCESSES:.1f} s each. The"
        " ratio is the efficiency. Results are equal."
    )
    return Result("Distance: 64 processes", about, rows)


def _row(what: str, seconds: float, ratio: float | None, counted: dict[str, Any]) -> Row:
    commands = ", ".join(f"{n:,} {name}" for name, n in list(counted["commands"].items())[:12])
    note = (
        f"{counted['round_trips']:,} round trips on {counted['connections']} connections:"
        f" {commands}"
    )
    return Row(what, seconds, "s", ratio, note)


def main() -> None:
    """Measure what was asked for, and print it."""
    options = argparse.ArgumentParser(description="A broker that is far away.")
    options.add_argument("what", nargs="*", help="client, farm; default: both")
    options.add_argument("--files", type=int, default=20_000)
    options.add_argument("--farm-files", type=int, default=20_000)
    options.add_argument("--farm-megabytes", type=float, default=800.0)
    options.add_argument(
        "--bytes-per-s", type=float, default=1e6, help="of a sleeping process; slower on few CPUs"
    )
    options.add_argument("--delays-ms", default=",".join(map(str, DELAYS_MS)))
    given = options.parse_args()
    delays_ms = [float(each) for each in given.delays_ms.split(",")]
    what = given.what or ["client", "farm"]
    if "client" in what:
        with tempfile.TemporaryDirectory() as folder:
            show(client_away(given.files, delays_ms, Path(folder)))
    if "farm" in what:
        with tempfile.TemporaryDirectory() as folder:
            sizes = given.farm_files, given.farm_megabytes, given.bytes_per_s
            show(farm(*sizes, delays_ms, Path(folder)))


if __name__ == "__main__":
    main()
