"""The index: `python benchmarks/index.py [--quick]`.

Runs `ck3parse run` with and without the index in turns on a synthetic playset, and asks the views.
Files are in the folders of a game and of mods. Of ten definitions, nine have names of their own,
and one has a name that others may have, too. Used names repeat as those of the example mod do.
"""

import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter

from ck3parse.bench.processes import Ran, run_watched
from ck3parse.config.cpus import usable_cpus
from peers import files_of, warm
from playset import FILES, MEGABYTES, pieces, size_of
from result import Result, Row, run_alone

FOLDERS = (
    "common/traits", "common/scripted_effects", "common/scripted_triggers", "common/decisions",
    "common/buildings", "common/character_interactions", "common/culture/traditions", "events",
    "events/mod_events", "history/characters", "common/on_action", "common/script_values",
)  # fmt: skip
FILES_PER_SOURCE = 8_000
REPEATED = 0.1
"""Share of definitions whose name others have, too."""
PIECES_OF_A_FILE = 15
"""Pieces of script that a file is made of: they give it the 100 to 200 names that real ones use."""
BYTES_OF_A_DEFINITION = 900
"""A playset of 87,000 files and 1.2 GB has 1.3 million definitions."""
MOST_RATIO, MOST_CONFLICTS_S, MOST_SHARE, MOST_MB = 1.35, 2.0, 0.25, 300.0


def make_playset(folder: Path, files: int, megabytes: float) -> None:
    """Write a playset of a game and mods into a folder."""
    source = random.Random(867)
    pool = pieces(source, 400)
    shared = 2 * files
    shares = [(number + 0.5) / files for number in range(files)]
    scale = megabytes * 1e6 / sum(map(size_of, shares))
    source.shuffle(shares)
    for number, share in enumerate(shares):
        mod = "game" if number < FILES_PER_SOURCE else f"mod_{number // FILES_PER_SOURCE:02}"
        place = folder / mod / FOLDERS[number % len(FOLDERS)]
        place.mkdir(parents=True, exist_ok=True)
        count = 0

        wanted = size_of(share) * scale
        text = [f"playset_{number} = {{ number = {number} }}\n"]
        length = len(text[0])
        topic = source.sample(pool, PIECES_OF_A_FILE)
        while length < wanted:
            parts: list[str] = []
            while sum(map(len, parts)) < BYTES_OF_A_DEFINITION:
                parts.append(source.choice(topic))
            if sum(map(len, parts)) > wanted - length:
                parts = ["\tadd_gold = 10\n" * (int(wanted - length) // 15)]
            count += 1
            name = f"{number}_{count}" if source.random() > REPEATED else source.randrange(shared)
            text.append(f"thing_of_the_playset_{name} = {{\n{''.join(parts)}}}\n")
            length += len(text[-1])
        (place / f"file_{number:06}.txt").write_text("".join(text), encoding="utf-8")


def run(sources: list[Path], out: Path, *options: str) -> Ran:
    command = [sys.executable, "-m", "ck3parse", "run", *map(str, sources), "--json"]
    ran = run_watched([*command, "--out", str(out), *options])
    assert ran.code == 0, ran.err
    return ran


def view_s(store: Path, query: str) -> tuple[float, int]:
    with closing(sqlite3.connect(store)) as db:
        began = perf_counter()
        rows = len(db.execute(query).fetchall())
        return perf_counter() - began, rows


def measure_one(count: int, rounds: int, folder: Path) -> Result:
    playset = folder / "playset"
    make_playset(playset, count, count * MEGABYTES / FILES)
    sources = sorted(playset.iterdir())
    warm(files_of(playset))
    plain: list[float] = []
    indexed: list[float] = []
    plain_cpu: list[float] = []
    indexed_cpu: list[float] = []
    again: list[float] = []
    peak_mb = 0.0
    stores = {name: folder / f"{name}.sqlite" for name in ("plain", "index")}
    for _ in range(rounds):
        for store in stores.values():
            store.unlink(missing_ok=True)
        ran = run(sources, stores["plain"], "--no-index")
        plain.append(ran.seconds)
        plain_cpu.append(sum(use.cpu_s for use in ran.uses.values()))
        ran = run(sources, stores["index"], "--index")
        indexed.append(ran.seconds)
        indexed_cpu.append(sum(use.cpu_s for use in ran.uses.values()))
        peak_mb = max([peak_mb, *(use.peak_mb for use in ran.uses.values())])
        again.append(run(sources, stores["index"], "--index").seconds)
    size, whole = (store.stat().st_size for store in stores.values())
    ratio, cpu_ratio = (
        statistics.median(with_index / without for with_index, without in zip(*pair, strict=True))
        for pair in ((indexed, plain), (indexed_cpu, plain_cpu))
    )
    conflicts_s, conflicts = view_s(stores["index"], "SELECT * FROM conflicts")
    name = "SELECT * FROM winners WHERE name = 'playset_7'"
    winner_s, _ = view_s(stores["index"], name)
    with closing(sqlite3.connect(stores["index"])) as db:
        definitions = db.execute("SELECT count(*) FROM definition_rows").fetchone()[0]
    rows = [
        Row("run without index", statistics.median(plain), "s", 1.0),
        Row(
            "run with index", statistics.median(indexed), "s", ratio,
            f"median of ratios in turns; to reach: {MOST_RATIO:g}",
        ),
        Row(
            "processor time with index", statistics.median(indexed_cpu), "s", cpu_ratio,
            "of all processes; the ratio is to the run without index",
        ),
        Row("run with index again, nothing changed", statistics.median(again), "s"),
        Row("store without index", size / 1e6, "MB"),
        Row(
            "index", (whole - size) / 1e6, "MB", (whole - size) / whole,
            f"of the store; to reach: {MOST_SHARE:g}",
        ),
        Row("peak memory of a process", peak_mb, "MB", note=f"to reach: {MOST_MB:g} MB"),
        Row(
            "view conflicts", conflicts_s, "s",
            note=f"{conflicts:,} rows; to reach: {MOST_CONFLICTS_S:g} s",
        ),
        Row("view winners, one name", winner_s * 1000, "ms"),
    ]  # fmt: skip
    about = (
        f"{count:,} synthetic files in {len(sources)} sources, with {definitions:,} definitions;"
        f" {usable_cpus()} cores; {rounds} rounds in turns."
    )
    shutil.rmtree(playset)
    return Result(f"Index: {count:,} files", about, rows)


def measure(*, quick: bool, count: int = FILES) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        return [measure_one(200 if quick else count, 1 if quick else 3, Path(folder))]


if __name__ == "__main__":
    run_alone(__doc__, measure, FILES)
