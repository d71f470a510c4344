"""Shards of a playset: `python benchmarks/shards.py [--quick] [--files N]`.

Parses a synthetic playset in one run, then in two, four and eight shards, one after another, each
with all CPUs, as machines would do at the same time. Merges them, and compares what the store has.
"""

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter

from ck3parse.config.cpus import usable_cpus
from index import make_playset
from peers import files_of, warm
from playset import FILES, MEGABYTES
from result import Result, Row, run_alone

VIEWS = (
    "SELECT path, name, content_hash, state FROM files JOIN roots USING (root_id)",
    "SELECT content_hash, parse_ok, node_count, length(ast_blob) > 0 FROM asts",
    "SELECT name, kind, file, line, in_effect, read_order FROM definitions",
    "SELECT name, file FROM uses",
    "SELECT name, kind, winner_file, winner_line, loser_file, loser_line FROM conflicts",
)


def seconds(*args: str | Path) -> float:
    began = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ck3parse", *map(str, args)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return perf_counter() - began


def same(one: Path, other: Path) -> bool:
    """Return whether two stores have the same content, whatever the keys of its rows."""
    for view in VIEWS:
        rows = []
        for store in (one, other):
            with closing(sqlite3.connect(store)) as db:
                # A sum of hashes, as the rows of a playset need more memory than this machine has.
                rows.append(sum(hash(row) for row in db.execute(view)) & (1 << 64) - 1)
        if rows[0] != rows[1]:
            return False
    return True


def measure(*, quick: bool, count: int = FILES) -> list[Result]:
    count = 200 if quick else count
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_playset(folder / "playset", count, count * MEGABYTES / FILES)
        sources = sorted((folder / "playset").iterdir())
        warm(files_of(folder / "playset"))
        whole = folder / "whole.sqlite"
        whole_s = seconds("run", *sources, "--index", "--out", whole)
        rows = [Row("one run", whole_s, "s", 1.0)]
        for shards in (2, 4, 8):
            stores = [folder / f"{shards}-{number}.sqlite" for number in range(1, shards + 1)]
            taken = [
                seconds("run", *sources, "--index", "--shard", f"{number}/{shards}", "--out", store)
                for number, store in enumerate(stores, 1)
            ]
            merged = folder / f"{shards}.sqlite"
            merge_s = seconds("merge", *stores, "--out", merged)
            equal = "equal to one run" if same(whole, merged) else "DIFFERENT"
            rows += [
                Row(
                    f"the slowest of {shards} shards", max(taken), "s", max(taken) / whole_s,
                    f"the others {', '.join(f'{each:.2f}' for each in sorted(taken)[:-1])} s",
                ),
                Row(f"merging {shards} shards", merge_s, "s", merge_s / whole_s, equal),
            ]  # fmt: skip
            for store in (*stores, merged):
                store.unlink()
    about = f"{count:,} synthetic files, with index; {usable_cpus()} cores for each shard."
    return [Result(f"Shards: {count:,} files", about, rows)]


if __name__ == "__main__":
    run_alone(__doc__, measure, FILES)
