"""The latency of single requests during a bulk run: `python benchmarks/latency.py [--quick]`.

Sends small texts to one embedded worker, one at a time: while it is idle, then during a `ck3parse
run` of a playset, on the interactive queue and on the bulk queue. The bulk queue shows what the
latency would be without a separate queue. There is a pause between requests, and during a run only
requests sent while the worker processes were busy count.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter

from ck3parse.bench.percentiles import percentiles
from ck3parse.bench.plot import Bar, Panel, bar_chart
from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.messages import ParseRequest
from ck3parse.messaging.app import make_app
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.window import Window
from playset import make_playset
from result import Result, Row, run_alone

IDLE = "alone"
BESIDE = "beside a run"
SAME_QUEUE = "beside a run, on its queue"
TO_REACH_MS = 50.0
PAUSE_S = 0.02
BUSY_BYTES = 1_000_000
"""Results in the store of the run after which its worker processes are busy."""


def latencies_ms(settings: Settings, queue: str, goes_on: Callable[[int], bool]) -> list[float]:
    taken: list[float] = []
    with closing(Window(make_app(settings), workers=1)) as window:
        while goes_on(len(taken)):
            request = ParseRequest(str(len(taken)), text="trait = { index = 1 }", name="t.txt")
            began = perf_counter()
            window.submit(Batch([request], 22), queue=queue)
            while not window.poll(0.05):
                pass
            taken.append((perf_counter() - began) * 1000)
            time.sleep(PAUSE_S)
    return taken


def beside_a_run(settings: Settings, queue: str, playset: Path, out: Path) -> list[float]:
    command = [sys.executable, "-m", "ck3parse", "run", str(playset), "--no-index", "--json"]
    command += ["--broker", settings.broker_url, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None and not (out.exists() and out.stat().st_size > BUSY_BYTES):
            time.sleep(PAUSE_S)
        taken = latencies_ms(settings, queue, lambda count: count == 0 or run.poll() is None)
    assert run.returncode == 0
    return taken


def measure(*, quick: bool) -> list[Result]:
    files, calls = (300, 30) if quick else (50_000, 200)
    workers = Settings().worker_count
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker(workers) as broker:
        playset = Path(folder, "playset")
        make_playset(playset, files, files * 0.0187)
        broker.wait_ready(30, worker=True)
        settings = broker.client_settings(Settings())
        latencies_ms(settings, QUEUE_INTERACTIVE, lambda done: done < 20)
        taken = {
            IDLE: latencies_ms(settings, QUEUE_INTERACTIVE, lambda done: done < calls),
            BESIDE: beside_a_run(settings, QUEUE_INTERACTIVE, playset, Path(folder, "a.sqlite")),
            SAME_QUEUE: beside_a_run(settings, QUEUE_BULK, playset, Path(folder, "b.sqlite")),
        }
    by_case = {name: percentiles(values) for name, values in taken.items()}
    base = by_case[IDLE].p50
    rows = [
        Row(f"{name}, {which}", value, "ms", value / base, f"{len(taken[name]):,} calls")
        for name, times in by_case.items()
        for which, value in (("median", times.p50), ("p99", times.p99))
    ]
    about = (
        f"Texts of 22 bytes, beside runs of {files:,} files on {workers} worker processes. The"
        f" ratio is to the median alone; beside a run it is to be at most {TO_REACH_MS:g} ms."
    )
    bars = [
        Bar(row.what, row.value, f"{row.value:.1f}", place // 2) for place, row in enumerate(rows)
    ]
    title = "Latency of a single request under load"
    return [Result(title, about, rows, bar_chart(title, [Panel("ms", bars)]))]


if __name__ == "__main__":
    run_alone(__doc__, measure)
