"""The speed of the parsers: `python benchmarks/parser.py PATH... [--rounds 5]`.

Reads every `*.txt` file below the paths into memory. Then it times each available parser on one
core, in turns, from the bytes of a file to its JSON.
"""

import argparse
import importlib
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from ck3parse.parser import ParseOutcome

MEGA = 1_000_000
PARSERS = {"python": "ck3parse.parser.reference", "native": "ck3parse.parser.native"}


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
    parsers = {name: parse for name, module in PARSERS.items() if (parse := parser_in(module))}
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    print(f"{len(files)} files, {source_bytes / MEGA:.1f} MB, {given.rounds} rounds")

    seconds: dict[str, list[float]] = {name: [] for name in parsers}
    written: dict[str, int] = {}
    for _ in range(given.rounds):
        for name, parse in parsers.items():
            started = time.perf_counter()
            written[name] = sum(
                len(parse(data, path).ast_json or b"") for path, data in files.items()
            )
            seconds[name].append(time.perf_counter() - started)

    baseline = statistics.median(seconds["python"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(
            f"{name:8} {source_bytes / median / MEGA:8.1f} MB/s source"
            f" {written[name] / median / MEGA:8.1f} MB/s output {baseline / median:7.1f} x python"
        )


def parser_in(module: str) -> Callable[[bytes, str], ParseOutcome] | None:
    """Return a module's `parse_bytes`, or `None` if it was not built."""
    try:
        parse: Callable[[bytes, str], ParseOutcome] = importlib.import_module(module).parse_bytes
    except ModuleNotFoundError as error:
        if error.name != "ck3parse.parser._native":
            raise
        return None
    return parse


if __name__ == "__main__":
    main()
