"""Checks files in this process, and only those that changed since the last check.

The parser needs a tenth of a millisecond for a file, and a check discards the tree. Sending files
to a worker and compressing results would cost more than it saves.
"""

import hashlib
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ck3parse.config import Settings
from ck3parse.errors import ErrorType, StoreError
from ck3parse.files.mod_root import ModRoots, top_for_file
from ck3parse.files.patterns import is_localization
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.files.walk import Found, walk
from ck3parse.lint.duplicates import Duplicates, Related
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.definitions import DUPLICATE
from ck3parse.lint.rules.prose import NOT_SCRIPT
from ck3parse.lint.rules.rule import MAX_FINDINGS, PREFIX, Finding, Place, Rule, Source
from ck3parse.lint.rules.syntax import SYNTAX_ERROR, UNREADABLE
from ck3parse.lint.suppression import without_false, without_suppressed
from ck3parse.messages import Diagnostic, ParseResult
from ck3parse.parser import ParseOutcome, Parser
from ck3parse.parser.outcome import fill_result
from ck3parse.pipeline.plan import make_plan
from ck3parse.store import Store

if TYPE_CHECKING:
    from ck3parse.lint.localization import GameTexts

CHECK_VERSION = 5
"""Increase it when a rule's function changes what it finds: older diagnostics are then ignored."""

_BATCH = 200
"""How many files are written to the cache in one transaction."""


class Checked(NamedTuple):
    """A file and its diagnostics, in order of place."""

    path: str
    diagnostics: list[Diagnostic]
    related: Sequence[Related | None] = ()
    """For each diagnostic, another place that it is about; empty if none has one."""


