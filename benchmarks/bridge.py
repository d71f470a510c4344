"""The ways to use the bridge: `python benchmarks/bridge.py [FOLDER] [--files N]`.

Parses N script files of FOLDER, or N synthetic ones, in every way, and prints medians of three
rounds with the ratios to reach. Then it measures the latency of single calls, alone and during a
bulk run on the same worker.
"""

import argparse
import os
import platform
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter

os.environ["QBUILDER_PERSISTENT_PARSE"] = "1"

from ck3parse.bridge.engine import SWITCH
from ck3parse.config.cpus import usable_cpus
from ck3parse.parser import parser_in_use
from ck3parse.qbuilder_bridge import (
    ParseResult,
    enqueue_many,
    enqueue_parse,
    enqueue_parse_text,
    gather,
    parse_file,
    prefetch,
    shutdown_pool,
)

LEGACY_FILES = 50
CALLS = 300


def make_files(folder: Path, count: int) -> list[str]:
    paths = []
    for number in range(count):
        path = folder / f"{number // 500:03}" / f"f{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"trait_{number} = {{\n\tindex = {number}\n\tgood = yes\n}}\n")
        paths.append(str(path))
    return paths


def found_files(folder: Path, count: int) -> list[str]:
    """Return small files: those whose sizes are nearest to the median."""
    files = sorted(folder.rglob("*.txt"), key=lambda path: path.stat().st_size)
    start = max(0, (len(files) - count) // 2)
    return [str(path) for path in files[start : start + count]]


def one_by_one(files: Iterable[str]) -> list[ParseResult]:
    return [parse_file(path) for path in files]


def read_ahead(files: list[str]) -> list[ParseResult]:
    prefetch(files)
    return one_by_one(files)


def legacy(files: list[str]) -> list[ParseResult]:
    os.environ[SWITCH] = "0"
    try:
        return one_by_one(files)
    finally:
        os.environ[SWITCH] = "1"


def ms_a_file(way: Callable[[list[str]], list[ParseResult]], files: list[str]) -> float:
    began = perf_counter()
    results = way(files)
    ms = (perf_counter() - began) / len(files) * 1000
    assert len(results) == len(files)
    return ms


WAYS: dict[str, Callable[[list[str]], list[ParseResult]]] = {
    "enqueue_many": lambda files: list(enqueue_many(files)),
    "enqueue_parse, gather": lambda files: gather([enqueue_parse(path) for path in files]),
    "prefetch, parse_file": read_ahead,
    "parse_file": one_by_one,
    "legacy parse_file": legacy,
}


def throughput(files: list[str], rounds: int) -> None:
    size = sum(Path(path).stat().st_size for path in files)
    print(f"{len(files):,} files, {size / 1e6:.2f} MB; legacy on {LEGACY_FILES} of them")
    some = files[:: max(1, len(files) // LEGACY_FILES)][:LEGACY_FILES]
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            taken[name].append(ms_a_file(way, some if way is legacy else files))
    median = {name: statistics.median(values) for name, values in taken.items()}
    for name, ms in median.items():
        print(
            f"  {name:22} {ms:8.3f} ms a file, 1/{median['legacy parse_file'] / ms:.0f} of legacy"
        )
    ratio = median["legacy parse_file"] / median["parse_file"]
    print(f"legacy / parse_file: {ratio:.1f} (to reach: at least 15)")
    ratio = median["enqueue_parse, gather"] / median["enqueue_many"]
    print(f"enqueue_parse, gather / enqueue_many: {ratio:.2f} (to reach: at most 1.3)")
    ratio = median["parse_file"] / median["prefetch, parse_file"]
    print(f"parse_file / prefetch, parse_file: {ratio:.1f} (to reach: at least 5)")


def latencies_ms(goes_on: Callable[[int], bool]) -> list[float]:
    taken: list[float] = []
    while goes_on(len(taken)):
        began = perf_counter()
        assert enqueue_parse_text("trait = { index = 1 }").result().success
        taken.append((perf_counter() - began) * 1000)
    return taken


def show(what: str, taken: list[float]) -> None:
    percentiles = statistics.quantiles(taken, n=100)
    print(
        f"  {what:26} median {statistics.median(taken):6.2f} ms, 99th percentile"
        f" {percentiles[98]:7.2f} ms, {len(taken):,} calls"
    )


def latency(files: list[str]) -> None:
    print(f"enqueue_parse(...).result(), alone and beside enqueue_many of {len(files):,} files")
    show("alone", latencies_ms(lambda done: done < CALLS))
    over = threading.Event()

    def bulk() -> None:
        for _ in enqueue_many(files):
            pass
        over.set()

    began = perf_counter()
    thread = threading.Thread(target=bulk)
    thread.start()
    beside = latencies_ms(lambda _: not over.is_set())
    thread.join()
    seconds = perf_counter() - began
    show("beside the bulk run", beside)
    print(f"  the bulk run took {seconds:.2f} s; the median is to be at most 50 ms")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, nargs="?")
    arguments.add_argument("--files", type=int, default=1000)
    arguments.add_argument("--bulk", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    print(
        f"{platform.platform()}, {usable_cpus()} cores, Python {platform.python_version()},"
        f" parser {parser_in_use().name}"
    )
    with tempfile.TemporaryDirectory() as folder:
        made = make_files(Path(folder), max(options.bulk, options.files))
        files = found_files(options.folder, options.files) if options.folder else made
        began = perf_counter()
        assert parse_file(files[0])
        print(f"first call, with the start of broker and worker: {perf_counter() - began:.2f} s")
        throughput(files[: options.files], options.rounds)
        latency(made[: options.bulk])
    shutdown_pool()


if __name__ == "__main__":
    main()
