"""Time over files and over cores: `python benchmarks/scale.py [--quick]`.

Runs the pipeline on playsets with the same distribution of file sizes and more and more files, and
on one of them with one worker process, two, and so on.
"""

import math
import statistics
import tempfile
from pathlib import Path

from ck3parse.bench.plot import Line, line_chart
from ck3parse.bench.runs import Task
from ck3parse.bench.runs import measure as measure_way
from ck3parse.config import Settings
from peers import files_of, warm
from playset import make_playset
from result import Result, Row, run_alone

MB_A_FILE = 0.0187


def work_s(playset: Path, workers: int, rounds: int) -> float:
    """Return the median seconds of some rounds, without the start of broker and worker."""
    task = Task("pipeline", [str(playset)], workers)
    return statistics.median(measure_way(task).work_s for _ in range(rounds))


def measure(*, quick: bool) -> list[Result]:
    sizes, rounds = ((100, 300), 1) if quick else ((1_000, 3_000, 10_000, 30_000, 100_000), 3)
    most = Settings().worker_count
    taken: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in sizes:
            playset = Path(folder, str(count))
            make_playset(playset, count, count * MB_A_FILE)
            warm(files_of(playset))
            taken.append((count, work_s(playset, most, rounds)))
        middle = Path(folder, str(sizes[len(sizes) // 2]))
        by_workers = [
            (float(workers), work_s(middle, workers, rounds)) for workers in range(1, most + 1)
        ]
    return [_files(taken, most, rounds), _cores(by_workers, sizes[len(sizes) // 2], rounds)]


def _files(taken: list[tuple[float, float]], workers: int, rounds: int) -> Result:
    base = taken[0][1] / taken[0][0]
    rows = [
        Row(
            f"{count:,} files",
            seconds,
            "s",
            seconds / count / base,
            f"{count / seconds:,.0f} files/s",
        )
        for count, seconds in taken
    ]
    (few, short), (many, long) = taken[0], taken[-1]
    slope = math.log(long / short) / math.log(many / few)
    rows.append(Row("slope of time over files, both logarithmic", slope, "(1: linear)"))
    title = "Scale: time over files"
    about = (
        f"Playsets of 18.7 KB per file, {workers} worker processes, medians of {rounds} rounds,"
        " without the start of broker and worker. The ratio is the time per file to that in"
        " the smallest."
    )
    linear = [(count, base * count) for count, _ in taken]
    lines = [Line("measured", taken), Line("linear", linear)]
    return Result(title, about, rows, line_chart(title, lines, x="files", y="seconds"))


def _cores(taken: list[tuple[float, float]], files: int, rounds: int) -> Result:
    base = taken[0][1]
    return Result(
        "Scale: time over worker processes",
        f"A playset of {files:,} files, medians of {rounds} rounds; client and broker run"
        " beside the worker processes. The ratio is how many times as fast as with one.",
        [Row(f"{workers:g} worker processes", s, "s", base / s) for workers, s in taken],
    )


if __name__ == "__main__":
    run_alone(__doc__, measure)
