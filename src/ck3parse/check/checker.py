"""Checking files: in this process, and only those that changed since the last time.

A parser takes a tenth of a millisecond for a file, and a check throws the tree away: what a worker
would add, compressing it and a task's way there and back, costs more than it saves.
"""

import hashlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ck3parse.check.warnings import source_of, warnings_of, without_ignored
from ck3parse.config import Settings
from ck3parse.errors import ErrorType, StoreError
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.files.walk import Found
from ck3parse.messages import Diagnostic, ParseResult
from ck3parse.parser import ParseOutcome, Parser
from ck3parse.pipeline.plan import make_plan
from ck3parse.store import Store

CHECK_VERSION = 1
"""Goes up when the same file would get other diagnostics, so that no older ones are shown."""

_BATCH = 500
"""Files that go into the cache together."""

_BOM_FOLDERS = ("common", "events")
_NO_BOM_FOLDER = ("common", "coat_of_arms")


class Checked(NamedTuple):
    """A file and what is wrong with it, in order of place."""

    path: str
    diagnostics: list[Diagnostic]


class Check:
    """Checks files.

    Args:
        of: limits.
        parser: the parser to use.
        codes: the codes to show.
    """

    def __init__(self, of: Settings, parser: Parser, codes: frozenset[str]) -> None:
        self._of = of
        self._parser = parser
        self._codes = codes
        self._optional = codes & {"CK3-W005", "CK3-W006"}

    @property
    def stored_version(self) -> str:
        """What diagnostics are kept under: apart from syntax trees, and from other checks."""
        optional = "".join(f",{code}" for code in sorted(self._optional))
        version = self._of.stored_version(self._parser.version)
        return f"{version};recover;check={CHECK_VERSION}{optional}"

    def text_of(self, data: bytes, path: str) -> Checked:
        """Check a content that need not be in a file.

        Args:
            data: the bytes.
            path: where they are, or would be.
        """
        return self._shown(path, self._result(data, path).diagnostics)

    def paths(
        self, paths: Sequence[str], *, include: Sequence[str], exclude: Sequence[str], store: Store
    ) -> list[Checked]:
        """Check the files under some paths.

        Args:
            paths: files and folders.
            include: patterns of files to check although they would be skipped.
            exclude: patterns of files to skip.
            store: what is known; what is not is added.

        Returns:
            Each file, those without diagnostics too, in order of path.

        Raises:
            UsageError: a path does not exist.
            StoreError: the store cannot be written.
        """
        limit = self._of.max_file_bytes
        plan = make_plan(paths, store, include=include, exclude=exclude, max_bytes=limit)
        plan.record_known(store)
        checked = [
            self._shown(problem.path, [_unreadable(problem.message)]) for problem in plan.problems
        ]
        for batch in _batches(plan.to_parse):
            results = [(found, self._file(found)) for found in batch]
            store.record(results)
            checked += [self._shown(found.path, _all(result)) for found, result in results]
        if plan.to_parse or plan.vanished:
            store.tidy()
        settled = [found for found, _ in plan.unchanged] + [found for found, _ in plan.known]
        known = {root: store.diagnostics_of(root) for root in {found.root for found in settled}}
        checked += [
            self._shown(found.path, known[found.root].get(found.name, [])) for found in settled
        ]
        return sorted(checked, key=lambda each: each.path.split(os.sep))

    def _file(self, found: Found) -> ParseResult:
        try:
            data = read_script(found.path, max_bytes=self._of.max_file_bytes)
        except CannotReadError as reason:
            result = ParseResult("", found.path, error=reason.message)
            result.error_type = reason.error_type
            return result
        return self._result(data, found.path)

    def _result(self, data: bytes, path: str) -> ParseResult:
        outcome = self._parser.parse_bytes(data, path, mode="recover", max_depth=self._of.max_depth)
        source = source_of(data, outcome)
        diagnostics = _errors(outcome) + warnings_of(source, self._optional)
        diagnostics = without_ignored(diagnostics, source.text)
        return ParseResult(
            "",
            path,
            outcome.success,
            error_type=outcome.error_type,
            error=outcome.error,
            line=outcome.line,
            column=outcome.column,
            diagnostics=sorted(diagnostics, key=lambda each: (each.line, each.column)),
            content_hash=hashlib.sha256(data).hexdigest(),
            size=len(data),
        )

    def _shown(self, path: str, diagnostics: list[Diagnostic]) -> Checked:
        wanted = [
            diagnostic
            for diagnostic in diagnostics
            if diagnostic.code in self._codes and (diagnostic.code != "CK3-W001" or wants_bom(path))
        ]
        return Checked(path, wanted)


def wants_bom(path: str) -> bool:
    """Tell whether the game wants a byte order mark in a file, by the folders it is in."""
    folders = path.replace("\\", "/").split("/")[:-1]
    pairs = itertools.pairwise([*folders, ""])
    return any(name in _BOM_FOLDERS and (name, after) != _NO_BOM_FOLDER for name, after in pairs)


@contextmanager
def cache(path: Path | None, version: str, *, wanted: bool) -> Iterator[Store]:
    """Open what is known of earlier checks.

    Args:
        path: the file; default: one in the user's folder for caches.
        version: what diagnostics are kept under.
        wanted: without it, nothing is known or kept.

    Raises:
        StoreError: a file that was named cannot be used.
    """
    if not wanted:
        store = Store(Path(":memory:"), version)
    else:
        try:
            store = Store(path or _default_cache(), version)
        except (StoreError, OSError):
            if path:
                raise
            # No place for a cache is no reason not to check.
            store = Store(Path(":memory:"), version)
    with store:
        yield store


def _default_cache() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base, "ck3parse")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "check.sqlite"


def _errors(outcome: ParseOutcome) -> list[Diagnostic]:
    if outcome.success or outcome.diagnostics:
        return list(outcome.diagnostics)
    # A parser of the user's own need not recover.
    line, column = outcome.line or 1, outcome.column or 1
    message = outcome.error or str(ErrorType.PARSE_ERROR)
    return [Diagnostic(line, column, line, column + 1, "error", "CK3-E003", message)]


def _all(result: ParseResult) -> list[Diagnostic]:
    if result.error_type and not result.diagnostics:
        return [_unreadable(result.error or result.error_type)]
    return result.diagnostics


def _unreadable(message: str) -> Diagnostic:
    return Diagnostic(1, 1, 1, 1, "error", "CK3-E000", message)


def _batches(files: Sequence[Found]) -> Iterable[Sequence[Found]]:
    return (files[start : start + _BATCH] for start in range(0, len(files), _BATCH))
