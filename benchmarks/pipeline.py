"""What a file costs beyond its parsing: `python benchmarks/pipeline.py [--files N] [--rounds N]`.

Runs `ck3parse run` on N tiny files and on a tenth of them. The difference of the two, for each file
more, is free of the time to start; all cores count, busy or not. Beside it in the same round: the
parser alone on the same files, in one process.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from ck3parse.parser import parse_bytes, parser_in_use


def make_mod(folder: Path, files: int) -> Path:
    for number in range(files):
        path = folder / f"{number // 500:03}" / f"f{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"trait_{number} = {{\n\tindex = {number}\n\tgood = yes\n}}\n")
    return folder


def run_s(mod: Path, *, workers: int) -> float:
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "ck3parse",
            "run",
            mod,
            "--json",
            "--out",
            f"{out}/s.sqlite",
        ]
        began = perf_counter()
        done = subprocess.run(
            [*command, "--workers", str(workers)], check=True, capture_output=True
        )
        seconds = perf_counter() - began
    report = json.loads(done.stdout)
    assert report["parsed"] == report["files"], report
    return seconds


def parse_s(mod: Path) -> float:
    contents = [(path.read_bytes(), path.name) for path in sorted(mod.rglob("*.txt"))]
    began = perf_counter()
    for content, name in contents:
        parse_bytes(content, name)
    return perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    few = options.files // 10
    cores = os.cpu_count() or 1
    print(
        f"{platform.platform()}, {cores} cores, Python {platform.python_version()}, parser", end=" "
    )
    print(parser_in_use().name)
    with tempfile.TemporaryDirectory() as folder:
        small = make_mod(Path(folder, "few"), few)
        large = make_mod(Path(folder, "many"), options.files)
        run_s(small, workers=cores)
        costs, parses = [], []
        for number in range(options.rounds):
            short, long, alone = (
                run_s(small, workers=cores),
                run_s(large, workers=cores),
                parse_s(large),
            )
            parse_ms = alone / options.files * 1000
            cost_ms = (long - short) * cores / (options.files - few) * 1000 - parse_ms
            costs.append(cost_ms)
            parses.append(parse_ms)
            print(
                f"round {number + 1}: {few:,} files {short:.2f} s, {options.files:,} files"
                f" {long:.2f} s; a file: parsing {parse_ms:.4f} ms, all else {cost_ms:.4f} ms"
            )
    cost, parse = statistics.median(costs), statistics.median(parses)
    print(f"median: all else {cost:.4f} ms a file, {cost / parse:.1f} times its parsing")


if __name__ == "__main__":
    main()
