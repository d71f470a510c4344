"""The speed of the store: `python benchmarks/store.py [--quick]`.

Writes batches of results with `Store.record`, and in turns into plain tables with the same columns
with `executemany`, which is the lowest possible cost of a transaction per batch.
"""

import random
import sqlite3
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store import PAGE_BYTES, Store
from result import Result, Row, run_alone

BATCH = 256
BLOB_BYTES = 1_300
Outcomes = list[tuple[Found, ParseResult]]


def made_up(files: int) -> list[Outcomes]:
    source = random.Random(867)
    outcomes = [
        (
            Found("/mods", f"common/f{number:06}.txt", 18_700, 1),
            ParseResult(
                str(number), f"/mods/common/f{number:06}.txt", True, source.randbytes(BLOB_BYTES),
                700, content_hash=source.randbytes(32).hex(), size=18_700,
            ),
        )
        for number in range(files)
    ]  # fmt: skip
    return [outcomes[start : start + BATCH] for start in range(0, files, BATCH)]


def store_s(batches: Sequence[Outcomes], folder: Path) -> float:
    with Store(folder / "store.sqlite", "bench") as store:
        began = perf_counter()
        for batch in batches:
            store.record(batch)
        return perf_counter() - began


def plain_s(batches: Sequence[Outcomes], folder: Path) -> float:
    db = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    db.execute("CREATE TABLE files (root_id, name, size, mtime_ns, content_hash, state)")
    db.execute("CREATE TABLE asts (content_hash, ast_blob, parse_ok, node_count)")
    began = perf_counter()
    for batch in batches:
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT INTO files VALUES (1, ?, ?, ?, ?, 'parsed')",
            [(f.name, f.size, f.mtime_ns, r.content_hash) for f, r in batch],
        )
        db.executemany(
            "INSERT INTO asts VALUES (?, ?, ?, ?)",
            [(r.content_hash, r.ast, r.ok, r.node_count) for _, r in batch],
        )
        db.execute("COMMIT")
    seconds = perf_counter() - began
    db.close()
    return seconds


def measure(*, quick: bool) -> list[Result]:
    batches = made_up(2_000 if quick else 40_000)
    files = sum(map(len, batches))
    taken: dict[str, list[float]] = {"plain": [], "store": []}
    for _ in range(2 if quick else 5):
        for name, way in (("plain", plain_s), ("store", store_s)):
            with tempfile.TemporaryDirectory() as folder:
                taken[name].append(way(batches, Path(folder)))
    plain, store = (statistics.median(taken[name]) for name in ("plain", "store"))
    about = (
        f"{files:,} results in batches of {BATCH}, each with an AST of {BLOB_BYTES:,} bytes;"
        f" medians of {len(taken['plain'])} rounds in turns. The baseline has no keys or indexes."
    )
    return [
        Result(
            "Store: results a second",
            about,
            [
                Row("plain executemany, a transaction per batch", files / plain, "results/s", 1.0),
                Row("Store.record", files / store, "results/s", plain / store),
                Row("Store.record, per result", store / files * 1000, "ms"),
            ],
        )
    ]


if __name__ == "__main__":
    run_alone(__doc__, measure)
