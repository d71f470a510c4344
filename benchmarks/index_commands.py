"""Questions to the index: `python benchmarks/index_commands.py [--quick]`.

From command to prompt, with nothing changed, in a warm file cache: a mod of a thousand files and a
playset of 92,000 with 1.3 million definitions, whose names repeat as those of real mods do. The
baseline only imports click.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from peers import files_of, warm
from result import Result, Row, show

FOLDERS = {
    "traits": "trait",
    "decisions": "decision",
    "scripted_effects": "effect",
    "scripted_triggers": "trigger",
    "buildings": "building",
    "character_interactions": "interaction",
    "modifiers": "modifier",
    "script_values": "value",
}
MODS = 12
A_FILE = 14
"""Definitions in a file: 1.3 million in 92,000 files."""
REPEATED = 0.06
"""The share of definitions whose name another one has."""
FILES, MOD_FILES = 92_000, 1_000
TO_REACH_MS = {
    (MOD_FILES, "find"): 150,
    (MOD_FILES, "uses"): 150,
    (FILES, "find"): 1_500,
    (FILES, "uses"): 1_500,
    (FILES, "conflicts"): 2_000,
}
QUESTIONS = {
    "find": ["find", "trait_7"],
    "uses": ["uses", "trait_7"],
    "conflicts": ["conflicts", "--json"],
    "diff": ["diff", "trait_7"],
    "find, a name that does not exist": ["find", "trait_seven"],
}
BASELINE = "python -c 'import click'"


def make_mods(folder: Path, files: int) -> list[Path]:
    """Write a playset, and return its mods in load order.

    Args:
        folder: where to.
        files: how many, roughly.
    """
    source = random.Random(1066)
    mods = [folder / f"mod_{number:02}" for number in range(MODS)]
    defined = 7
    for mod in mods:
        for name, prefix in FOLDERS.items():
            place = mod / "common" / name
            place.mkdir(parents=True)
            for number in range(files // MODS // len(FOLDERS)):
                lines = []
                for _ in range(A_FILE):
                    defined += 1
                    own = source.randrange(7, defined) if source.random() < REPEATED else defined
                    used = source.randrange(7, defined)
                    lines.append(
                        f"{prefix}_{own} = {{ value = {source.randrange(9)} has_trait ="
                        f" trait_{used} }}\n"
                    )
                if name == "traits" and not number:
                    lines.append(f"trait_7 = {{ value = {mod.name} }}\n")
                path = place / f"{mod.name}_{number:04}.txt"
                path.write_text("".join(lines), encoding="utf-8")
    return mods


def seconds_of(*args: str) -> float:
    began = perf_counter()
    subprocess.run(
        [sys.executable, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return perf_counter() - began


def measure_one(files: int, rounds: int, folder: Path) -> Result:
    mods = make_mods(folder / f"playset_{files}", files)
    warm(files_of(folder / f"playset_{files}"))
    store = folder / f"{files}.sqlite"
    command = ["-m", "ck3parse", "run", "--index", *map(str, mods), "--out", str(store)]
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    taken: dict[str, list[float]] = {name: [] for name in (BASELINE, *QUESTIONS)}
    for _ in range(rounds):
        taken[BASELINE].append(seconds_of("-c", "import click"))
        for name, question in QUESTIONS.items():
            taken[name].append(seconds_of("-m", "ck3parse", *question, "--store", str(store)))
    ms = {name: statistics.median(values) * 1000 for name, values in taken.items()}
    rows = [
        Row(
            name,
            value,
            "ms",
            value / ms[BASELINE],
            f"to reach: {limit} ms" if (limit := TO_REACH_MS.get((files, name))) else "",
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
        counts = (MOD_FILES,) if quick else (MOD_FILES, FILES)
        return [measure_one(files, rounds, Path(folder)) for files in counts]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    for result in measure(quick=options.parse_args().quick):
        show(result)


if __name__ == "__main__":
    main()
