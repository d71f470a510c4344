"""`ck3parse run`: parses a mod, or many, into a store."""

import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import Literal, get_args

import click

from ck3parse.cli import streams
from ck3parse.cli.interrupts import Interrupts
from ck3parse.cli.playset_options import mods_option, playset_option
from ck3parse.cli.progress import RunProgress
from ck3parse.cli.seconds_option import Seconds
from ck3parse.config import LONGEST_PATIENCE_S, LONGEST_TIMEOUT_MS, MOST_WORKERS, Settings
from ck3parse.errors import Ck3parseError
from ck3parse.jobs.paths import how_read
from ck3parse.jobs.run import DEFAULT_STORE, Job, Owner
from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS, DialectName
from ck3parse.plurals import counted
from ck3parse.worker.malloc import keep_freed_memory


@click.command(
    name="run",
    epilog="""\b
Examples:
  ck3parse run ~/mods/my_mod
  ck3parse run game/ mods/* --out playset.sqlite
  ck3parse run game/ --playset dlc_load.json --out playset.sqlite
  ck3parse run . --exclude 'tests/' --no-index --json
  ck3parse run ~/mods/my_mod --broker redis://localhost:6379/0
  ck3parse run my_mod/ --broker redis://server:6379/0 --transport content
  ck3parse run game/ mods/* --shard 1/4 --out part1.sqlite
  ck3parse run ~/mods/my_mod --extract qbuilder/1
  ck3parse run ~/mods/my_mod --watch            again whenever a file is saved

\b
Skipped by default, because they hold no script: readme, licence, changelog and credits
files, checksum_manifest.txt, hidden files, fonts/, what is in no folder of a mod that the
game reads (files at its root, tools/ and the like), and, outside of mods, notes and
prompts. A path that is given itself is parsed, and so is what --include matches.

\b
Exit codes: 0 everything parsed, 1 some file failed, 2 wrong usage, 3 no broker or no
worker, or none that parses as this command would, 4 the report cannot be written,
130 interrupted, 141 the program that reads the report is gone. However a run ends, its
results are in the store and in the report. Run the command again to continue.""",
)
@click.argument("paths", metavar="PATH...", nargs=-1, type=click.Path())
@click.option(
    "--out",
    metavar="FILE",
    default=DEFAULT_STORE,
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The store: an SQLite file, created if it does not exist.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, MOST_WORKERS),
    help="Number of worker processes to start.  [default: one per CPU, and one more]",
)
@click.option(
    "--broker",
    metavar="URL",
    help="Use this broker and its workers.  [default: CK3PARSE_BROKER_URL, or an embedded broker"
    " that this command starts]",
)
@click.option("--wait", is_flag=True, help="Wait for a worker if --broker has none yet.")
@click.option(
    "--patience-s",
    metavar="N",
    type=Seconds(LONGEST_PATIENCE_S),
    help="Seconds that the broker or all workers may be gone before the run gives up.  [default:"
    f" CK3PARSE_PATIENCE_S, or {Settings().patience_s:g}]",
)
@click.option(
    "--transport",
    type=click.Choice(["path", "content"]),
    help="How workers get files: by path, or as content for workers that cannot read the files."
    f"  [default: CK3PARSE_TRANSPORT, or {Settings().transport}]",
)
@click.option(
    "--dialect",
    type=click.Choice(get_args(DialectName)),
    help="Which syntax trees to store: those that qbuilder uses, or script as the game reads it. A"
    f" store keeps both.  [default: CK3PARSE_DIALECT, or {DEFAULT_DIALECT}]",
)
@click.option(
    "--timeout-ms",
    metavar="N",
    default=DEFAULT_TIMEOUT_MS,
    show_default=True,
    type=click.IntRange(MIN_TIMEOUT_MS, LONGEST_TIMEOUT_MS),
    help="Milliseconds that one file may take before its worker process is killed.",
)
@click.option(
    "--exclude",
    metavar="PATTERN",
    multiple=True,
    help="Skip matching files, in .gitignore syntax. May be repeated.",
)
@click.option(
    "--include",
    metavar="PATTERN",
    multiple=True,
    help="Parse matching files although they are skipped by default, in .gitignore syntax. May be"
    " repeated.",
)
@playset_option
@mods_option
@click.option(
    "--index/--no-index",
    "index",
    default=None,
    help="Whether to index what the files define and use, those of the interface (*.gui) and of"
    " localization too, for find, uses, conflicts and diff.  [default: --index, unless PATH... is"
    " inside of a mod in the store's playset]",
)
@click.option(
    "--extract",
    metavar="NAME/VERSION",
    multiple=True,
    help="Keep the rows of an extractor, too: qbuilder/1, or one of an installed package. May be"
    " repeated.",
)
@click.option(
    "--watch",
    "watched",
    is_flag=True,
    help="Then parse each file again when it is saved, and index it, until Ctrl-C.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Parse the I-th of N equal parts of the files only: another machine may parse another one."
    " `ck3parse merge` makes one store of all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Show skipped files, every failure, and the worker's log.",
)
def command(
    paths: Sequence[str],
    out: Path,
    workers: int | None,
    broker: str | None,
    transport: Literal["path", "content"] | None,
    dialect: DialectName | None,
    wait: bool,
    patience_s: float | None,
    timeout_ms: int,
    exclude: Sequence[str],
    include: Sequence[str],
    playset_file: Path | None,
    mods: Sequence[str],
    index: bool | None,
    extract: Sequence[str],
    watched: bool,
    shard: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Parse every script file under PATH... and store each syntax tree in an SQLite file.

    PATH... is a playset in load order: the game first. The store also gets an index of it: what is
    defined and used where, and which definition the game takes. --no-index only parses.

    A second run parses only files that changed. A file that cannot be parsed, hangs, or crashes its
    worker process is one failure; all other files complete.
    """
    began = perf_counter()
    # A plan has an object per file and no cycles. Collecting garbage took a seventh of the client's
    # time, and freed nothing at 92,000 files.
    gc.disable()
    interrupts = Interrupts()
    if watched and as_json:
        raise click.UsageError("--watch reports to the terminal: leave out --json")
    if watched and extract:
        raise click.UsageError("--watch keeps trees and the index up to date: leave out --extract")
    if watched and shard:
        raise click.UsageError("--watch takes all files: leave out --shard")
    if not paths and not playset_file:
        raise click.UsageError("Missing argument 'PATH...', or --playset.")
    job = Job.of(
        paths,
        out,
        broker_url=broker,
        workers=workers,
        wait=wait,
        patience_s=patience_s,
        transport=transport,
        dialect=dialect,
        timeout_ms=timeout_ms,
        include=include,
        exclude=exclude,
        playset_file=playset_file,
        mods=mods,
        index=watched or index,
        extract=extract,
        shard=shard,
        log_fd=2 if verbose else None,
    )
    for sentence in how_read(paths):
        streams.note(f"ck3parse: {sentence}")
    watch = None
    if watched:
        from ck3parse.files.watching import Watch

        # What changes during the run is known afterwards.
        watch = click.get_current_context().with_resource(Watch(job.paths))
    ended = job.run(_Terminal(interrupts), began)
    report = ended.report
    if as_json:
        streams.write_json(report.as_builtins(verbose=verbose))
    else:
        from ck3parse.cli.report_text import print_report

        print_report(report, streams.console(), verbose=verbose)
        if ended.error:
            why = "interrupted" if report.interrupted else "ended early"
            streams.say(
                f"{why}: {counted(ended.left, 'file is', 'files are')} left; run again to continue"
            )
    if shard:
        whole = report.files + ended.left + report.elsewhere
        own = f"{whole - report.elsewhere:,} of {counted(whole, 'file')}"
        streams.say(f"ck3parse: shard {shard}: {own}")
    for warning in report.warnings:
        streams.say(f"ck3parse: {warning}")
    if watch and job.selection and not ended.error:
        from ck3parse.cli.run_watch import refresh_when_changed

        refresh_when_changed(watch, job.selection, out, job.settings, timeout_ms=timeout_ms)
    # Without this, a last collection at exit takes 40 ms for a plan of 92,000 files.
    gc.freeze()
    if isinstance(ended.error, Ck3parseError):
        raise ended.error
    sys.exit(ended.exit_code)


class _Terminal(Owner):
    """Shows the progress of a run, and lets signals end it.

    Args:
        interrupts: the signals.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._progress: RunProgress | None = None

    def begin(self, files: int, size: int) -> RunProgress:
        self._progress = RunProgress(files, size)
        return self._progress

    def say(self, waiting: str | None) -> None:
        if self._progress:
            self._progress.say(waiting)
        else:
            streams.note_waiting(waiting)

    def opened(self) -> None:
        gc.freeze()
        # A batch makes thousands of objects that are freed without the collector.
        gc.set_threshold(100_000)
        gc.enable()
        keep_freed_memory()

    def advance(self, files: int, size: int, failed: int) -> None:
        if self._progress:
            self._progress.advance(files, size, failed)

    def check(self) -> None:
        self._interrupts.check()

    def deferred(self, on_first: Callable[[], None]) -> AbstractContextManager[None]:
        return self._interrupts.deferred(on_first)
