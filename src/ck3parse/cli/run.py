"""`ck3parse run`: parses a mod, or many, into a store."""

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal, get_args

import click
import msgspec

from ck3parse.cli import streams
from ck3parse.cli.interrupts import Interrupts
from ck3parse.cli.progress import RunProgress
from ck3parse.cli.report import Report
from ck3parse.cli.seconds_option import Seconds
from ck3parse.cli.tally import Tally
from ck3parse.config import (
    LONGEST_PATIENCE_S,
    LONGEST_TIMEOUT_MS,
    MOST_WORKERS,
    Settings,
    checked_timeout_ms,
    read_settings,
)
from ck3parse.errors import BrokerError, Ck3parseError, ExitCode, StoreError
from ck3parse.files.transport import giver
from ck3parse.files.walk import roots_of
from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS, DialectName
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.plan import Plan, make_plan
from ck3parse.pipeline.run import Run
from ck3parse.store import Store
from ck3parse.worker.malloc import keep_freed_memory

if TYPE_CHECKING:
    # At run time they are imported where needed: in a short run, imports are most of the time.
    from ck3parse.embedded.broker import EmbeddedBroker
    from ck3parse.pipeline.indexing import Indexing

INDEX_BY_DEFAULT = False
SMALL_FILES = 4_000
SMALL_BYTES = 24_000_000
"""One worker parses this much while the client waits for other workers to answer."""


