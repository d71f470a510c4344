"""Bringing the index of a playset up to date: what `ck3parse run` does, for all other commands."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ck3parse.config import Settings
from ck3parse.extractors import CK3
from ck3parse.files.mod_root import DESCRIPTOR
from ck3parse.index.in_effect import Effect, PlacedFile, ReadingOrder, case_twins, files_in_effect
from ck3parse.index.playset import Playset, source_of, with_own_names
from ck3parse.index.selection import Selection
from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_TIMEOUT_MS, ParseResult
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.plan import Plan, make_plan
from ck3parse.plurals import counted
from ck3parse.store import FileRow, SourceRow, Store

if TYPE_CHECKING:
    # They are imported where needed: a question asked when nothing has changed needs none of them.
    from ck3parse.embedded.broker import EmbeddedBroker
    from ck3parse.files.walk import Found
    from ck3parse.pipeline.batch import Batch
    from ck3parse.pipeline.indexing import Indexing
    from ck3parse.pipeline.window import Window

FEW_FILES = 300
FEW_BYTES = 6_000_000
"""This process parses as much while workers would still start."""


class Refreshed(NamedTuple):
    """What was done to bring an index up to date.

    Attributes:
        files: number of files of the playset.
        read: number of files that were read for it.
        failed: number of files without a syntax tree, of those that were read.
        gone: number of files that do not exist any more.
        seconds: how long it took.
        warnings: a sentence for each thing that is probably a mistake.
    """

    files: int
    read: int
    failed: int
    gone: int
    seconds: float
    warnings: list[str]


def refresh(
    playset: Playset,
    out: Path,
    settings: Settings,
    *,
    selection: Selection | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
    reading_order: ReadingOrder = "paths",
    check: Callable[[], None] = lambda: None,
    say: Callable[[str | None], None] = lambda _: None,
    told: "Callable[[Found, ParseResult], None]" = lambda _, __: None,
) -> Refreshed:
    """Bring the index of a playset in a store up to date, and its syntax trees with it.

    A few files are read in this process, more of them by workers: those of the broker in the
    settings, or of an embedded one.

    Args:
        playset: what to index.
        out: the store; it is created if it does not exist.
        settings: the broker, limits and dialect.
        selection: what the store shall say that its index is of; `None`: what it says.
        include: patterns of files to read although they would be skipped.
        exclude: patterns of files to skip.
        timeout_ms: milliseconds that one file may take in a worker.
        reading_order: in which order the game reads files.
        check: called between batches; raises to end it.
        say: called with what is being waited for, and with `None` afterwards.
        told: called with each file that was parsed, and its result, once it is in the store.

    Raises:
        UsageError: a path of the playset does not exist.
        BrokerError: no broker or no worker answers.
        StoreError: the store cannot be written.
    """
    began = perf_counter()
    dialect = settings.dialect or DEFAULT_DIALECT
    version = settings.stored_version(parser_in_use().version_of(dialect))
    with Store(out, version, say=say) as store, ExitStack() as stack:
        plan = make_plan(
            playset.paths,
            store,
            include=include,
            exclude=exclude,
            gui=True,
            texts=store.texts,
            max_bytes=settings.max_file_bytes,
        )
        store.begin_all()
        texts = plan.texts or Plan()
        file_count = plan.file_count + texts.file_count
        changed = plan.is_changed
        if not changed and store.is_current(_state(playset, plan, store, reading_order)):
            store.end_all()
            seconds = perf_counter() - began
            return Refreshed(file_count, 0, 0, 0, seconds, playset.sentences())

        if selection:
            store.set_selection(selection.json())
        from ck3parse.files.transport import giver
        from ck3parse.pipeline.indexing import Indexing
        from ck3parse.pipeline.run import Run

        indexing = Indexing(store)
        indexing.begin(plan)
        if indexing.is_shared:
            say(
                "another program writes this index, or was killed while it did: what it has not"
                " written yet is read here, too"
            )
        embedded, path_map = None, settings.path_map
        to_read = [*plan.to_parse, *indexing.target.missing, *texts.to_parse]
        few = len(to_read) <= FEW_FILES and sum(found.size for found in to_read) <= FEW_BYTES
        if not few and not settings.broker_url:
            embedded = _embedded(settings, playset, timeout_ms)
            stack.callback(embedded.stop)
        if few or embedded:
            path_map = ""
        run = Run(
            plan,
            store,
            timeout_ms=timeout_ms,
            max_bytes=settings.max_file_bytes,
            dialect=dialect,
            give=giver("path" if few else settings.transport, path_map, settings.max_file_bytes),
            indexing=indexing,
        )
        runs = [run, run.of_texts(texts, store.texts)]
        for each in runs:
            each.record_known()
        failed = 0
        if plan.to_parse or indexing.target.missing or texts.to_parse:
            window = InProcess(settings) if few else _window(settings, embedded, check, say, stack)
            for outcomes in chain.from_iterable(each.outcomes(window, check) for each in runs):
                for found, result in outcomes:
                    failed += not result.ok
                    told(found, result)
            for _ in run.read_missing(window, check):
                pass
        if changed:
            store.tidy()
        warnings = record_playset(playset, plan, indexing, store, reading_order)
        warnings += indexing.sentences()
        if not warnings:  # they are said each time
            store.set_current(_state(playset, plan, store, reading_order))
        is_whole = not store.lacks_words()
        if is_whole:
            store.end_all()
    done = Refreshed(
        file_count, len(to_read), failed, len(plan.vanished) + len(texts.vanished),
        perf_counter() - began,
        [*playset.sentences(), *warnings],
    )  # fmt: skip
    if is_whole:
        return done
    # Words of another process that began at the same time: they are read here, too.
    again = refresh(
        playset, out, settings, selection=selection, include=include, exclude=exclude,
        timeout_ms=timeout_ms, reading_order=reading_order, check=check, say=say, told=told,
    )  # fmt: skip
    return again._replace(
        read=done.read + again.read,
        failed=max(done.failed, again.failed),
        gone=done.gone + again.gone,
        seconds=perf_counter() - began,
    )


def _state(playset: Playset, plan: Plan, store: Store, reading_order: ReadingOrder) -> str:
    """Return a digest of what the index depends on, but for the files of a plan."""
    from ck3parse.extractors import ck3

    texts = plan.texts or Plan()
    file_count = plan.file_count + texts.file_count
    places = {
        (found.root, found.name.rpartition("/")[0])
        for each in (plan, texts)
        for found in each.files
    }
    folders = {os.path.join(root, *name.split("/")) if name else root for root, name in places}
    tops = {root for root, _ in places}
    for folder in list(folders):
        while folder not in tops and (folder := os.path.dirname(folder)) not in folders:
            folders.add(folder)
    descriptors = sorted(
        (path, changed_ns)
        for folder in (*folders, *store.playset_paths())
        if (changed_ns := _changed_ns(path := os.path.join(folder, DESCRIPTOR))) is not None
    )
    parts = [ck3.rules_digest(), reading_order, playset.sources, descriptors, file_count]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _changed_ns(path: str) -> int | None:
    """Return when a file was changed, or `None` if there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


