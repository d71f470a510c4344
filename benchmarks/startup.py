"""Start-up time and short runs: `python benchmarks/startup.py [--quick]`.

Starts fresh interpreters in turns; the baseline only imports click. Then it measures runs that
mostly consist of starting: of ten files, and of a mod of a thousand files with its own broker, with
the broker of `ck3parse serve`, and with nothing changed.
"""

import json
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from peers import files_of, warm
from playset import make_playset
from result import Result, Row, run_alone

BASELINE = "python -c 'import click'"
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    BASELINE: ("-c", "import click"),
    "import ck3parse": ("-c", "import ck3parse"),
    "ck3parse --version": ("-m", "ck3parse", "--version"),
    "ck3parse --help": ("-m", "ck3parse", "--help"),
}
FEW = 10
MOD_FILES = 1_000
MOD_MEGABYTES = 7.0
"""The size of a typical mod: elder-kings-ck3 has 984 script files of 6.9 MB."""


def seconds_of(*args: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began


def run_s(mod: Path, out: Path, *args: str) -> float:
    return seconds_of(
        "-m", "ck3parse", "run", str(mod), "--no-index", "--json", "--out", str(out), *args
    )


@contextmanager
def served(mod: Path) -> Iterator[str]:
    """Keep a broker and a worker running, and yield the URL."""
    command = [sys.executable, "-m", "ck3parse", "serve", str(mod), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as serve:
        try:
            assert serve.stdout
            yield json.loads(serve.stdout.readline())["broker_url"]
        finally:
            serve.send_signal(signal.SIGTERM)


def measure_commands(rounds: int) -> Result:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, args in COMMANDS.items():
            taken[name].append(seconds_of(*args))
    ms = {name: statistics.median(values) * 1000 for name, values in taken.items()}
    rows = [Row(name, value, "ms", value / ms[BASELINE]) for name, value in ms.items()]
    about = f"Fresh processes, medians of {rounds} rounds in turns. The ratio is to {BASELINE}."
    return Result("Starting", about, rows)


def measure_runs(rounds: int, folder: Path) -> Result:
    few, mod = folder / "few", folder / "mod"
    few.mkdir()
    for number in range(FEW):
        (few / f"f{number}.txt").write_text(f"key_{number} = {{ a = {number} }}\n")
    make_playset(mod, MOD_FILES, MOD_MEGABYTES)
    warm(files_of(mod))
    ten, own, with_served, again = [], [], [], []
    with served(mod) as url:
        for number in range(rounds):
            ten.append(run_s(few, folder / f"ten_{number}.sqlite"))
            own.append(run_s(mod, folder / f"own_{number}.sqlite"))
            out = folder / f"served_{number}.sqlite"
            with_served.append(run_s(mod, out, "--broker", url))
            again.append(run_s(mod, out, "--broker", url))
    ten_s, own_s, served_s, again_s = map(statistics.median, (ten, own, with_served, again))
    about = (
        f"`ck3parse run` from command to prompt, medians of {rounds} rounds in turns; the mod has"
        f" {MOD_FILES:,} files and {MOD_MEGABYTES:g} MB. The ratio is to the run of the mod"
        " with its own broker."
    )
    rows = [
        Row(f"{FEW} files", ten_s, "s", ten_s / own_s, "to reach: 1 s"),
        Row("a mod", own_s, "s", 1.0, "baseline"),
        Row("a mod, `serve` running", served_s, "s", served_s / own_s, "to reach: 0.4 s"),
        Row("a mod, nothing changed", again_s, "s", again_s / own_s),
    ]
    return Result("Short runs", about, rows)


def measure(*, quick: bool) -> list[Result]:
    rounds = 3 if quick else 21
    with tempfile.TemporaryDirectory() as folder:
        return [measure_commands(rounds), measure_runs(rounds, Path(folder))]


if __name__ == "__main__":
    run_alone(__doc__, measure)
