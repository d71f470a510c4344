"""Lower bounds for the native parser: `python benchmarks/limits.py PATH... [--rounds 5]`.

Reads every `*.txt` file below the paths into memory, and measures the processor time of parsing
them, of writing and copying the same number of output bytes, which no parser can beat, and of the
other work on a file: its SHA-256 and the compression of its AST.
"""

import argparse
import hashlib
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import zstandard

from ck3parse.parser import native

MEGA = 1_000_000


def main() -> None:
    """Time each and print one line for it."""
    options = argparse.ArgumentParser(description="Measure lower bounds for the native parser.")
    options.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()

    found = (file for path in given.paths for file in sorted(path.rglob("*.txt")))
    sources = [file.read_bytes() for file in found if file.is_file()]
    outputs = [
        memoryview(ast) for source in sources if (ast := native.parse_bytes(source, "").ast_json)
    ]
    compress = zstandard.ZstdCompressor(level=1).compress

    jobs: dict[str, Callable[[], object]] = {
        "parse": partial(each, partial(native.parse_bytes, name=""), sources),
        "write as many bytes": partial(each, b".".__mul__, list(map(len, outputs))),
        "copy the output": partial(each, bytes, outputs),
        "compress the output": partial(each, compress, outputs),
        "hash the source": partial(each, hashlib.sha256, sources),
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(given.rounds):
        for name, job in jobs.items():
            started = time.process_time()
            job()
            seconds[name].append(time.process_time() - started)

    source_bytes, output_bytes = sum(map(len, sources)), sum(map(len, outputs))
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    print(f"{source_bytes / MEGA:.1f} MB of source, {output_bytes / MEGA:.1f} MB of output")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(
            f"{name:20} {median * 1e3:6.0f} ms {source_bytes / median / MEGA:8.1f} MB/s source"
            f" {output_bytes / median / MEGA:8.1f} MB/s output"
        )


def each(job: Callable[[Any], object], arguments: list[Any]) -> None:
    """Call a function with each argument, and discard the results."""
    for argument in arguments:
        job(argument)


if __name__ == "__main__":
    main()
