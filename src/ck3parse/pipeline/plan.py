"""Planning a run: which files exist, and which of them must be parsed."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Optional

import msgspec

from ck3parse.files.mod_root import ModRoots
from ck3parse.files.patterns import GUI_SUFFIX, TEXTS_FOLDER, is_localization
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.files.walk import Found, Problem, Skipped, roots_of, walk
from ck3parse.messages import ParseResult
from ck3parse.pipeline.shard import Shard
from ck3parse.store import ExtractionTarget, IndexTarget, Store, StoredFile, Vanished

if TYPE_CHECKING:
    from ck3parse.store.text_store import TextStore


class Plan(msgspec.Struct):
    """What a run found, sorted by what to do with it.

    Attributes:
        to_parse: files that must be parsed.
        unchanged: files that have not changed, with what the store has about them.
        known: files that are new or changed, and whose content the store has a result for.
        problems: paths that cannot be parsed, known without trying.
        skipped: paths that are not scripts.
        vanished: files that the store has and that do not exist any more.
        localization: localization files, if they were asked for; they are in no other list.
        elsewhere: files of other shards; they are in no other list.
        texts: the same of the localization files that the game reads, if they were to be compared
            with a store.
    """

    to_parse: list[Found] = []
    unchanged: list[tuple[Found, StoredFile]] = []
    known: list[tuple[Found, ParseResult]] = []
    problems: list[Problem] = []
    skipped: list[Skipped] = []
    vanished: list[Vanished] = []
    localization: list[Found] = []
    elsewhere: list[Found] = []
    texts: Optional["Plan"] = None

    def record_known(
        self,
        store: "Store | TextStore",
        index: IndexTarget | None = None,
        extraction: ExtractionTarget | None = None,
    ) -> None:
        """Record what needs no parsing: files with known content, and files that vanished.

        If another program has removed a content from the store since, its file moves to `to_parse`.

        Args:
            store: the store that the plan was made with.
            index: as for `Store.record`.
            extraction: as for `Store.record`.

        Raises:
            StoreError: the store cannot be written.
        """
        if gone := set(store.record((), self.known, index, extraction)):
            self.to_parse += gone
            self.known = [each for each in self.known if each[0] not in gone]
        store.remove(self.vanished)

    @property
    def file_count(self) -> int:
        """How many files get a result, without localization files."""
        return len(self.to_parse) + len(self.unchanged) + len(self.known) + len(self.problems)

    @property
    def files(self) -> list[Found]:
        """All files that can be read, without localization files."""
        return [
            *(found for found, _ in self.unchanged),
            *(found for found, _ in self.known),
            *self.to_parse,
            *self.elsewhere,
        ]

    @property
    def is_changed(self) -> bool:
        """Whether a file is new, changed or gone, localization files included."""
        own = bool(self.to_parse or self.known or self.vanished)
        return own or bool(self.texts and self.texts.is_changed)

    @property
    def size_to_parse(self) -> int:
        """Total size of the files that must be parsed, in bytes."""
        return sum(found.size for found in self.to_parse)


def make_plan(
    paths: Sequence[str],
    store: Store,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    gui: bool = False,
    max_bytes: int,
    on_change: Callable[[], None] = lambda: None,
    localization: bool = False,
    shard: Shard | None = None,
    texts: "TextStore | None" = None,
) -> Plan:
    """Find the files under the given paths and compare them with the store.

    A file is unchanged if its size and modification time are. Otherwise, if the store has any
    content of that size, the file is hashed to see whether its content is known.

    Args:
        paths: folders and files.
        store: what earlier runs recorded.
        include: patterns of files to parse although they would be skipped.
        exclude: patterns of files to skip.
        gui: as for `walk`.
        max_bytes: larger files are not read.
        on_change: called once, as soon as there is a file that may have to be parsed.
        localization: whether to find localization files, which are not compared with the store.
        shard: the part of the files to parse; default: all. What the store has of other shards
            stays there.
        texts: what earlier runs recorded of localization files. Those that the game reads, which
            are in `localization/` of their mod, are then found and compared with it.

    Raises:
        UsageError: a path does not exist.
    """
    comparison = _Comparison(paths, store, on_change, shard)
    plan = comparison.plan
    finds_texts = localization or texts is not None
    for entry in walk(paths, include=include, exclude=exclude, gui=gui, localization=finds_texts):
        if isinstance(entry, Skipped):
            plan.skipped.append(entry)
        elif isinstance(entry, Problem):
            plan.problems.append(entry)
        elif finds_texts and is_localization(entry.path):
            plan.localization.append(entry)
        else:
            comparison.add(entry)
    comparison.end(plan.problems, max_bytes)
    if not gui:  # an index in the store has them, and they were not looked for
        plan.vanished = [each for each in plan.vanished if not _is_there(each, GUI_SUFFIX)]
    if texts is not None:
        on_first = on_change if not comparison.changed else lambda: None
        of_texts = _Comparison(paths, texts, on_first, shard)
        for found in plan.localization:
            if of_texts.relpath_of(found).lower().startswith(f"{TEXTS_FOLDER}/"):
                of_texts.add(found)
            else:
                plan.skipped.append(Skipped(found.root, found.name, _NOT_OF_THE_GAME))
        of_texts.end(plan.problems, max_bytes)
        plan.texts, plan.localization = of_texts.plan, []
    return plan


_NOT_OF_THE_GAME = f"localization outside of {TEXTS_FOLDER}/ of its mod: the game does not read it"


def _is_there(vanished: Vanished, suffix: str) -> bool:
    return vanished.name.lower().endswith(suffix) and os.path.exists(
        os.path.join(vanished.root, *vanished.name.split("/"))
    )


class _Comparison:
    """Compares files with what a store has of them.

    Args:
        paths: the folders and files that were given.
        store: what earlier runs recorded.
        on_change: called once, as soon as there is a file that may have to be parsed.
        shard: the part of the files to parse, or `None` for all.
    """

    def __init__(
        self,
        paths: Sequence[str],
        store: "Store | TextStore",
        on_change: Callable[[], None],
        shard: Shard | None,
    ) -> None:
        self.plan = Plan()
        self.changed: list[Found] = []
        self._paths = paths
        self._store = store
        self._stored = store.files_of(roots_of(paths))
        self._on_change = on_change
        self._shard = shard
        self._roots = ModRoots()

    def relpath_of(self, found: Found) -> str:
        return self._roots.relative(found.path, found.root)

    def add(self, found: Found) -> None:
        before = self._stored[found.root].pop(found.name, None)
        if self._shard and not self._shard.holds(self.relpath_of(found)):
            self.plan.elsewhere.append(found)
        elif before and before.settled and before[1:3] == (found.size, found.mtime_ns):
            self.plan.unchanged.append((found, before))
        else:
            if not self.changed:
                self._on_change()
            self.changed.append(found)

    def end(self, problems: Sequence[Problem], max_bytes: int) -> None:
        """Sort changed files, once all are added."""
        sizes = self._store.sizes() if self.changed else set()
        for found in self.changed:
            digest = content_hash(found.path, max_bytes) if found.size in sizes else None
            outcome = self._store.outcome_of(digest) if digest else None
            if outcome is None:
                self.plan.to_parse.append(found)
            else:
                self.plan.known.append((found, outcome))
        self.plan.vanished = _vanished(self._paths, self._stored, problems)


def content_hash(path: str, max_bytes: int) -> str | None:
    """Return the SHA-256 of a file's content in hex, or `None` if the file cannot be read.

    Args:
        path: the file.
        max_bytes: size in bytes above which it is not read.
    """
    try:
        return hashlib.sha256(read_script(path, max_bytes=max_bytes)).hexdigest()
    except CannotReadError:
        return None


def _vanished(
    paths: Iterable[str],
    stored: Mapping[str, Mapping[str, StoredFile]],
    problems: Iterable[Problem],
) -> list[Vanished]:
    # Only files under this run's paths, and in folders that could be read, can be known to be gone.
    given = [os.path.abspath(path) for path in paths]
    unread = [problem.path for problem in problems]
    return [
        Vanished(root, name, before)
        for root, files in stored.items()
        for name, before in files.items()
        if _is_under(path := os.path.join(root, *name.split("/")), given)
        and not _is_under(path, unread)
    ]


def _is_under(path: str, folders: Iterable[str]) -> bool:
    return any(
        path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders
    )
