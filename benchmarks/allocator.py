"""What keeping freed memory saves: `python benchmarks/allocator.py [--quick]`.

Processes read, parse and compress the files of a playset, as a worker does. They take turns: with
the defaults of the C library, and after `keep_freed_memory`.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import zstandard

from ck3parse.messages import ZSTD_LEVEL
from ck3parse.parser import parse_bytes
from ck3parse.worker.malloc import keep_freed_memory
from peers import files_of, warm
from playset import make_playset
from result import Result, Row, show

TITLE = "Memory of worker processes"


def work(playset: Path) -> tuple[float, int]:
    """Return the processor seconds and page faults of this process's work."""
    compress = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
    files = files_of(playset)
    before = resource.getrusage(resource.RUSAGE_SELF)
    for path in files:
        compress(parse_bytes(Path(path).read_bytes(), path).ast_json or b"")
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, after.ru_minflt - before.ru_minflt


def measured(playset: Path, how: str) -> tuple[float, int]:
    """Return the same for a new process."""
    done = subprocess.run(
        [sys.executable, __file__, "--as", how, str(playset)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds, faults = done.stdout.split()
    return float(seconds), int(faults)


def measure(*, quick: bool) -> list[Result]:
    files, rounds = (100, 1) if quick else (5_000, 5)
    taken: dict[str, list[tuple[float, int]]] = {"given": [], "kept": []}
    with tempfile.TemporaryDirectory() as folder:
        playset = Path(folder)
        make_playset(playset, files, files * 0.0187)
        warm(files_of(playset))
        for _ in range(rounds):
            for how, of_it in taken.items():
                of_it.append(measured(playset, how))
    given, kept = (
        [statistics.median(figures) for figures in zip(*of_it, strict=True)]
        for of_it in taken.values()
    )
    about = (
        f"One process reads, parses and compresses {files:,} files; medians of {rounds} rounds in"
        " turns. The ratios are to the defaults of the C library."
    )
    rows = [
        Row("defaults: processor time", given[0], "s"),
        Row("freed memory kept: processor time", kept[0], "s", kept[0] / given[0]),
        Row("defaults: page faults", given[1], ""),
        Row("freed memory kept: page faults", kept[1], "", kept[1] / given[1]),
    ]
    return [Result(TITLE, about, rows)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--as", dest="how", choices=["given", "kept"], help=argparse.SUPPRESS)
    options.add_argument("playset", nargs="?", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.how:
        if given.how == "kept":
            keep_freed_memory()
        print(*work(given.playset))
        return
    for result in measure(quick=given.quick):
        show(result)


if __name__ == "__main__":
    main()
