"""`ck3parse bench`: a subprocess for each file against one process and the pipeline."""

import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from ck3parse.bench.machine import Machine, this_machine
from ck3parse.bench.percentiles import Spread, median_of
from ck3parse.bench.plot import Bar, Panel, bar_chart, is_available
from ck3parse.bench.processes import Use
from ck3parse.bench.runs import Round, Task, Way, measure, sample_of
from ck3parse.cli import streams
from ck3parse.config import MOST_WORKERS, read_settings
from ck3parse.errors import OutputError, UsageError
from ck3parse.files.walk import Found, walk

PROJECTED = (25_000, 92_000)
"""Files of a large mod list, and of the game with a full playset."""

FEW = 1_000
"""With fewer files, what the first batches wait for is most of what the pipeline takes."""

_WAYS: tuple[Way, ...] = ("subprocess", "serial", "pipeline")
_TITLES = {
    "subprocess": "subprocess a file",
    "serial": "one process",
    "pipeline": "pipeline",
}


class Figures(msgspec.Struct):
    """What one way took: medians over the rounds, and the largest memory of any.

    Attributes:
        way: `subprocess`, `serial` or `pipeline`.
        files: how many it was measured on.
        megabytes: of them together, in units of 10^6 bytes.
        failed: how many have no AST.
        twins: how many have another's content, which the pipeline parses once.
        seconds: from the start of its process to its end.
        start_s: seconds of that which do not grow with the number of files.
        files_per_s: files in each of the other seconds.
        megabytes_per_s: megabytes in each of them.
        file_ms: milliseconds of single files; `Round` says of what.
        peak_mb: the largest memory of one process, by kind: `client`, `children` (those that
            parse, if the client does not), and of the pipeline `broker`, `worker` (its main
            process) and `supervisor`.
        projected_s: seconds for so many files like these.
        times_faster: than a subprocess a file, by the seconds a file without the start.
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
    file_ms: Spread
    peak_mb: dict[str, float]
    projected_s: dict[int, float]
    times_faster: float = 1.0


class Bench(msgspec.Struct):
    """What `bench` tells.

    Attributes:
        machine: where it was.
        date: when, in UTC.
        files: how many files there are under the paths.
        megabytes: of them together.
        sample: how many of them went through a subprocess each.
        rounds: how many were counted; one more came before them.
        workers: worker processes of the pipeline.
        ways: the figures.
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
How it measures: each way in a fresh process, the ways in turns, one round first that is
not counted and that fills the file cache, then medians over the rounds. The subprocess
way is measured on a sample whose sizes are spread as those of all files are. The
pipeline has an embedded broker, a worker and a store of its own in the temporary
folder; its start is told apart, and is part of what is projected.

