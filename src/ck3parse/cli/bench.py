"""`ck3parse bench`: compares a subprocess per file, a single process and the pipeline."""

import os
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table

from ck3parse.bench.machine import Machine, this_machine
from ck3parse.bench.percentiles import Percentiles, median_of
from ck3parse.bench.plot import Bar, Panel, bar_chart, is_available
from ck3parse.bench.processes import Use
from ck3parse.bench.runs import Round, Task, Way, measure, sample_of
from ck3parse.cli import streams
from ck3parse.config import MOST_WORKERS, read_settings
from ck3parse.errors import OutputError, UsageError
from ck3parse.files.walk import Found, walk
from ck3parse.plurals import counted

PROJECTED = (25_000, 92_000)
"""Number of files in a large mod list, and in the game with a full playset."""

FEW = 1_000
"""With fewer files, the pipeline spends most of its time on the first batches."""

_WAYS: tuple[Way, ...] = ("subprocess", "serial", "pipeline")
_TITLES = {
    "subprocess": "subprocess per file",
    "serial": "one process",
    "pipeline": "pipeline",
}


class Figures(msgspec.Struct):
    """The figures of one way: medians over the rounds, and the largest memory of any.

    Attributes:
        way: `subprocess`, `serial` or `pipeline`.
        files: number of files measured.
        megabytes: their total size, in units of 10^6 bytes.
        failed: number of files without an AST.
        twins: number of files with the content of another, which the pipeline parses once.
        seconds: from start to end of the process.
        start_s: the part of it that does not grow with the number of files.
        files_per_s: files per second of the rest.
        megabytes_per_s: megabytes per second of the rest.
        file_ms: milliseconds of single files, as described in `Round`.
        peak_mb: the largest memory of one process, by kind: `client`, `children` (those that
            parse, if the client does not), and of the pipeline `broker`, `worker` (its main
            process) and `supervisor`.
        projected_s: estimated seconds, by number of files like these.
        times_faster: speed relative to a subprocess per file, without the start.
    """

    way: Way
    files: int
    megabytes: float
    failed: int
    twins: int
    seconds: float
    start_s: float
    files_per_s: float
    megabytes_per_s: float
    file_ms: Percentiles
    peak_mb: dict[str, float]
    projected_s: dict[int, float]
    times_faster: float = 1.0


class Bench(msgspec.Struct):
    """Everything that `bench` reports.

    Attributes:
        machine: the machine measured on.
        date: date and time in UTC.
        files: number of files under the paths.
        megabytes: their total size, in units of 10^6 bytes.
        sample: number of files parsed by a subprocess each.
        rounds: number of rounds counted, after a first one that is not.
        workers: number of worker processes of the pipeline.
        ways: the figures of each way.
    """

    machine: Machine
    date: str
    files: int
    megabytes: float
    sample: int
    rounds: int
    workers: int
    ways: list[Figures]