class InProcess:
    """Answers requests in this process, in place of a window.

    Args:
        settings: the limits.
    """

    def __init__(self, settings: Settings) -> None:
        from ck3parse.worker.handler import request_handler

        # This process may read what its user gives it.
        self._handle = request_handler(msgspec.structs.replace(settings, roots=""))

    @property
    def limit(self) -> int:
        """One batch is in work at once."""
        return 1

    def results(self, batches: "Iterable[Batch]") -> Iterator[list[ParseResult]]:
        """Yield the results of each batch."""
        for batch in batches:
            yield [self._handle(request) for request in batch.requests]


def _embedded(settings: Settings, playset: Playset, timeout_ms: int) -> "EmbeddedBroker":
    from ck3parse.embedded.broker import EmbeddedBroker

    longest_ms = max(settings.max_timeout_ms, timeout_ms)
    embedded = EmbeddedBroker(
        settings.worker_count,
        playset.paths,
        os.environ | {"CK3PARSE_MAX_TIMEOUT_MS": str(longest_ms)},
        keep=True,
        spool=True,
    )
    embedded.start()
    return embedded


def _window(
    settings: Settings,
    embedded: "EmbeddedBroker | None",
    check: Callable[[], None],
    say: Callable[[str | None], None],
    stack: ExitStack,
) -> "Window":
    from ck3parse.pipeline.session import open_window, own_acceptance

    acceptance = own_acceptance(
        settings, embedded=embedded is not None, dispensable=frozenset({CK3})
    )
    opened = open_window(
        settings, embedded, acceptance=acceptance, first_is_enough=True, check=check, say=say
    )
    return stack.enter_context(closing(opened))


