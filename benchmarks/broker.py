"""The cost of the broker per file: `python benchmarks/broker.py [--quick]`.

Sends tiny files through one embedded worker: with a Celery task per file, and with the window and
batches of several sizes. A plain process pool, which has no broker, is measured in turns with
them.
"""

import statistics
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter

import msgspec
from celery import Celery

from ck3parse.bench.plot import Bar, Panel, bar_chart
from ck3parse.config import QUEUE_BULK, Settings
from ck3parse.config.cpus import usable_cpus
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.messages import ParseRequest
from ck3parse.messaging.app import TASK_NAME, make_app
from ck3parse.pipeline.batch import MAX_BYTES, MAX_FILES, Batch
from ck3parse.pipeline.window import Window
from peers import files_of, pool_s, warm
from pipeline import make_mod
from result import Result, Row, run_alone

BATCHES = (16, 64, MAX_FILES)
POOL = "process pool, no broker"
SINGLE = "Celery, a task a file"


def window_s(settings: Settings, files: list[str], workers: int, size: int) -> float:
    requests = [ParseRequest(str(place), path) for place, path in enumerate(files)]
    batches = [
        Batch(requests[start : start + size], min(MAX_BYTES, 60 * size))
        for start in range(0, len(requests), size)
    ]
    began = perf_counter()
    with closing(Window(make_app(settings), workers=workers)) as window:
        assert sum(map(len, window.results(batches))) == len(files)
    return perf_counter() - began


def single_s(app: Celery, files: list[str]) -> float:
    began = perf_counter()
    replies = [
        app.send_task(
            TASK_NAME,
            args=([msgspec.to_builtins(ParseRequest(str(place), path))],),
            queue=QUEUE_BULK,
            time_limit=30,
        )
        for place, path in enumerate(files)
    ]
    for reply in replies:
        reply.get()
        reply.forget()
    return perf_counter() - began


def measure(*, quick: bool) -> list[Result]:
    count, rounds = (500, 1) if quick else (20_000, 3)
    cores, workers = usable_cpus(), Settings().worker_count
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker(workers, spool=True) as broker:
        files = files_of(make_mod(Path(folder), count))
        some = files[: max(1, count // 5)]
        warm(files)
        broker.wait_ready(30, worker=True)
        settings = broker.client_settings(Settings())
        app = make_app(settings)
        ways: dict[str, tuple[Callable[[], float], int]] = {
            POOL: (partial(pool_s, files, cores), count),
            SINGLE: (partial(single_s, app, some), len(some)),
        }
        for size in BATCHES:
            ways[f"window, {size} a task"] = (
                partial(window_s, settings, files, workers, size),
                count,
            )
        window_s(settings, some, workers, BATCHES[-1])
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, (way, done) in ways.items():
                taken[name].append(way() / done * 1000)
        app.close()
    ms = {name: statistics.median(values) for name, values in taken.items()}
    about = (
        f"{count:,} files of 60 bytes ({len(some):,} for a task per file), {workers} worker"
        f" processes, medians of {rounds} rounds in turns. The ratio is the speed relative"
        " to a Celery task per file."
    )
    rows = [Row(name, value, "ms per file", ms[SINGLE] / value) for name, value in ms.items()]
    bars = [Bar(name, value, f"{value:.3f}", 0) for name, value in ms.items()]
    title = "Broker: one task a file against batches"
    return [Result(title, about, rows, bar_chart(title, [Panel("ms per file", bars)]))]


if __name__ == "__main__":
    run_alone(__doc__, measure)
