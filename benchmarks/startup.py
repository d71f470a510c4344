"""From nothing to something: `python benchmarks/startup.py [--quick]`.

Fresh interpreters in turns: the baseline imports click and nothing else.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from result import Result, Row, show

BASELINE = "python -c 'import click'"
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    BASELINE: ("-c", "import click"),
    "import ck3parse": ("-c", "import ck3parse"),
    "ck3parse --version": ("-m", "ck3parse", "--version"),
    "ck3parse --help": ("-m", "ck3parse", "--help"),
}
FEW = 10


def seconds_of(*args: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began


def measure(*, quick: bool) -> list[Result]:
    rounds = 3 if quick else 21
    with tempfile.TemporaryDirectory() as folder:
        mod = Path(folder, "mod")
        mod.mkdir()
        for number in range(FEW):
            (mod / f"f{number}.txt").write_text(f"key_{number} = {{ a = {number} }}\n")
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        runs = []
        for number in range(rounds):
            for name, args in COMMANDS.items():
                taken[name].append(seconds_of(*args))
            out = f"{folder}/{number}.sqlite"
            runs.append(seconds_of("-m", "ck3parse", "run", str(mod), "--json", "--out", out))
    ms = {name: statistics.median(values) * 1000 for name, values in taken.items()}
    rows = [Row(name, value, "ms", value / ms[BASELINE]) for name, value in ms.items()]
    rows.append(
        Row(
            f"ck3parse run on {FEW} files",
            statistics.median(runs) * 1000,
            "ms",
            note="to reach: 1 s",
        )
    )
    about = f"Fresh processes, medians of {rounds} rounds in turns. The ratio is to {BASELINE}."
    return [Result("Starting", about, rows)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    for result in measure(quick=options.parse_args().quick):
        show(result)


if __name__ == "__main__":
    main()
