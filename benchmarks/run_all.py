"""Run every benchmark and write docs/performance.md: `python benchmarks/run_all.py [--quick]`.

It takes about an hour on a quiet machine. With --quick it takes a few minutes, and the figures mean
little. `--only NAME` runs some of the benchmarks and prints their results, without writing the
document. The plots need `pip install 'ck3parse[plot]'`.
"""

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from ck3parse.bench.machine import this_machine
from playset import make_playset
from result import Result, markdown, show

BENCHMARKS = Path(__file__).parent
DOCS = BENCHMARKS.parent / "docs"
OWN = (
    "playset_run",
    "scale",
    "broker",
    "latency",
    "store",
    "allocator",
    "startup",
    "index",
    "index_commands",
    "shards",
)
"""Modules with a `measure` that returns results."""
SCRIPTS = {
    "pipeline": ("The cost of a file beyond parsing", ["--files", "20000", "--rounds", "5"]),
    "parser": ("The parsers", ["{playset}"]),
    "limits": ("Lower bounds for the native parser", ["{playset}"]),
    "hostile": ("Hostile texts", ["{playset}"]),
    "recovery": ("Recovering from errors", ["{playset}"]),
    "bridge": ("The bridge", []),
    "qbuilder_build": ("qbuilder's build", []),
}
"""Scripts that print their results: titles and arguments."""
QUICK = {
    "pipeline": ["--files", "1000", "--rounds", "1"],
    "parser": ["{playset}", "--rounds", "1"],
    "limits": ["{playset}", "--rounds", "1"],
    "hostile": ["{playset}", "--rounds", "1", "--size", "0.2"],
    "bridge": ["--files", "100", "--bulk", "500", "--rounds", "1"],
    "qbuilder_build": ["--files", "200", "--megabytes", "4", "--rounds", "1"],
}
INTRODUCTION = """\
# Performance

Written by `python benchmarks/run_all.py{flags}`, which measured everything below in {minutes}
minutes. `python benchmarks/NAME.py` runs a single benchmark. Every ratio is to a baseline of the
same run, so a slow moment of the machine affects both.

{machine}

{date}
"""


def own(name: str, *, quick: bool) -> list[Result]:
    """Run a benchmark that returns its results, and print them."""
    results: list[Result] = importlib.import_module(name).measure(quick=quick)
    for result in results:
        show(result)
    return results


def script(name: str, playset: Path, *, quick: bool) -> str:
    """Run a benchmark that prints, and return its section."""
    title, arguments = SCRIPTS[name]
    if quick:
        arguments = QUICK.get(name, arguments)
    command = [part.format(playset=playset) for part in arguments]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), *command],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    print(done.stdout)
    failed = f"\nIt ended with exit code {done.returncode}.\n" if done.returncode else ""
    return f"## {title}\n\n```text\n{done.stdout.strip()}\n```\n{failed}"


def sections_of(results: Sequence[Result], plots: Path) -> list[str]:
    """Write the plots of results, and return their sections."""
    sections = []
    for result in results:
        path = ""
        if result.plot:
            file = plots / (re.sub(r"\W+", "_", result.title.lower()).strip("_") + ".svg")
            file.write_text(result.plot, encoding="utf-8")
            path = f"{plots.name}/{file.name}"
        sections.append(markdown(result, path))
    return sections


def main() -> None:
    """Run all or some benchmarks."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="use small sizes and one round")
    options.add_argument("--only", nargs="+", metavar="NAME", choices=[*OWN, *SCRIPTS])
    options.add_argument("--docs", type=Path, default=DOCS, help="folder to write")
    given = options.parse_args()
    machine, date = this_machine(), datetime.now(UTC)
    print(machine)
    began = perf_counter()
    plots: Path = given.docs / "performance"
    sections: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        playset = Path(folder, "playset")
        make_playset(playset, 100 if given.quick else 1_000, 2 if given.quick else 18.7)
        if not given.only:
            plots.mkdir(parents=True, exist_ok=True)
        for name in given.only or [*OWN, *SCRIPTS]:
            if name in OWN:
                results = own(name, quick=given.quick)
                sections += [] if given.only else sections_of(results, plots)
            elif (BENCHMARKS / f"{name}.py").exists():
                sections.append(script(name, playset, quick=given.quick))
    if not given.only:
        head = INTRODUCTION.format(
            flags=" --quick" if given.quick else "",
            minutes=max(1, round((perf_counter() - began) / 60)),
            machine=str(machine).replace("\n", "  \n"),
            date=f"{date:%Y-%m-%d %H:%M} UTC.",
        )
        target = given.docs / "performance.md"
        target.write_text("\n".join([head, *sections]), encoding="utf-8")
        print(f"written: {target}")


if __name__ == "__main__":
    main()
