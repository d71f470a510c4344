"""Questions to the index: `python benchmarks/index_commands.py [--quick]`.

From command to prompt, with nothing changed, in a warm file cache: a mod of a thousand files, and a
whole playset, as `benchmarks/index.py` makes them. The baseline only imports click.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter

from index import make_playset
from peers import files_of, warm
from playset import FILES, MEGABYTES
from result import Result, Row, run_alone

MOD_FILES = 1_000
MOD_MEGABYTES = 7.0
TO_REACH_MS = {
    (MOD_FILES, "find"): 150,
    (MOD_FILES, "uses"): 150,
    (FILES, "find"): 1_500,
    (FILES, "uses"): 1_500,
    (FILES, "conflicts"): 2_000,
}
REPEATED = "NAME"
"""Stands for a name that several files define."""
QUESTIONS = {
    "find": ["find", REPEATED],
    "uses": ["uses", REPEATED],
    "conflicts": ["conflicts", "--json"],
    "diff": ["diff", REPEATED],
    "find, a name that does not exist": ["find", "thing_of_the_playset_seven"],
}
WATCHED_MS = 50
"""To reach while `run --watch` runs."""

_WITH_BYTECODE = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
"""An installed package has its bytecode. To compile its modules each time takes 90 ms more."""

BASELINE = "python -c 'import click'"


def limit_of(files: int, name: str) -> int | None:
    return WATCHED_MS if "--watch" in name else TO_REACH_MS.get((files, name))


def asked(question: Sequence[str], store: Path) -> list[str]:
    """Return the arguments of a question."""
    with closing(sqlite3.connect(store)) as db:
        (name,) = db.execute("SELECT name FROM conflicts LIMIT 1").fetchone()
    words = [name if word == REPEATED else word for word in question]
    return ["-m", "ck3parse", *words, "--store", str(store)]


def seconds_of(*args: str) -> float:
    began = perf_counter()
    subprocess.run(
        [sys.executable, *args],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        env=_WITH_BYTECODE,
    )
    return perf_counter() - began


@contextmanager
def watching(command: Sequence[str]) -> Iterator[None]:
    """Let `run --watch` run."""
    with subprocess.Popen(
        [*command, "--watch"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        while b"watching for changes" not in process.stderr.readline():
            assert process.poll() is None
        try:
            yield
        finally:
            process.terminate()


def measure_one(files: int, megabytes: float, rounds: int, folder: Path) -> Result:
    playset = folder / f"playset_{files}"
    make_playset(playset, files, megabytes)
    warm(files_of(playset))
    store = folder / f"{files}.sqlite"
    sources = sorted(map(str, playset.iterdir()))
    command = [sys.executable, "-m", "ck3parse", "run", *sources, "--out", str(store)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    questions = {name: asked(question, store) for name, question in QUESTIONS.items()}
    taken: dict[str, list[float]] = {name: [] for name in (BASELINE, *QUESTIONS)}
    for _ in range(rounds):
        taken[BASELINE].append(seconds_of("-c", "import click"))
        for name, question in questions.items():
            taken[name].append(seconds_of(*question))
    with watching(command):
        for name in ("find", "uses"):
            taken[f"{name}, while run --watch runs"] = [
                seconds_of(*questions[name]) for _ in range(rounds)
            ]
    ms = {name: statistics.median(values) * 1000 for name, values in taken.items()}
    rows = [
        Row(
            name,
            value,
            "ms",
            value / ms[BASELINE],
            f"to reach: {limit} ms" if (limit := limit_of(files, name)) else "",
        )
        for name, value in ms.items()
    ]
    about = (
        f"{files:,} files, nothing changed, from command to prompt; medians of {rounds} rounds in"
        f" turns. The ratio is to {BASELINE}."
    )
    return Result(f"Questions to an index of {files:,} files", about, rows)


def measure(*, quick: bool) -> list[Result]:
    rounds = 3 if quick else 21
    with tempfile.TemporaryDirectory() as folder:
        results = [measure_one(MOD_FILES, MOD_MEGABYTES, rounds, Path(folder))]
        if not quick:
            results.append(measure_one(FILES, MEGABYTES, rounds, Path(folder)))
        return results


if __name__ == "__main__":
    run_alone(__doc__, measure)