\b
Exit codes: 0 measured, 2 wrong usage, 3 the broker or the worker could not be started,
4 the output cannot be written, 141 nobody reads it.""",
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--rounds",
    metavar="N",
    default=3,
    show_default=True,
    type=click.IntRange(1, 1_000),
    help="Rounds to take the median of, after one that is not counted.",
)
@click.option(
    "--sample",
    metavar="N",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Files to start a subprocess for: all of them would take hours.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, MOST_WORKERS),
    help="Worker processes of the pipeline.  [default: one for each CPU, and one more]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option(
    "--plot",
    metavar="FILE.svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the figures too. SVG only: any browser shows it.",
)
def command(
    paths: Sequence[str],
    rounds: int,
    sample: int,
    workers: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Measure three ways to parse the script files under PATH... on this machine.

    A subprocess for each file, as it used to be; one process that parses one file after the other;
    and the pipeline, as `ck3parse run` uses it. Nothing is kept.
    """
    if plot and plot.suffix.lower() != ".svg":
        raise UsageError(f"--plot writes SVG: name a file that ends in .svg, not {plot.name}")
    if plot and not is_available():
        raise UsageError("--plot needs matplotlib: install ck3parse[plot]")
    if plot and not plot.parent.is_dir():
        raise UsageError(f"{plot} cannot be written: make the folder {plot.parent} first")
    found = [entry for entry in walk(paths) if isinstance(entry, Found)]
    if not found:
        raise UsageError("there are no script files under the paths given")
    bench = _measured(
        paths, found, rounds, sample, read_settings().given(workers=workers).worker_count
    )
    if plot:
        try:
            plot.write_text(_plot(bench), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{plot} cannot be written: {error.strerror}") from error
    if as_json:
        streams.write_json(bench)
    else:
        _print(bench)


def _measured(
    paths: Sequence[str], found: Sequence[Found], rounds: int, sample: int, workers: int
) -> Bench:
    machine = this_machine()
    some = sample_of([(entry.path, entry.size) for entry in found], sample)
    # A subprocess needs no more of a warm-up than the first few.
    tasks = {
        "subprocess": Task("subprocess", some),
        "serial": Task("serial", [entry.path for entry in found]),
        "pipeline": Task("pipeline", list(paths), workers),
    }
    taken: dict[Way, list[Round]] = {way: [] for way in _WAYS}
    for number in range(rounds + 1):
        for way in _WAYS:
            stage = f"round {number} of {rounds}" if number else "warming up"
            streams.say(f"{stage}: {_TITLES[way]}")
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
    def median(of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, taken))

    one = taken[0]
    work_s = median(lambda each: each.work_s)
    # What a subprocess takes to start is part of every file already.
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
    console = Console()
    console.print(f"{bench.machine}\n", highlight=False, soft_wrap=True)
    table = Table()
    table.add_column(f"{bench.files:,} files, {bench.megabytes:,.1f} MB")
    for one in bench.ways:
        table.add_column(_TITLES[one.way], justify="right")
    for cells in zip(*map(_column, bench.ways), strict=True):
        table.add_row(cells[0][0], *(cell for _, cell in cells))
    console.print(table)
    for note in _notes(bench):
        console.print(note, style="dim", highlight=False, soft_wrap=True)


def _column(one: Figures) -> list[tuple[str, str]]:
    """Return each row's name and cell for one way."""

    def peak(kind: str) -> str:
        return f"{one.peak_mb[kind]:,.0f}" if kind in one.peak_mb else "-"

    return [
        ("files measured", f"{one.files:,}"),
        ("failed", f"{one.failed:,}"),
        ("seconds", f"{one.seconds:,.2f}"),
        ("  of them to start and end", f"{one.start_s:,.2f}"),
        ("files/s", f"{one.files_per_s:,.0f}"),
        ("MB/s", f"{one.megabytes_per_s:,.2f}"),
        ("times as fast", f"{one.times_faster:,.1f}"),
        ("ms a file: mean", f"{one.file_ms.mean:,.3f}"),
        ("  p50", f"{one.file_ms.p50:,.3f}"),
        ("  p95", f"{one.file_ms.p95:,.3f}"),
        ("  p99", f"{one.file_ms.p99:,.3f}"),
        ("peak MB: client", peak("client")),
        ("  a child that parses", peak("children")),
        ("  worker", peak("worker")),
        ("  broker", peak("broker")),
        *((f"{files:,} files", _duration(seconds)) for files, seconds in one.projected_s.items()),
    ]


def _duration(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 60:
        return f"{seconds:,.1f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"


def _notes(bench: Bench) -> list[str]:
    """Return what must be said with the figures for them to be honest."""
    notes = [
        f"medians of {bench.rounds} rounds, the pipeline with {bench.workers} worker processes",
        "files/s and MB/s without start and end; the last rows are projected, with them",
        "one process reads and parses only; the others hash and compress too, the pipeline stores",
        "ms a file: the subprocess's whole life; reading and parsing; reading to compressed AST",
    ]
    if bench.files < FEW:
        notes.append(f"with fewer than {FEW:,} files the pipeline's rates say little: it warms up")
    if twins := bench.ways[-1].twins:
        notes.append(f"{twins:,} files have the content of another: the pipeline parses it once")
    if bench.machine.load > bench.machine.cores / 2:
        notes.append(f"this machine was busy before (load {bench.machine.load:.1f}): measure again")
    return notes


def _percentiles(times: Spread) -> list[tuple[str, float]]:
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
        panel("Files a second", lambda one: one.files_per_s, lambda value: f"{value:,.0f}"),
        panel("MB a second", lambda one: one.megabytes_per_s, lambda value: f"{value:,.1f}"),
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
    title = f"ck3parse bench: {bench.files:,} files, {bench.megabytes:,.1f} MB"
    return bar_chart(title, panels, [bench.date, *str(bench.machine).splitlines(), *_notes(bench)])
