"""The cost of a file beyond parsing: `python benchmarks/pipeline.py [--files N] [--rounds N]`.

Runs `ck3parse run` on N tiny files and on a tenth of them. The difference, divided by the number of
additional files, leaves out the cost to start. There are two figures: wall-clock time multiplied by
the number of cores, and processor time of all processes (client, server, workers), which a noisy
machine affects less. The same round measures the parser alone on the same files, in one process.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from ck3parse.config import Settings
from ck3parse.config.cpus import usable_cpus
from ck3parse.parser import parse_bytes, parser_in_use


def make_mod(folder: Path, files: int) -> Path:
    for number in range(files):
        path = folder / f"{number // 500:03}" / f"f{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"trait_{number} = {{\n\tindex = {number}\n\tgood = yes\n}}\n")
    return folder


def run_s(mod: Path, *, workers: int) -> tuple[float, float]:
    """Return the wall-clock and processor seconds of a run and all its processes."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "ck3parse",
            "run",
            "--no-index",
            str(mod),
            "--json",
            "--out",
            f"{out}/s.sqlite",
        ]
        began, used = perf_counter(), processor_s()
        done = subprocess.run(
            [*command, "--workers", str(workers)], check=True, capture_output=True
        )
        seconds = perf_counter() - began
    report = json.loads(done.stdout)
    assert report["parsed"] == report["files"], report
    return seconds, processor_s() - used


def processor_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
    cores, workers = usable_cpus(), Settings().worker_count
    print(
        f"{platform.platform()}, {cores} cores, Python {platform.python_version()}, parser", end=" "
    )
    print(parser_in_use().name)
    with tempfile.TemporaryDirectory() as folder:
        small = make_mod(Path(folder, "few"), few)
        large = make_mod(Path(folder, "many"), options.files)
        run_s(small, workers=workers)
        walls, processors, parses = [], [], []
        for number in range(options.rounds):
            (short, short_cpu) = run_s(small, workers=workers)
            (long, long_cpu) = run_s(large, workers=workers)
            parse_ms = parse_s(large) / options.files * 1000
            per_file = 1000 / (options.files - few)
            walls.append((long - short) * cores * per_file - parse_ms)
            processors.append((long_cpu - short_cpu) * per_file - parse_ms)
            parses.append(parse_ms)
            print(
                f"round {number + 1}: {few:,} files {short:.2f} s, {options.files:,} files"
                f" {long:.2f} s; a file: parsing {parse_ms:.4f} ms, all else {walls[-1]:.4f} ms of"
                f" cores, {processors[-1]:.4f} ms of processor time"
            )
    wall, processor, parse = map(statistics.median, (walls, processors, parses))
    print(
        f"median: all else {wall:.4f} ms of cores, {processor:.4f} ms of processor time a file,"
        f" {processor / parse:.1f} times its parsing"
    )


if __name__ == "__main__":
    main()
