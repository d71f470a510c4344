"""The speed of the parsers: `python benchmarks/parser.py PATH... [--rounds 5]`.

Reads every `*.txt` file below the paths into memory. Then it times each available parser in each
dialect on one core, in turns, from the bytes of a file to its JSON, and the rows of the extractor
`ck3/1`. Times are processor time: the best and the median of the rounds.
"""

import argparse
import importlib
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

from ck3parse.extractors import CK3
from ck3parse.extractors.stage import index_rows
from ck3parse.messages import DialectName
from ck3parse.parser import ParseOutcome

MEGA = 1_000_000
BASELINE = "python ck3raven"
PARSERS = {"python": "ck3parse.parser.reference", "native": "ck3parse.parser.native"}


def rows(parser: str, data: bytes, path: str) -> ParseOutcome:
    """Return the rows of a file in place of its tree."""
    return ParseOutcome(True, index_rows(data, path, native=parser == "native"))


def main() -> None:
    """Time the parsers and print one line for each."""
    options = argparse.ArgumentParser(description="Measure the speed of the parsers on one core.")
    options.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()

    found = (file for path in given.paths for file in sorted(path.rglob("*.txt")))
    files = {str(file): file.read_bytes() for file in found if file.is_file()}
    if not files:
        options.error("there are no *.txt files")
    source_bytes = sum(map(len, files.values()))
    parsers = {
        f"{name} {dialect}": partial(parse, dialect=dialect)
        for name, module in PARSERS.items()
        if (parse := parser_in(module))
        for dialect in get_args(DialectName)
    } | {
        f"{name} {CK3}": partial(rows, name)
        for name, module in PARSERS.items()
        if parser_in(module)
    }
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    print(f"{len(files)} files, {source_bytes / MEGA:.1f} MB, {given.rounds} rounds")

    seconds: dict[str, list[float]] = {name: [] for name in parsers}
    written: dict[str, int] = {}
    for _ in range(given.rounds):
        for name, parse in parsers.items():
            started = time.process_time()
            written[name] = sum(
                len(parse(data, path).ast_json or b"") for path, data in files.items()
            )
            seconds[name].append(time.process_time() - started)

    baseline = min(seconds[BASELINE])
    for name, times in seconds.items():
        best, median = min(times), statistics.median(times)
        print(
            f"{name:15} {source_bytes / best / MEGA:8.1f} MB/s source"
            f" (median {source_bytes / median / MEGA:.1f})"
            f" {written[name] / best / MEGA:8.1f} MB/s output {baseline / best:7.1f} x {BASELINE}"
        )


def parser_in(module: str) -> Callable[..., ParseOutcome] | None:
    """Return a module's `parse_bytes`, or `None` if it was not built."""
    try:
        parse: Callable[..., ParseOutcome] = importlib.import_module(module).parse_bytes
    except ModuleNotFoundError as error:
        if error.name != "ck3parse.parser._native":
            raise
        return None
    return parse


if __name__ == "__main__":
    main()