class Check:
    """Checks files.

    Args:
        settings: for the limits and the dialect; `ck3` if they name none.
        parser: the parser to use.
        codes: the codes to report.
        game: the folder of the game, whose texts those of mods may name.

    Raises:
        UsageError: the folder of the game does not exist.
    """

    def __init__(
        self,
        settings: Settings,
        parser: Parser,
        codes: frozenset[str],
        game: str | None = None,
    ) -> None:
        self._settings = settings
        self._parser = parser
        self._codes = codes
        self._game: GameTexts | None = None
        if game:
            from ck3parse.lint.localization import read_game

            self._game = read_game(game, max_bytes=settings.max_file_bytes)
        self._dialect = settings.dialect or parser.newest_dialect
        self._repeated = self._duplicates()
        # Rules that are on by default are always run, so that selecting fewer of them later finds
        # their results in the cache.
        self._rules = [
            rule for rule in RULES.values() if rule.find and (rule.on or rule.code in codes)
        ]

    @property
    def max_file_bytes(self) -> int:
        """Size in bytes above which a file is not read."""
        return self._settings.max_file_bytes

    @property
    def stored_version(self) -> str:
        """The version that diagnostics are stored under: the parser's, and the rules that run."""
        version = self._settings.stored_version(self._parser.version_of(self._dialect))
        rules = ",".join(rule.code.removeprefix(PREFIX) for rule in self._rules)
        return f"{version};recover;check={CHECK_VERSION},{rules}"

    def _duplicates(self) -> Duplicates | None:
        if DUPLICATE not in self._codes:
            return None
        native = self._parser.name == "native"
        return Duplicates(native=native, max_depth=self._settings.max_depth)

    def check_bytes(self, data: bytes, path: str) -> Checked:
        """Check content that need not be in a file.

        Args:
            data: the bytes.
            path: where they are, or would be.
        """
        places = _Places()
        absolute = os.path.abspath(path)
        if is_localization(path):
            from ck3parse.lint.localization import GivenFile, check_texts

            given = GivenFile(absolute, *places.root_of(absolute), data)
            return Checked(path, check_texts([given], self._codes, self._game)[absolute])
        place = places.of(absolute)
        checked = self._selected(path, place, self._parse(data, place.path).diagnostics)
        duplicates = self._duplicates()
        if duplicates is None:
            return checked
        duplicates.add(absolute, place, data)
        return _with_duplicates(checked, duplicates.found().get(absolute, []))

    def check_paths(
        self,
        paths: Sequence[str],
        *,
        include: Sequence[str],
        exclude: Sequence[str],
        store: Store,
        on_batch: Callable[[int, int, int, int], None] = lambda *_: None,
    ) -> list[Checked]:
        """Check the files under some paths.

        Args:
            paths: files and folders.
            include: patterns of files to check although they would be skipped.
            exclude: patterns of files to skip.
            store: the cache; results that it lacks are added.
            on_batch: called after each batch with the files and bytes done, and with those to do
                in all. Files that did not change are not counted.

        Returns:
            Each file, including those without diagnostics, in order of path.

        Raises:
            UsageError: a path does not exist.
            StoreError: the store cannot be written.
        """
        limit = self._settings.max_file_bytes
        plan = make_plan(
            paths, store, include=include, exclude=exclude, max_bytes=limit, localization=True
        )
        plan.record_known(store)
        places = _Places(paths)
        checked = [
            self._selected(problem.path, Place(""), [_unreadable(problem.message)])
            for problem in plan.problems
        ]
        done = done_bytes = 0
        for batch in _batches(plan.to_parse):
            results = [
                (found, self._read_and_parse(found.path, places.of(found.path))) for found in batch
            ]
            store.record(results)
            checked += [
                self._selected(found.path, places.of(found.path), _with_failure(result))
                for found, result in results
            ]
            done += len(batch)
            done_bytes += sum(found.size for found in batch)
            on_batch(done, done_bytes, len(plan.to_parse), plan.size_to_parse)
        if plan.to_parse or plan.vanished:
            store.tidy()
        settled = [found for found, _ in plan.unchanged] + [found for found, _ in plan.known]
        known = {root: store.diagnostics_of(root) for root in {found.root for found in settled}}
        checked += [
            self._selected(found.path, places.of(found.path), known[found.root].get(found.name, []))
            for found in settled
        ]
        if self._repeated is not None:
            for found in settled:
                self._read_again(found.path, places.of(found.path))
            self._repeated.keep({each.path for each in checked})
            checked = self._with_repeated(checked)
        checked += self._check_texts(plan.localization, places)
        return sorted(checked, key=lambda each: each.path.split(os.sep))

    def check_changed(
        self,
        paths: Sequence[str],
        changed: Collection[str],
        *,
        include: Sequence[str],
        exclude: Sequence[str],
    ) -> list[Checked]:
        """Check those of the files under some paths that changed, without a store.

        Args:
            paths: files and folders, as for `check_paths`.
            changed: absolute paths of files and folders. Those that do not exist, and files that
                `check_paths` would skip, are left out.
            include: as for `check_paths`.
            exclude: as for `check_paths`.

        Returns:
            Each file, in the order in which they are found.
        """
        places = _Places(paths)
        checked: list[Checked] = []
        # A given path may be gone for a moment, or for good.
        existing = [path for path in paths if os.path.exists(path)]
        files = partial(walk, existing, include=include, exclude=exclude, localization=True)
        texts: list[Found] = []
        for entry in files(only=changed):
            if isinstance(entry, Found) and is_localization(entry.path):
                texts.append(entry)
            elif isinstance(entry, Found):
                place = places.of(entry.path)
                diagnostics = _with_failure(self._read_and_parse(entry.path, place))
                checked.append(self._selected(entry.path, place, diagnostics))
        checked = self._with_repeated(checked)
        if texts:  # what is wrong with one of them depends on the others
            found = [each for each in files() if isinstance(each, Found)]
            every = [each for each in found if is_localization(each.path)]
            paths_of_texts = {each.path for each in texts}
            checked += [
                each for each in self._check_texts(every, places) if each.path in paths_of_texts
            ]
        return checked

    def _with_repeated(self, checked: list[Checked]) -> list[Checked]:
        """Return files with their definitions that repeat others."""
        if self._repeated is None:
            return checked
        repeated = self._repeated.found()
        return [_with_duplicates(each, repeated.get(each.path, [])) for each in checked]

    def _check_texts(self, found: Sequence[Found], places: "_Places") -> list[Checked]:
        """Check localization files: all of those of a mod, which belong together."""
        if not found:
            return []
        from ck3parse.lint.localization import GivenFile, check_texts

        checked: list[Checked] = []
        given: list[GivenFile] = []
        for path in (each.path for each in found):
            try:
                data = read_script(path, max_bytes=self._settings.max_file_bytes)
            except CannotReadError as reason:
                checked.append(self._selected(path, Place(""), [_unreadable(reason.message)]))
            else:
                given.append(GivenFile(path, *places.root_of(path), data))
        diagnostics = check_texts(given, self._codes, self._game)
        return checked + [Checked(path, found) for path, found in diagnostics.items()]

    def _read_again(self, path: str, place: Place) -> None:
        """Read what a file defines whose other diagnostics are known."""
        if self._repeated is not None:
            with suppress(CannotReadError):
                data = read_script(path, max_bytes=self._settings.max_file_bytes)
                self._repeated.add(path, place, data)

    def _read_and_parse(self, path: str, place: Place) -> ParseResult:
        try:
            data = read_script(path, max_bytes=self._settings.max_file_bytes)
        except CannotReadError as reason:
            result = ParseResult("", path, error=reason.message)
            result.error_type = reason.error_type
            return result
        if self._repeated is not None:
            self._repeated.add(path, place, data)
        return self._parse(data, place.path)

    def _parse(self, data: bytes, name: str) -> ParseResult:
        """Return the diagnostics of a file.

        Args:
            data: its content.
            name: its path in its mod.
        """
        depth = self._settings.max_depth
        outcome = self._parser.parse(
            data, name, mode="recover", max_depth=depth, dialect=self._dialect
        )
        source = Source(data, outcome)
        diagnostics = without_false(_errors(outcome), source)
        diagnostics += find_all(self._rules, source)
        if any(each.code == NOT_SCRIPT for each in diagnostics):
            diagnostics = [each for each in diagnostics if each.code == NOT_SCRIPT]
        diagnostics = without_suppressed(diagnostics, source.text)
        result = ParseResult(
            "", name, content_hash=hashlib.sha256(data).hexdigest(), size=len(data)
        )
        fill_result(result, outcome, None)
        result.diagnostics = sorted(diagnostics, key=lambda each: (each.line, each.column))
        return result

    def _selected(self, path: str, place: Place, diagnostics: list[Diagnostic]) -> Checked:
        selected = [
            diagnostic
            for diagnostic in diagnostics
            if diagnostic.code in self._codes and RULES[diagnostic.code].applies_to(place)
        ]
        return Checked(path, selected)