@click.command(
    name="run",
    epilog="""\b
Examples:
  ck3parse run ~/mods/my_mod
  ck3parse run game/ mods/* --out playset.sqlite
  ck3parse run game/ --playset ~/Documents/.../dlc_load.json --out playset.sqlite
  ck3parse run . --exclude 'tests/' --no-index --json
  ck3parse run ~/mods/my_mod --broker redis://localhost:6379/0
  ck3parse run ~/mods/my_mod --broker redis://server:6379/0 --transport content
  ck3parse run ~/mods/my_mod --watch            again whenever a file is saved

\b
Skipped by default, because they hold no script: readme, licence, changelog and credits
files, checksum_manifest.txt, hidden files, fonts/, and what is in no folder of a mod that
the game reads: files at its root, tools/ and the like.

\b
Exit codes: 0 everything parsed, 1 some file failed, 2 wrong usage, 3 no broker or no
worker, or none that parses as this command would, 4 the report cannot be written,
130 interrupted, 141 the program that reads the report is gone. However a run ends, its
results are in the store and in the report. Run the command again to continue.""",
)
@click.argument("paths", metavar="PATH...", nargs=-1)
@click.option(
    "--out",
    metavar="FILE",
    default="ck3parse.sqlite",
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
@click.option(
    "--playset",
    "playset_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Parse the mods of a playset after PATH...: the launcher's dlc_load.json, a playset that"
    " it exported, or a list of folders. `ck3parse playset` shows what is understood of it.",
)
@click.option(
    "--mods",
    metavar="FOLDER",
    multiple=True,
    help="Look here for the mods of an exported playset. May be repeated.",
)
@click.option(
    "--index/--no-index",
    "index",
    default=INDEX_BY_DEFAULT,
    show_default=True,
    help="Whether to index what the files define and use, those of the interface (*.gui) too.",
)
@click.option(
    "--watch",
    "watched",
    is_flag=True,
    help="Then parse each file again when it is saved, and index it, until Ctrl-C. With --index.",
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
    index: bool,
    watched: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Parse every script file under PATH... and store each syntax tree in an SQLite file.

    PATH... is a playset in load order: the game first. With --index, the store says what is defined
    and used where, and which definition the game takes, too.

    A second run parses only files that changed. A file that cannot be parsed, hangs, or crashes its
    worker process is one failure; all other files complete.
    """
    began = perf_counter()
    # A plan has an object per file and no cycles. Collecting garbage took a seventh of the client's
    # time, and freed nothing at 92,000 files.
    gc.disable()
    interrupts = Interrupts()
    settings = read_settings().given(
        broker_url=broker,
        transport=transport,
        patience_s=patience_s,
        workers=workers,
        dialect=dialect,
    )
    if watched and as_json:
        raise click.UsageError("--watch reports to the terminal: leave out --json")
    index = index or watched
    playset = None
    if playset_file or index:
        from ck3parse.index.playset import given_playset

        playset = given_playset(paths, playset_file, mods)
        paths = paths if not playset_file else playset.paths
    if not paths:
        raise click.UsageError("Missing argument 'PATH...', or --playset.")
    watch = None
    if watched:
        from ck3parse.files.watching import Watch

        # What changes during the run is known afterwards.
        watch = click.get_current_context().with_resource(Watch(paths))
    parser = parser_in_use()
    version = parser.version_of(settings.dialect or DEFAULT_DIALECT)
    embedded = None
    if settings.broker_url:
        checked_timeout_ms(timeout_ms, settings.max_timeout_ms)
    else:
        from ck3parse.embedded.broker import EmbeddedBroker

        longest_ms = max(settings.max_timeout_ms, timeout_ms)
        settings = msgspec.structs.replace(settings, max_timeout_ms=longest_ms)
        embedded = EmbeddedBroker(
            settings.worker_count,
            roots_of(paths),
            os.environ | {"CK3PARSE_MAX_TIMEOUT_MS": str(longest_ms)},
            keep=True,
            spool=True,
            log_fd=2 if verbose else None,
        )
    with Store(out, settings.stored_version(version)) as store, ExitStack() as stack:
        if embedded:
            stack.callback(embedded.stop)
        plan = make_plan(
            paths,
            store,
            include=include,
            exclude=exclude,
            gui=index,
            max_bytes=settings.max_file_bytes,
            # It starts while the remaining files are still compared with the store.
            on_change=embedded.start if embedded else lambda: None,
        )
        indexing = None
        if index:
            from ck3parse.pipeline.indexing import Indexing

            indexing = Indexing(store)
            indexing.begin(plan)
        run_id = store.begin_run([os.path.abspath(path) for path in paths], parser.name)
        tally = Tally(plan)
        warnings: Sequence[str] = ()
        interrupted = False
        error: Ck3parseError | None = None
        try:
            _parse(
                plan, store, settings, embedded, timeout_ms, tally, interrupts, indexing, wait=wait
            )
            if plan.to_parse or plan.known or plan.vanished:
                store.tidy()
            if indexing and playset:
                from ck3parse.index.refresh import record_playset

                warnings = record_playset(playset, plan, indexing, store, settings.reading_order)
        except KeyboardInterrupt:
            interrupted = True
        except Ck3parseError as ended_by:
            error = _with_last_restart(ended_by, embedded)
        report = Report(
            files=tally.files,
            counts=tally.counts(),
            failures=tally.failures(),
            skipped=plan.skipped,
            seconds=perf_counter() - began,
            megabytes=tally.parsed_bytes / 1e6,
            parser=parser.name,
            store=os.path.abspath(out),
            interrupted=interrupted,
            dropped=tally.dropped,
            other_origins=tally.other_origins,
            error=str(error) if error else None,
        )
        exit_code = ExitCode.SOME_FAILED if report.failures else ExitCode.OK
        if any(failure.error in report.other_origins for failure in report.failures):
            exit_code = ExitCode.UNAVAILABLE
        if interrupted:
            exit_code = ExitCode.INTERRUPTED
        if error:
            exit_code = error.exit_code
        # Report the results even if the store cannot be written.
        with contextlib.suppress(StoreError) if error else contextlib.nullcontext():
            store.end_run(run_id, report.counts, exit_code)
    if as_json:
        streams.write_json(report.as_builtins(verbose=verbose))
    else:
        from rich.console import Console

        from ck3parse.cli.report_text import print_report

        print_report(report, Console(), verbose=verbose)
        if interrupted or error:
            left = plan.file_count - tally.files
            why = "interrupted" if interrupted else "ended early"
            streams.say(f"{why}: {left:,} files are left; run again to continue")
    if playset:
        warnings = [*playset.sentences(), *warnings]
    for warning in [*report.warnings(), *warnings]:
        streams.say(f"ck3parse: {warning}")
    if watch and playset and not interrupted and not error:
        from ck3parse.cli.run_watch import refresh_when_changed

        refresh_when_changed(
            watch, playset, out, settings, include=include, exclude=exclude, timeout_ms=timeout_ms
        )
    # Without this, a last collection at exit takes 40 ms for a plan of 92,000 files.
    gc.freeze()
    if error:
        raise error
    sys.exit(exit_code)


def _with_last_restart(error: Ck3parseError, embedded: "EmbeddedBroker | None") -> Ck3parseError:
    """Add what died last to an error of the broker: it is often why no broker or worker answers."""
    if isinstance(error, BrokerError) and embedded and embedded.notices:
        return BrokerError(f"{error}\nwhat was last started again: {embedded.notices[-1]}")
    return error


def _parse(
    plan: Plan,
    store: Store,
    settings: Settings,
    embedded: "EmbeddedBroker | None",
    timeout_ms: int,
    tally: Tally,
    interrupts: Interrupts,
    indexing: "Indexing | None",
    *,
    wait: bool,
) -> None:
    # An embedded worker reads files at the same paths.
    path_map = "" if embedded else settings.path_map
    with ExitStack() as stack:
        if embedded:
            stack.callback(embedded.stop)
        run = Run(
            plan,
            store,
            timeout_ms=timeout_ms,
            max_bytes=settings.max_file_bytes,
            dialect=settings.dialect or DEFAULT_DIALECT,
            give=giver(settings.transport, path_map, settings.max_file_bytes),
            indexing=indexing,
        )
        run.record_known()
        to_index = indexing.target.missing if indexing else []
        if not plan.to_parse and not to_index:
            return
        if embedded and not embedded.is_started:
            embedded.start()
        files = len(plan.to_parse) + len(to_index)
        size = plan.size_to_parse + sum(found.size for found in to_index)
        progress = stack.enter_context(RunProgress(files, size))

        # While an embedded broker starts, this process imports Celery.
        from ck3parse.pipeline.session import open_window

        opened = open_window(
            settings,
            embedded,
            first_is_enough=files <= SMALL_FILES and size <= SMALL_BYTES,
            wait=wait,
            check=interrupts.check,
            say=progress.say,
        )
        window = stack.enter_context(closing(opened))
        stack.callback(tally.read_window, window)
        gc.freeze()
        # A batch makes thousands of objects that are freed without the collector.
        gc.set_threshold(20_000)
        gc.enable()
        keep_freed_memory()
        # Interrupt only between batches, so that store and report agree.
        stack.enter_context(interrupts.deferred())
        for outcomes in run.outcomes(window, interrupts.check):
            failed = tally.add(outcomes)
            progress.advance(len(outcomes), sum(found.size for found, _ in outcomes), failed)
        for indexed in run.index_missing(window, interrupts.check):
            progress.advance(len(indexed), sum(found.size for found in indexed), 0)
