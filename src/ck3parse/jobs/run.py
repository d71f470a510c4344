"""`ck3parse.run`: parses mods into a store, for Python and for the command line."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import msgspec

from ck3parse.config import Settings, checked_timeout_ms, read_settings
from ck3parse.errors import BrokerError, Ck3parseError, ExitCode, StoreError, UsageError
from ck3parse.files.transport import giver
from ck3parse.files.walk import roots_of
from ck3parse.jobs.paths import PathArgument, as_texts, nothing_in
from ck3parse.jobs.report import RunReport
from ck3parse.jobs.tally import Tally
from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_TIMEOUT_MS, DialectName
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.plan import Plan, make_plan
from ck3parse.pipeline.run import Run
from ck3parse.pipeline.shard import Shard
from ck3parse.store import Store

if TYPE_CHECKING:
    # At run time they are imported where needed: in a short run, imports are most of the time.
    from ck3parse.embedded.broker import EmbeddedBroker
    from ck3parse.index.playset import Playset
    from ck3parse.index.selection import Selection
    from ck3parse.pipeline.extraction import Extraction
    from ck3parse.pipeline.indexing import Indexing

DEFAULT_STORE = "ck3parse.sqlite"
SMALL_FILES = 4_000
SMALL_BYTES = 24_000_000
"""One worker parses this much while the client waits for other workers to answer."""

Transport = Literal["path", "content"]


def run(
    paths: PathArgument | Iterable[PathArgument],
    out: PathArgument = DEFAULT_STORE,
    *,
    broker_url: str | None = None,
    workers: int | None = None,
    wait: bool = False,
    patience_s: float | None = None,
    transport: Transport | None = None,
    dialect: DialectName | None = None,
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    playset: PathArgument | None = None,
    mods: Iterable[PathArgument] = (),
    index: bool | None = None,
    extract: Iterable[str] = (),
    shard: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> RunReport:
    """Parse every script file under some paths, and store each syntax tree in an SQLite file.

    This is what the command `ck3parse run` does. A second run parses only files that changed. A
    file that cannot be parsed, hangs, or crashes its worker process is a failure in the report; all
    other files complete. Worker processes are programs of their own: a script that calls this needs
    no `if __name__ == "__main__":`, and a notebook or a thread may call it.

    Args:
        paths: folders and files, in load order: the game first.
        out: the store; it is created if it does not exist.
        broker_url: use this broker and its workers; default: `CK3PARSE_BROKER_URL`, or a broker
            that this call starts and ends. Windows needs a URL.
        workers: number of worker processes to start; default: one per CPU, and one more.
        wait: whether to wait for a worker if `broker_url` has none yet.
        patience_s: seconds that the broker or all workers may be gone; default:
            `CK3PARSE_PATIENCE_S`.
        transport: how workers get files, by `path` or as `content`; default: `CK3PARSE_TRANSPORT`.
        dialect: which syntax trees to store; default: `CK3PARSE_DIALECT`.
        timeout_ms: milliseconds that one file may take before its worker process is killed.
        include: patterns of files to parse although they would be skipped.
        exclude: patterns of files to skip.
        playset: a file that names mods to parse after `paths`.
        mods: folders in which the mods of a playset may be.
        index: whether to index what the files define and use; default: unless they are inside of
            a mod of the playset that the store has an index of, which stays as it is.
        extract: extractors whose rows to keep, such as `qbuilder/1`.
        shard: which part of the files to parse: `2/4` is the second of four; default: all.
        on_progress: called with the number of files done and to do in all, after each batch.

    Returns:
        What was parsed, and what failed.

    Raises:
        UsageError: a path does not exist, or an argument or a setting cannot be used.
        BrokerError: no broker or no worker answers. What was parsed by then is in the store.
        StoreError: the store cannot be used.
    """
    owner = _Telling(on_progress) if on_progress else Owner()
    ended = Job.of(
        as_texts(paths),
        out,
        broker_url=broker_url,
        workers=workers,
        wait=wait,
        patience_s=patience_s,
        transport=transport,
        dialect=dialect,
        timeout_ms=timeout_ms,
        include=[*include],
        exclude=[*exclude],
        playset_file=playset,
        mods=as_texts(mods),
        index=index,
        extract=[*extract],
        shard=shard,
    ).run(owner)
    if ended.error:
        raise ended.error
    return ended.report


class Owner:
    """What the owner of a run does during it. This one does nothing."""

    def begin(self, files: int, size: int) -> AbstractContextManager[object]:
        """Return a context for the time in which files are parsed.

        Args:
            files: number of files to parse.
            size: their total size in bytes.
        """
        del files, size
        return contextlib.nullcontext()

    def say(self, waiting: str | None) -> None:
        """Take what the run waits for, in a few words; `None` if it no longer waits."""

    def opened(self) -> None:
        """Do what has to be done before the first batch is sent."""

    def advance(self, files: int, size: int, failed: int) -> None:
        """Count the results of a batch: files, bytes, and how many of the files failed."""

    def check(self) -> None:
        """Raise to end the run; called between batches."""

    def deferred(self, on_first: Callable[[], None]) -> AbstractContextManager[object]:
        """Return a context in which interrupts are left to `check`.

        Args:
            on_first: called when the first interrupt arrives, in the middle of anything.
        """
        del on_first
        return contextlib.nullcontext()


class Ended(msgspec.Struct, frozen=True):
    """How a run ended.

    Attributes:
        report: the results, also of a run that ended early.
        error: what ended it early, or `None`.
        exit_code: one of `ExitCode`.
        left: number of files without a result.
    """

    report: RunReport
    error: Ck3parseError | KeyboardInterrupt | None
    exit_code: int
    left: int


class Job(msgspec.Struct, frozen=True):
    """What to parse, where to, and with which workers.

    Attributes:
        paths: folders and files, in load order.
        out: the store.
        settings: the broker, limits and dialect.
        timeout_ms: milliseconds that one file may take.
        include: patterns of files to parse although they would be skipped.
        exclude: patterns of files to skip.
        selection: what the index will be of, if there is one, or `paths` came from a file.
        playset: its sources.
        index: whether to index them; `None`: unless they are inside of a mod of what the store has.
        extract: full names of the extractors whose rows to keep.
        shard: which part of the files to parse, or `None` for all.
        wait: whether to wait for a worker.
        log_fd: where the worker of an embedded broker writes its log, or `None`.
    """

    paths: list[str]
    out: Path
    settings: Settings
    timeout_ms: int
    include: Sequence[str]
    exclude: Sequence[str]
    selection: "Selection | None"
    playset: "Playset | None"
    index: bool | None
    extract: Sequence[str]
    shard: Shard | None
    wait: bool
    log_fd: int | None

    @classmethod
    def of(
        cls,
        paths: Sequence[str],
        out: PathArgument,
        *,
        broker_url: str | None,
        workers: int | None,
        wait: bool,
        patience_s: float | None,
        transport: Transport | None,
        dialect: DialectName | None,
        timeout_ms: int,
        include: Sequence[str],
        exclude: Sequence[str],
        playset_file: PathArgument | None,
        mods: Sequence[str],
        index: bool | None,
        extract: Sequence[str],
        shard: str | None,
        log_fd: int | None = None,
    ) -> "Job":
        """Return the job of some arguments: those of `run`, and the attribute `log_fd`.

        Raises:
            UsageError: an argument cannot be used.
        """
        settings = read_settings().given(
            broker_url=broker_url,
            transport=transport,
            patience_s=patience_s,
            workers=workers,
            dialect=dialect,
        )
        selection = playset = None
        if playset_file or (paths and index is not False):
            from ck3parse.index.selection import Selection

            selection = Selection.given(
                paths,
                Path(playset_file) if playset_file else None,
                mods,
                include=include,
                exclude=exclude,
                dialect=settings.dialect or None,
            )
            playset = selection.playset()
            paths = playset.paths if playset_file else paths
        if not paths:
            raise UsageError("give at least one path, or a playset")
        if settings.broker_url:
            checked_timeout_ms(timeout_ms, settings.max_timeout_ms)
        else:
            longest_ms = max(settings.max_timeout_ms, timeout_ms)
            settings = msgspec.structs.replace(settings, max_timeout_ms=longest_ms)
        return cls(
            list(paths),
            Path(out),
            settings,
            timeout_ms,
            include,
            exclude,
            selection,
            playset,
            index,
            _checked_extractors(extract, settings) if extract else [],
            Shard.parse(shard) if shard else None,
            wait,
            log_fd,
        )

    def run(self, owner: Owner, began: float | None = None) -> Ended:
        """Parse and record.

        Args:
            owner: is told of the progress, and may end the run.
            began: when the run began, by `perf_counter`; default: now.

        Returns:
            How the run ended: also one that an interrupt, the broker or the store ended early.

        Raises:
            UsageError: a path does not exist.
            StoreError: the store cannot be opened.
        """
        began = perf_counter() if began is None else began
        settings = self.settings
        parser = parser_in_use()
        version = parser.version_of(settings.dialect or DEFAULT_DIALECT)
        embedded = self._embedded()
        with (
            Store(self.out, settings.stored_version(version), say=owner.say) as store,
            ExitStack() as stack,
        ):
            if embedded:
                stack.callback(embedded.stop)
            is_part = self.index is None and self._is_part_of(store)
            is_indexed = self.index is not False and not is_part
            plan = make_plan(
                self.paths,
                store,
                include=self.include,
                exclude=self.exclude,
                gui=self.index is not False,
                texts=store.texts if is_indexed else None,
                max_bytes=settings.max_file_bytes,
                # It starts while the remaining files are still compared with the store.
                on_change=embedded.start if embedded else lambda: None,
                shard=self.shard,
            )
            shard = str(self.shard) if self.shard else None
            # Before anything else is written: a killed run leaves a store that says so.
            run_id = store.begin_run(
                [os.path.abspath(path) for path in self.paths], parser.name, shard
            )
            indexing = None
            sentences = self.playset.sentences() if self.playset else []
            if is_part:
                sentences.append(
                    "what was given is a part of the playset in the store: the next `ck3parse find`"
                    " or a run of the whole playset brings its index up to date"
                )
            elif is_indexed and self.selection:
                from ck3parse.pipeline.indexing import Indexing

                store.set_selection(self.selection.json())
                indexing = Indexing(store)
                indexing.begin(plan)
            extraction = None
            if self.extract:
                from ck3parse.pipeline.extraction import Extraction

                extraction = Extraction(store, self.extract)
                extraction.begin(plan)
            tally = Tally(plan)
            text_files = plan.texts.file_count if plan.texts else 0
            elsewhere = len(plan.elsewhere) + len(plan.texts.elsewhere if plan.texts else ())
            faulty_texts = 0
            error: Ck3parseError | KeyboardInterrupt | None = None
            try:
                self._parse(plan, store, embedded, tally, indexing, extraction, owner)
                faulty_texts = _faulty_texts(plan, store)
                if plan.is_changed:
                    store.tidy()
                if indexing and self.playset:
                    from ck3parse.index.refresh import record_playset

                    sentences += record_playset(
                        self.playset, plan, indexing, store, settings.reading_order
                    )
            except KeyboardInterrupt as interrupt:
                error = interrupt
                store.hurry()
            except Ck3parseError as ended_by:
                error = _with_last_restart(ended_by, embedded)
            if indexing:
                sentences += indexing.sentences()
            if extraction:
                sentences += extraction.sentences()
            if not plan.file_count + text_files + elsewhere:
                sentences.append(nothing_in(self.paths))
            interrupted = isinstance(error, KeyboardInterrupt)
            report = RunReport(
                files=tally.files,
                counts=tally.counts(),
                failures=tally.failures(),
                skipped_files=tuple(plan.skipped),
                seconds=perf_counter() - began,
                megabytes=tally.parsed_bytes / 1e6,
                localization_files=text_files,
                faulty_localization_files=faulty_texts,
                parser=parser.name,
                store=os.path.abspath(self.out),
                broker_url=settings.shown_broker_url,
                answers_dropped=tally.dropped,
                elsewhere=elsewhere,
                warnings=(*tally.warnings(), *sentences),
                interrupted=interrupted,
                error=str(error) if error and not interrupted else None,
            )
            exit_code = ExitCode.SOME_FAILED if report.failures else ExitCode.OK
            if any(failure.error in tally.other_origins for failure in report.failures):
                exit_code = ExitCode.UNAVAILABLE
            if isinstance(error, KeyboardInterrupt):
                exit_code = ExitCode.INTERRUPTED
            elif error:
                exit_code = error.exit_code
            # The results are worth reporting even if the store cannot be written.
            with contextlib.suppress(StoreError) if error else contextlib.nullcontext():
                store.end_run(run_id, report.counts, exit_code, shard, is_early=error is not None)
        return Ended(report, error, exit_code, plan.file_count + text_files - tally.files)

    def _is_part_of(self, store: Store) -> bool:
        """Return whether this is only a part of the playset that a store has an index of."""
        selection = self.selection
        if selection is None or selection.playset_file:
            return False
        from ck3parse.index.selection import are_inside

        return are_inside(selection.paths, store.playset_paths())

    def _embedded(self) -> "EmbeddedBroker | None":
        """Return a broker to start if there is something to parse, or `None` if one is given."""
        if self.settings.broker_url:
            return None
        from ck3parse.embedded.broker import EmbeddedBroker

        return EmbeddedBroker(
            self.settings.worker_count,
            roots_of(self.paths),
            os.environ | {"CK3PARSE_MAX_TIMEOUT_MS": str(self.settings.max_timeout_ms)},
            keep=True,
            spool=True,
            log_fd=self.log_fd,
        )

    def _parse(
        self,
        plan: Plan,
        store: Store,
        embedded: "EmbeddedBroker | None",
        tally: Tally,
        indexing: "Indexing | None",
        extraction: "Extraction | None",
        owner: Owner,
    ) -> None:
        settings = self.settings
        # An embedded worker reads files at the same paths.
        path_map = "" if embedded else settings.path_map
        with ExitStack() as stack:
            if embedded:
                stack.callback(embedded.stop)
            run = Run(
                plan,
                store,
                timeout_ms=self.timeout_ms,
                max_bytes=settings.max_file_bytes,
                dialect=settings.dialect or DEFAULT_DIALECT,
                give=giver(settings.transport, path_map, settings.max_file_bytes),
                indexing=indexing,
                extraction=extraction,
            )
            runs = [run]
            if plan.texts:
                runs.append(run.of_texts(plan.texts, store.texts))
            for each in runs:
                each.record_known()
            to_read = [*plan.to_parse, *(plan.texts.to_parse if plan.texts else ())]
            to_read += run.missing()
            if not to_read:
                return
            if embedded and not embedded.is_started:
                embedded.start()
            files, size = len(to_read), sum(found.size for found in to_read)
            stack.enter_context(owner.begin(files, size))

            # While an embedded broker starts, this process imports Celery.
            from ck3parse.pipeline.session import open_window, own_acceptance

            extract = frozenset(indexing.extract) if indexing else frozenset[str]()
            opened = open_window(
                settings,
                embedded,
                # A worker of an older version parses, too.
                acceptance=own_acceptance(settings, embedded=bool(embedded), dispensable=extract),
                first_is_enough=files <= SMALL_FILES and size <= SMALL_BYTES,
                wait=self.wait,
                check=owner.check,
                say=owner.say,
            )
            window = stack.enter_context(closing(opened))
            stack.callback(tally.read_window, window)
            owner.opened()
            # Interrupt only between batches, so that store and report agree.
            stack.enter_context(owner.deferred(store.hurry))
            for each in runs:
                for outcomes in each.outcomes(window, owner.check):
                    failed = tally.add(outcomes)
                    owner.advance(len(outcomes), sum(found.size for found, _ in outcomes), failed)
            for again in run.read_missing(window, owner.check):
                owner.advance(len(again), sum(found.size for found in again), 0)


class _Telling(Owner):
    """Tells a function of the progress."""

    def __init__(self, on_progress: Callable[[int, int], None]) -> None:
        self._on_progress = on_progress
        self._done = self._files = 0

    def begin(self, files: int, size: int) -> AbstractContextManager[object]:
        self._files = files
        return super().begin(files, size)

    def advance(self, files: int, size: int, failed: int) -> None:
        del size, failed
        self._done += files
        self._on_progress(self._done, self._files)


def _checked_extractors(names: Sequence[str], settings: Settings) -> list[str]:
    """Return the extractors that a run is to ask for.

    Raises:
        UsageError: there is no such extractor, or its rows are not kept like this.
    """
    from ck3parse.extractors import CK3, LOCALIZATION, extractor

    for name in names:
        if name in (CK3, LOCALIZATION):
            raise UsageError(f"{name} makes rows of the index: ask for --index instead")
        if not settings.broker_url:  # otherwise the worker has to have it, and says so
            extractor(name)
    if (settings.dialect or DEFAULT_DIALECT) != DEFAULT_DIALECT:
        raise UsageError(
            f"extractors read trees of the dialect {DEFAULT_DIALECT}: leave out --extract, or run"
            " again without --dialect"
        )
    return list(dict.fromkeys(names))


def _faulty_texts(plan: Plan, store: Store) -> int:
    """Return how many of a plan's localization files have faults: they are in the store."""
    if not plan.texts or not plan.texts.file_count:
        return 0
    faulty = store.texts.faulty()
    if not faulty:
        return 0
    return sum((found.root, found.name) in faulty for found in plan.texts.files)


def _with_last_restart(error: Ck3parseError, embedded: "EmbeddedBroker | None") -> Ck3parseError:
    """Add what died last to an error of the broker: it is often why no broker or worker answers."""
    if isinstance(error, BrokerError) and embedded and embedded.notices:
        return BrokerError(f"{error}\nwhat was last started again: {embedded.notices[-1]}")
    return error