def _with_duplicates(checked: Checked, repeated: list[tuple[Diagnostic, Related]]) -> Checked:
    """Return a file with its definitions that repeat others."""
    if not repeated:
        return checked
    told: list[tuple[Diagnostic, Related | None]] = [
        *((diagnostic, None) for diagnostic in checked.diagnostics),
        *repeated,
    ]
    told.sort(key=lambda each: (each[0].line, each[0].column))
    diagnostics, related = zip(*told, strict=True)
    return Checked(checked.path, list(diagnostics), related)


class _Places:
    """Where files are in their mods.

    Args:
        paths: the folders and files that were given.
    """

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._tops = [
            os.path.join(os.path.abspath(path), "") for path in paths if os.path.isdir(path)
        ]
        self._roots = ModRoots()

    def of(self, path: str) -> Place:
        """Return where a file is.

        Args:
            path: absolute path of the file.
        """
        top = self._top_of(path)
        is_of_ck2 = self._roots.is_of_ck2(self._roots.of(path, top))
        return Place(self._roots.relative(path, top), is_of_ck2)

    def root_of(self, path: str) -> tuple[str, str]:
        """Return the root of a file's mod, and the path of the file relative to it.

        Args:
            path: absolute path of the file.
        """
        top = self._top_of(path)
        return self._roots.of(path, top), self._roots.relative(path, top)

    def _top_of(self, path: str) -> str:
        top = next((each for each in self._tops if path.startswith(each)), None)
        return os.path.dirname(top) if top else top_for_file(path)


def find_all(rules: Sequence[Rule], source: Source) -> list[Diagnostic]:
    """Return what some rules find in a file, wherever the file is.

    Args:
        rules: rules with a function.
        source: the file.
    """
    return [
        _diagnostic(rule, finding)
        for rule in rules
        if rule.find
        for finding in itertools.islice(rule.find(source), MAX_FINDINGS)
    ]


def _diagnostic(rule: Rule, finding: Finding) -> Diagnostic:
    line, column, length, message = finding
    return Diagnostic(line, column, line, column + length, rule.severity, rule.code, message)


@contextmanager
def open_cache(path: Path | None, version: str, *, wanted: bool) -> Iterator[Store]:
    """Open the cache of earlier checks.

    Args:
        path: the file; default: one in the user's cache folder.
        version: the version that diagnostics are stored under.
        wanted: if false, the store is empty and nothing is kept.

    Raises:
        StoreError: the file at `path` cannot be used.
    """
    if not wanted:
        store = Store(Path(":memory:"), version)
    else:
        try:
            store = Store(path or _default_cache(), version)
        except (StoreError, OSError):
            if path:
                raise
            # A check works without a cache too.
            store = Store(Path(":memory:"), version)
    with store:
        yield store


def _default_cache() -> Path:
    import platformdirs  # not needed with --cache or --no-cache

    folder: Path = platformdirs.user_cache_path("ck3parse", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "check.sqlite"


def _errors(outcome: ParseOutcome) -> list[Diagnostic]:
    if outcome.success or outcome.diagnostics:
        return list(outcome.diagnostics)
    # A parser named by CK3PARSE_PARSER may not recover.
    line, column = outcome.line or 1, outcome.column or 1
    message = outcome.error or str(ErrorType.PARSE_ERROR)
    return [Diagnostic(line, column, line, column + 1, "error", SYNTAX_ERROR, message)]


def _with_failure(result: ParseResult) -> list[Diagnostic]:
    """Return a result's diagnostics, or one that says why the file has none."""
    if result.error_type and not result.diagnostics:
        return [_unreadable(result.error or result.error_type)]
    return result.diagnostics


def _unreadable(message: str) -> Diagnostic:
    return Diagnostic(1, 1, 1, 1, "error", UNREADABLE, message)


def _batches(files: Sequence[Found]) -> Iterable[Sequence[Found]]:
    return (files[start : start + _BATCH] for start in range(0, len(files), _BATCH))