def record_playset(
    playset: Playset, plan: Plan, indexing: "Indexing", store: Store, reading_order: ReadingOrder
) -> list[str]:
    """Write down which files of a playset the game reads, once its files are recorded.

    Args:
        playset: the sources.
        plan: its files.
        indexing: knows the place of each file.
        store: where to.
        reading_order: in which order files are read.

    Returns:
        A sentence for each thing that is probably a mistake.

    Raises:
        StoreError: the store cannot be written.
    """
    files = [*plan.files, *(plan.texts.files if plan.texts else ())]
    warnings: list[str] = []
    is_changed = plan.is_changed or indexing.found_unindexed
    stored_signature = store.playset_signature(len(files))
    file_ids = None if stored_signature else store.file_ids()
    # SQLite sorts the names while this thread finds the places of the files, without the store.
    with _ending_index(store) if is_changed else nullcontext():
        places = [indexing.place_of(found) for found in files]
        sources, positions = _sources_of(playset, files, [mod for mod, _ in places], warnings)
        placed = [PlacedFile(positions[mod], relpath) for mod, relpath in places]
        del places
        signature = _signature(sources, files, placed, reading_order)
        twins = case_twins(placed)[:_MAX_TWINS]
        # The store may have had another shard of the same files.
        is_new = bool(plan.elsewhere) or stored_signature != signature
        effects: list[Effect] = []
        rows: list[FileRow] = []
        if is_new:
            replaced = [source.replaced for source in sources]
            effects = files_in_effect(placed, replaced, reading_order)
            if file_ids is not None:
                rows = _rows_of(files, placed, effects, file_ids)
    if is_new:
        if file_ids is None:
            rows = _rows_of(files, placed, effects, store.file_ids())
        before = store.playset_paths()
        gone = [path for path in before if path not in {source.path for source in sources}]
        if gone:
            what = "of another playset" if gone == before else "of more than this playset"
            more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
            warnings.append(
                f"the store had the index {what}, with {gone[-1]}{more}: it now has that of this"
                " one; give each playset a store of its own with --out"
            )
        store.record_playset(sources, rows, signature)
    is_stale = store.is_stale()
    if is_stale or (is_new and not is_changed):
        store.end_index()
    if is_stale or is_new or is_changed:
        store.texts.end_texts()
    count, error = store.index_errors()
    if count:
        warnings.append(
            f"{counted(count, 'file of the playset is', 'files of the playset are')} not"
            f" in its index: {error}"
        )
    for one, other in twins:
        warnings.append(
            f"{one} and {other} differ in upper and lower case only: Windows has room for one of"
            " them, and the index takes the second"
        )
    return warnings


@contextmanager
def _ending_index(store: Store) -> Iterator[None]:
    """End the index in a thread of its own, and wait for it, but not long if the block fails."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, "index") as thread:
        ending = thread.submit(store.end_index)
        try:
            yield
            ending.result()
        except BaseException:  # an interrupt, too
            store.hurry()
            raise


def _rows_of(
    files: "Sequence[Found]",
    placed: Sequence[PlacedFile],
    effects: Sequence[Effect],
    file_ids: dict[str, dict[str, int]],
) -> list[FileRow]:
    """Return the rows of the files that the store has, in order of their keys."""
    rows: list[FileRow] = []
    for found, place, effect in zip(files, placed, effects, strict=True):
        file_id = file_ids.get(found.root, {}).get(found.name)
        if file_id is not None:
            by = None
            if effect.replaced_by is not None:
                winner = files[effect.replaced_by]
                by = file_ids.get(winner.root, {}).get(winner.name)
            rows.append(
                FileRow(
                    file_id, place.position, place.relpath, effect.read_order, by, effect.dropped_by
                )
            )
    rows.sort()
    return rows


_MAX_TWINS = 20
"""How many pairs of files are named."""


def _sources_of(
    playset: Playset, files: "Sequence[Found]", mods: Sequence[str], warnings: list[str]
) -> tuple[list[SourceRow], dict[str, int]]:
    """Return the sources of files with their mods, and the position of each by the root of its mod.

    A folder that was given may hold several mods, which are loaded by path, or be a part of one.
    """
    given = {source.path: at for at, source in enumerate(playset.sources)}
    keys: dict[str, tuple[int, str]] = {}
    holders: set[str] = set()
    for found, mod in zip(files, mods, strict=True):
        if mod not in keys:
            at = _around(mod, given, found.root)
            keys[mod] = at, mod
            path = playset.sources[at].path
            if mod != path:
                holders.add(path)
    for path, at in given.items():
        if path not in holders:
            keys.setdefault(path, (at, path))
    in_order = sorted(keys, key=keys.__getitem__)
    sources = [
        playset.sources[given[mod]] if mod in given else source_of(Path(mod), warnings)
        for mod in in_order
    ]
    named, _ = with_own_names(sources)
    rows = [SourceRow(each.name, each.kind, each.path, each.replace_paths) for each in named]
    return rows, {mod: at for at, mod in enumerate(in_order)}


def _around(mod: str, given: dict[str, int], root: str) -> int:
    """Return the position of the innermost given folder around a mod, or of one inside of it."""
    folder = mod
    while folder not in given:
        above = os.path.dirname(folder)
        if above == folder:
            return given.get(root, 0)
        folder = above
    return given[folder]


def _signature(
    sources: Sequence[SourceRow],
    files: "Sequence[Found]",
    placed: Sequence[PlacedFile],
    reading_order: ReadingOrder,
) -> str:
    digest = hashlib.sha256(repr((reading_order, sources)).encode())
    lines = sorted(
        f"{found.root}\0{found.name}\0{place.position}\0{place.relpath}"
        for found, place in zip(files, placed, strict=True)
    )
    # The text of all lines would take as much memory again, twice.
    for number, line in enumerate(lines):
        digest.update(f"\n{line}".encode() if number else line.encode())
    return digest.hexdigest()
