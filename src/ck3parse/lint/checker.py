"""Checks the files under some paths, and only those that changed since the last check.

A check discards the syntax trees, so that a broker and its workers would cost more than they save.
Many files are checked in worker processes of its own.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ck3parse.config import Settings
from ck3parse.config.cpus import usable_cpus
from ck3parse.extractors.ck3 import rules_digest
from ck3parse.files.patterns import is_localization
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.files.walk import Found, walk
from ck3parse.lint.cache import CacheWriter
from ck3parse.lint.definitions import names_of, rule_for
from ck3parse.lint.duplicates import Duplicates, Related
from ck3parse.lint.file_check import Conditions, FileCheck, FileOutcome
from ck3parse.lint.places import Places
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.definitions import DUPLICATE
from ck3parse.lint.rules.rule import PREFIX, Place
from ck3parse.lint.rules.syntax import UNREADABLE
from ck3parse.messages import Diagnostic, ParseResult
from ck3parse.parser import Parser
from ck3parse.pipeline.plan import make_plan
from ck3parse.store import Store

if TYPE_CHECKING:
    from ck3parse.lint.localization import GameTexts

CHECK_VERSION = 6
"""Increase it when a rule's function changes what it finds: older diagnostics are then ignored."""

_BATCH = 200
"""How many files are checked at a time if no worker processes are."""

