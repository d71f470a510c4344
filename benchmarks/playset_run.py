"""End to end on whole playsets: `python benchmarks/playset_run.py [--quick]`.

Runs `ck3parse run --no-index` as a user does, on synthetic playsets in a warm file cache, and
measures the time from command to prompt, and processor time and peak memory of client, worker
processes and broker. Baselines in the same rounds are only parsing and compressing on all cores,
and a plain process pool. Then the run is repeated with nothing changed, and with one file changed.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ck3parse.bench.plot import Bar, Panel, bar_chart
from ck3parse.bench.processes import Ran, Use, run_watched
from ck3parse.config import Settings
from ck3parse.config.cpus import usable_cpus
from peers import files_of, floor_s, pool_s, warm
from playset import FILES, MEGABYTES, make_playset
from result import Result, Row, run_alone

KINDS = ("client", "children", "broker", "worker", "supervisor")
TO_REACH_S = {25_000: 6.0, FILES: 20.0}


def run(playset: Path, out: Path) -> Ran:
    command = [
        sys.executable,
        "-m",
        "ck3parse",
        "run",
        str(playset),
        "--no-index",
        "--json",
        "--out",
        str(out),
    ]
    ran = run_watched(command)
    assert ran.code == 0, ran.err
    return ran


def measure_one(count: int, rounds: int, folder: Path) -> Result:
    cores = usable_cpus()
    playset = folder / f"playset_{count}"
    make_playset(playset, count, count * MEGABYTES / FILES)
    files = files_of(playset)
    warm(files)
    floors, pools, runs, again, changed = [], [], [], [], []
    for number in range(rounds):
        floors.append(floor_s(files, cores))
        pools.append(pool_s(files, cores))
        out = folder / f"{count}_{number}.sqlite"
        runs.append(run(playset, out))
        assert json.loads(runs[-1].out)["parsed"] == count
        again.append(run(playset, out))
        Path(files[count // 2]).write_text(f"changed = {number}\n")
        changed.append(run(playset, out))
        assert json.loads(changed[-1].out)["parsed"] == 1
        for left in folder.glob(f"{count}_{number}.sqlite*"):
            left.unlink()
    floor, pool = statistics.median(floors), statistics.median(pools)
    wall = _median(runs, lambda ran: ran.seconds)
    limit = TO_REACH_S.get(count)
    rows = [
        Row("parse + zstd alone, all cores", floor, "s", 1.0, "baseline"),
        Row("process pool: read, hash, parse, compress", pool, "s", pool / floor),
        Row(
            "ck3parse run, from command to prompt", wall, "s", wall / floor,
            f"{wall / pool:.2f} of the pool" + (f"; to reach: {limit:g} s" if limit else ""),
        ),
        Row("run again, nothing changed", _median(again, lambda ran: ran.seconds), "s"),
        Row("run again, one file changed", _median(changed, lambda ran: ran.seconds), "s"),
    ]  # fmt: skip
    for kind in KINDS:
        cpu = statistics.median(ran.uses.get(kind, Use()).cpu_s for ran in runs)
        rows.append(Row(f"processor time: {kind}", cpu, "s", cpu / (floor * cores)))
    for kind in KINDS:
        peak = max(ran.uses.get(kind, Use()).peak_mb for ran in runs)
        rows.append(Row(f"peak memory: {kind}", peak, "MB", note="of the largest process"))
    size = sum(map(os.path.getsize, files)) / 1e6
    about = (
        f"{count:,} synthetic files, {size:,.0f} MB, warm file cache, {cores} cores; the"
        f" run has {Settings().worker_count} worker processes, the pool {cores};"
        f" medians of {rounds} rounds in turns. The ratios of seconds are to parsing and"
        " compressing alone, those of processor time to that of all cores in it."
    )
    title = f"End to end: {count:,} files"
    seconds = [Bar(row.what, row.value, f"{row.value:.2f}", 0) for row in rows[:5]]
    cpus = [
        Bar(row.what.partition(": ")[2], row.value, f"{row.value:.2f}", 1)
        for row in rows
        if row.what.startswith("processor")
    ]
    plot = bar_chart(title, [Panel("seconds", seconds), Panel("processor seconds", cpus)])
    return Result(title, about, rows, plot)


def _median(runs: list[Ran], of: Callable[[Ran], float]) -> float:
    return statistics.median(map(of, runs))


def measure(*, quick: bool) -> list[Result]:
    sizes, rounds = ((200,), 1) if quick else ((25_000, FILES), 3)
    with tempfile.TemporaryDirectory() as folder:
        return [measure_one(count, rounds, Path(folder)) for count in sizes]


if __name__ == "__main__":
    run_alone(__doc__, measure)