@click.command(
    name="bench",
    epilog="""\b
Examples:
  ck3parse bench ~/mods/my_mod
  ck3parse bench ~/mods/my_mod --rounds 5 --plot bench.svg
  ck3parse bench game/ mods/* --sample 100 --json

\b
How it measures: the ways take turns, each in a fresh process. A first round fills the
file cache and is not counted. Figures are medians over the other rounds. A subprocess
per file is measured on a sample with the same distribution of sizes. The pipeline uses
its own embedded broker, worker and store in the temporary folder. Its start is shown
separately, and is included in the projected times.

\b
Exit codes: 0 measured, 2 wrong usage, 3 the broker or the worker cannot be started,
4 the output cannot be written, 141 the program that reads the output is gone.""",
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--rounds",
    metavar="N",
    default=3,
    show_default=True,
    type=click.IntRange(1, 1_000),
    help="Number of rounds, after a first one that is not counted.",
)
@click.option(
    "--sample",
    metavar="N",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Number of files to start a subprocess for. All of them would take hours.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, MOST_WORKERS),
    help="Number of worker processes.  [default: one per CPU, and one more]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option(
    "--plot",
    metavar="FILE.svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also draw the figures, as SVG. Needs `pip install 'ck3parse[plot]'`.",
)
def command(
    paths: Sequence[str],
    rounds: int,
    sample: int,
    workers: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Compare three ways to parse the script files under PATH... on this machine.

    The ways are a subprocess per file, a single process that parses one file after the other, and
    the pipeline of `ck3parse run --no-index`. Results are discarded.
    """
    if plot and plot.suffix.lower() != ".svg":
        raise UsageError(f"--plot writes SVG: choose a name that ends in .svg, not {plot.name}")
    if plot and not is_available():
        raise UsageError("--plot needs matplotlib: install ck3parse[plot]")
    if plot and not os.path.isdir(plot.parent):
        raise UsageError(f"{plot} cannot be written: create the folder {plot.parent} first")
    found = [entry for entry in walk(paths) if isinstance(entry, Found)]
    if not found:
        raise UsageError("there are no script files under the given paths")
    bench = _measured(
        paths, found, rounds, sample, read_settings().given(workers=workers).worker_count
    )
    if plot:
        try:
            plot.write_text(_plot(bench), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{plot} cannot be written: {error.strerror}") from error
    if as_json:
        streams.write_json(msgspec.to_builtins(bench) | {"broker_url": None})
    else:
        _print(bench)


def _measured(
    paths: Sequence[str], found: Sequence[Found], rounds: int, sample: int, workers: int
) -> Bench:
    machine = this_machine()
    some = sample_of([(entry.path, entry.size) for entry in found], sample)
    # A few subprocesses are enough to warm up that way.
    tasks = {
        "subprocess": Task("subprocess", some),
        "serial": Task("serial", [entry.path for entry in found]),
        "pipeline": Task("pipeline", list(paths), workers),
    }
    taken: dict[Way, list[Round]] = {way: [] for way in _WAYS}
    for number in range(rounds + 1):
        for way in _WAYS:
            stage = f"round {number} of {rounds}" if number else "warming up"
            streams.note(f"{stage}: {_TITLES[way]}")
            if number:
                taken[way].append(measure(tasks[way]))
            elif way == "subprocess":
                measure(Task(way, some[:3]))
            else:
                measure(tasks[way])
    figures = [_figures(way, taken[way]) for way in _WAYS]
    for one in figures:
        one.times_faster = one.files_per_s / figures[0].files_per_s
    return Bench(
        machine=machine,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        files=len(found),
        megabytes=sum(entry.size for entry in found) / 1e6,
        sample=len(some),
        rounds=rounds,
        workers=workers,
        ways=figures,
    )


def _figures(way: Way, taken: Sequence[Round]) -> Figures:
    def median(figure: Callable[[Round], float]) -> float:
        return statistics.median(map(figure, taken))

    one = taken[0]
    work_s = median(lambda each: each.work_s)
    # The start of a subprocess is part of the time of its file.
    start_s = 0.0 if way == "subprocess" else median(lambda each: each.seconds - each.work_s)
    kinds = {kind for each in taken for kind in each.uses}
    return Figures(
        way=way,
        files=one.files,
        megabytes=one.size / 1e6,
        failed=one.failed,
        twins=one.twins,
        seconds=median(lambda each: each.seconds),
        start_s=start_s,
        files_per_s=one.files / work_s,
        megabytes_per_s=one.size / work_s / 1e6,
        file_ms=median_of(each.file_ms for each in taken),
        peak_mb={
            kind: max(each.uses.get(kind, Use()).peak_mb for each in taken)
            for kind in sorted(kinds)
        },
        projected_s={files: start_s + files * work_s / one.files for files in PROJECTED},
    )


def _print(bench: Bench) -> None:
    console = streams.console()
    console.print(f"{bench.machine}\n", highlight=False, soft_wrap=True)
    table = Table()
    table.add_column(f"{counted(bench.files, 'file')}, {bench.megabytes:,.1f} MB")
    for one in bench.ways:
        table.add_column(_TITLES[one.way], justify="right")
    for cells in zip(*map(_column, bench.ways), strict=True):
        table.add_row(cells[0][0], *(cell for _, cell in cells))
    console.print(table)
    for note in _notes(bench):
        console.print(note, style="dim", highlight=False, soft_wrap=True)


def _column(one: Figures) -> list[tuple[str, str]]:
    """Return the name and the cell of each row for one way."""

    def peak(kind: str) -> str:
        return f"{one.peak_mb[kind]:,.0f}" if kind in one.peak_mb else "-"

    return [
        ("files measured", f"{one.files:,}"),
        ("failed", f"{one.failed:,}"),
        ("seconds", f"{one.seconds:,.2f}"),
        ("  to start and end", f"{one.start_s:,.2f}"),
        ("files/s", f"{one.files_per_s:,.0f}"),
        ("MB/s", f"{one.megabytes_per_s:,.2f}"),
        ("times as fast", f"{one.times_faster:,.1f}"),
        ("ms per file: mean", f"{one.file_ms.mean:,.3f}"),
        ("  p50", f"{one.file_ms.p50:,.3f}"),
        ("  p95", f"{one.file_ms.p95:,.3f}"),
        ("  p99", f"{one.file_ms.p99:,.3f}"),
        ("peak MB: client", peak("client")),
        ("  parsing child", peak("children")),
        ("  worker", peak("worker")),
        ("  broker", peak("broker")),
        *((f"{files:,} files", _duration(seconds)) for files, seconds in one.projected_s.items()),
    ]


def _duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:,.1f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"


def _notes(bench: Bench) -> list[str]:
    """Return what readers need to know to understand the figures."""
    processes = counted(bench.workers, "worker process", "worker processes")
    notes = [
        f"medians of {counted(bench.rounds, 'round')}; the pipeline has {processes}",
        "files/s and MB/s leave out start and end; the projected times in the last rows do not",
        "one process only reads and parses; the others hash and compress too, the pipeline stores",
        "ms per file: the whole subprocess; reading and parsing; reading to compressed AST",
    ]
    if bench.files < FEW:
        notes.append(f"with fewer than {FEW:,} files, the pipeline's rates are mostly warm-up")
    if twins := bench.ways[-1].twins:
        notes.append(
            f"{counted(twins, 'file has', 'files have')} the content of another, which the"
            " pipeline parses once"
        )
    if bench.machine.load > bench.machine.cores / 2:
        notes.append(f"this machine was busy (load {bench.machine.load:.1f}): measure again")
    return notes


def _percentiles(times: Percentiles) -> list[tuple[str, float]]:
    return [("p50", times.p50), ("p95", times.p95), ("p99", times.p99)]


def _plot(bench: Bench) -> str:
    def panel(title: str, value: Callable[[Figures], float], text: Callable[[float], str]) -> Panel:
        return Panel(
            title,
            [
                Bar(_TITLES[one.way], value(one), text(value(one)), colour)
                for colour, one in enumerate(bench.ways)
            ],
        )

    first, second = PROJECTED

    def projected(files: int) -> Panel:
        return panel(
            f"Time for {files:,} files, projected", lambda one: one.projected_s[files], _duration
        )

    panels = [
        panel("Files per second", lambda one: one.files_per_s, lambda value: f"{value:,.0f}"),
        panel("MB per second", lambda one: one.megabytes_per_s, lambda value: f"{value:,.1f}"),
        Panel(
            "Milliseconds per file",
            [
                Bar(f"{_TITLES[one.way]}, {name}", value, f"{value:,.3f}", colour)
                for colour, one in enumerate(bench.ways)
                for name, value in _percentiles(one.file_ms)
            ],
        ),
        projected(first),
        projected(second),
    ]
    title = f"ck3parse bench: {counted(bench.files, 'file')}, {bench.megabytes:,.1f} MB"
    return bar_chart(title, panels, [bench.date, *str(bench.machine).splitlines(), *_notes(bench)])