_FILE_BYTES = 5_000
_PROCESS_BYTES = 10_000_000
"""Worker processes are started for more than this, if each file counts `_FILE_BYTES` more. It takes
longer than starting them."""


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
        dialect = settings.dialect or parser.newest_dialect
        # Rules that are on by default are always run, so that selecting fewer of them later finds
        # their results in the cache.
        rules = [rule for rule in RULES.values() if rule.find and (rule.on or rule.code in codes)]
        self._conditions = Conditions(
            dialect,
            settings.max_depth,
            settings.max_file_bytes,
            [rule.code for rule in rules],
            DUPLICATE in codes,
        )
        self._files = FileCheck(self._conditions, parser)
        self._duplicates = Duplicates()

    @property
    def max_file_bytes(self) -> int:
        """Size in bytes above which a file is not read."""
        return self._settings.max_file_bytes

    @property
    def stored_version(self) -> str:
        """The version that diagnostics are stored under: the parser's, and the rules that run."""
        parser_version = self._parser.version_of(self._conditions.dialect)
        version = self._settings.stored_version(parser_version)
        rules = ",".join(code.removeprefix(PREFIX) for code in self._conditions.codes)
        return f"{version};recover;check={CHECK_VERSION},{rules};names={rules_digest():08x}"

    def check_bytes(self, data: bytes, path: str) -> Checked:
        """Check content that need not be in a file.

        Args:
            data: the bytes.
            path: where they are, or would be.
        """
        places = Places()
        absolute = os.path.abspath(path)
        if is_localization(path):
            from ck3parse.lint.localization import GivenFile, check_texts

            given = GivenFile(absolute, *places.root_of(absolute), data)
            return Checked(path, check_texts([given], self._codes, self._game)[absolute])
        place = places.of(absolute)
        outcome = self._files.of_content(data, place)
        checked = self._selected(path, place, outcome.result.diagnostics)
        duplicates = Duplicates()
        duplicates.replace(absolute, place, names_of(outcome.definitions))
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
        places = Places(paths)
        checked = [
            self._selected(problem.path, Place(""), [_unreadable(problem.message)])
            for problem in plan.problems
        ]
        done = done_bytes = 0
        size_to_parse = plan.size_to_parse  # a sum over all files
        cache = CacheWriter(store)
        try:
            for outcomes in self._outcomes(plan.to_parse, places):
                cache.add(outcomes)
                for found, outcome in outcomes:
                    checked.append(self._taken_over(found, places.of(found.path), outcome))
                    done_bytes += found.size
                done += len(outcomes)
                on_batch(done, done_bytes, len(plan.to_parse), size_to_parse)
        finally:
            cache.write()
        if plan.to_parse or plan.vanished:
            store.tidy()
        settled = [found for found, _ in plan.unchanged] + [found for found, _ in plan.known]
        known = {root: store.diagnostics_of(root) for root in {found.root for found in settled}}
        checked += [
            self._selected(found.path, places.of(found.path), known[found.root].get(found.name, []))
            for found in settled
        ]
        if self._conditions.definitions:
            self._recall(settled, places, store)
            self._duplicates.keep({each.path for each in checked})
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
        places = Places(paths)
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
                outcome = self._files.of_path(entry.path, place)
                checked.append(self._taken_over(entry, place, outcome))
        checked = self._with_repeated(checked)
        if texts:  # what is wrong with one of them depends on the others
            found = [each for each in files() if isinstance(each, Found)]
            every = [each for each in found if is_localization(each.path)]
            paths_of_texts = {each.path for each in texts}
            checked += [
                each for each in self._check_texts(every, places) if each.path in paths_of_texts
            ]
        return checked

    def _outcomes(
        self, files: Sequence[Found], places: Places
    ) -> Iterator[list[tuple[Found, FileOutcome]]]:
        """Check files, and yield what is found in batches of them."""
        count = self._settings.workers or usable_cpus()
        size = sum(found.size for found in files) + len(files) * _FILE_BYTES
        if count == 1 or size <= _PROCESS_BYTES:
            for batch in _batches(files):
                yield [
                    (each, self._files.of_path(each.path, places.of(each.path))) for each in batch
                ]
            return
        from ck3parse.lint.processes import Task, check_in_processes

        tasks = [Task(each.path, places.of(each.path), each.size) for each in files]
        for outcomes in check_in_processes(tasks, self._conditions, count):
            yield [(files[number], outcome) for number, outcome in outcomes]

    def _taken_over(self, found: Found, place: Place, outcome: FileOutcome) -> Checked:
        """Return what is to be reported about a file, and remember what it defines."""
        self._duplicates.replace(found.path, place, names_of(outcome.definitions))
        return self._selected(found.path, place, _with_failure(outcome.result))

    def _with_repeated(self, checked: list[Checked]) -> list[Checked]:
        """Return files with their definitions that repeat others."""
        repeated = self._duplicates.found()
        return [_with_duplicates(each, repeated.get(each.path, [])) for each in checked]

    def _check_texts(self, found: Sequence[Found], places: Places) -> list[Checked]:
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

    def _recall(self, settled: Sequence[Found], places: Places, store: Store) -> None:
        """Take over what files define whose diagnostics are known, from the cache if it has it."""
        known = {root: store.definitions_of(root) for root in {found.root for found in settled}}
        read: list[tuple[str, str, bytes]] = []
        for found in settled:
            place = places.of(found.path)
            rule = rule_for(place)
            if rule is None:
                continue
            names = known[found.root].get(found.name, {}).get(rule)
            if names is None:
                # Its content was found elsewhere, or W011 was not selected.
                outcome = self._files.definitions_of_path(found.path, place)
                if outcome is None:
                    continue
                content_hash, names = outcome
                read.append((content_hash, rule, names))
            self._duplicates.replace(found.path, place, names)
        if read:
            store.record_definitions(read)

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


def _with_failure(result: ParseResult) -> list[Diagnostic]:
    """Return a result's diagnostics, or one that says why the file has none."""
    if result.error_type and not result.diagnostics:
        return [_unreadable(result.error or result.error_type)]
    return result.diagnostics


def _unreadable(message: str) -> Diagnostic:
    return Diagnostic(1, 1, 1, 1, "error", UNREADABLE, message)


def _batches(files: Sequence[Found]) -> Iterable[Sequence[Found]]:
    return (files[start : start + _BATCH] for start in range(0, len(files), _BATCH))
