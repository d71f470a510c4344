"""`ck3parse.check`: reports what is wrong with script, for Python and for the command line."""

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import msgspec

from ck3parse.config import read_settings
from ck3parse.errors import UsageError
from ck3parse.jobs.paths import PathArgument, as_texts
from ck3parse.lint.baseline import Baseline
from ck3parse.lint.cache import open_cache
from ck3parse.lint.checker import Check, Checked
from ck3parse.lint.configuration import find_configuration
from ck3parse.lint.fixable import is_fixable
from ck3parse.lint.rules import rule_of, select_codes
from ck3parse.messages import DialectName
from ck3parse.parser import parser_in_use


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong with a file.

    Attributes:
        path: absolute path of the file.
        line: of the first character, from 1.
        column: of the first character, in code points from 1.
        end_line: of the last character.
        end_column: of the character after the last one.
        severity: `error` if the game reads something other than what was meant.
        code: which rule found it, such as `CK3-E008`.
        message: what is wrong, in one sentence.
        help: the likely fix.
        related: path, line and column of another place that it is about, or `None`.
        fixable: whether `check --fix` mends it, unless that changed more than what it is about.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    severity: Literal["error", "warning"]
    code: str
    message: str
    help: str
    related: tuple[str, int, int] | None = None
    fixable: bool = False


class CheckReport(msgspec.Struct, frozen=True):
    """What was found in some files.

    Attributes:
        files: number of files that were checked.
        findings: in order of path, then of place.
    """

    files: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that are warnings."""
        return [finding for finding in self.findings if finding.severity == "warning"]


def check(
    paths: PathArgument | Iterable[PathArgument],
    *,
    select: Iterable[str] = (),
    extend_select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    dialect: DialectName | None = None,
    game: PathArgument | None = None,
    baseline: PathArgument | bool = True,
    cache: PathArgument | bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Report errors and likely mistakes in every script file under some paths, without the game.

    This is what the command `ck3parse check` does; it reads the same `ck3parse.toml` or
    `pyproject.toml`, and needs no broker. A script that calls it needs no
    `if __name__ == "__main__":`.

    Args:
        paths: files and folders.
        select: report these codes instead of the default ones. `E` stands for all errors.
        extend_select: report these codes in addition.
        ignore: do not report these codes.
        include: patterns of files to check although they would be skipped.
        exclude: patterns of files to skip.
        dialect: how to read the files; default: `CK3PARSE_DIALECT`, or `ck3`.
        game: the folder of the game, whose texts those of mods may name.
        baseline: report only what is not in this file, which `check --write-baseline` wrote; `True`
            is the one that the configuration names, if any, `False` is none.
        cache: the file in which results of unchanged files are kept; `True` is one in the user's
            cache folder, `False` is none.
        on_progress: called with the number of files done and to do in all, after each batch.

    Returns:
        What was found.

    Raises:
        UsageError: a path does not exist, or an argument or a setting cannot be used.
        StoreError: the cache cannot be used.
    """
    job = CheckJob.of(
        as_texts(paths),
        select=select,
        extend_select=extend_select,
        ignore=ignore,
        include=include,
        exclude=exclude,
        dialect=dialect,
        game=game,
        baseline=baseline,
    )
    if not job.paths:
        raise UsageError("give at least one path")
    file = None if isinstance(cache, bool) else Path(cache)

    def on_batch(done: int, done_bytes: int, files: int, size: int) -> None:
        del done_bytes, size
        if on_progress:
            on_progress(done, files)

    with open_cache(file, job.check.stored_version, wanted=cache is not False) as store:
        checked = job.check.check_paths(
            job.paths, include=job.include, exclude=job.exclude, store=store, on_batch=on_batch
        )
    if job.baseline:
        checked = job.baseline.without_known(checked)
    return report_of(checked)


class CheckJob(msgspec.Struct, frozen=True):
    """What to check, and how: arguments together with the configuration that applies to them.

    Attributes:
        check: checks files.
        paths: files and folders.
        include: patterns of files to check although they would be skipped.
        exclude: patterns of files to skip.
        baseline: the findings not to report, or `None`.
    """

    check: Check
    paths: Sequence[str]
    include: Sequence[str]
    exclude: Sequence[str]
    baseline: Baseline | None

    @classmethod
    def of(
        cls,
        paths: Sequence[str],
        *,
        select: Iterable[str],
        extend_select: Iterable[str],
        ignore: Iterable[str],
        include: Iterable[str],
        exclude: Iterable[str],
        dialect: DialectName | None,
        game: PathArgument | None,
        baseline: PathArgument | bool,
    ) -> "CheckJob":
        """Return the job of some arguments, which are those of `check`.

        Raises:
            UsageError: an argument, the configuration or the baseline cannot be used.
        """
        configuration = find_configuration([*paths])
        codes = select_codes(
            [*select] or configuration.select,
            [*configuration.extend_select, *extend_select],
            [*configuration.ignore, *ignore],
        )
        settings = read_settings().given(dialect=dialect)
        folder = str(game) if game else configuration.game
        known = configuration.baseline if baseline is True else baseline or None
        return cls(
            Check(settings, parser_in_use(), codes, folder),
            paths,
            [*configuration.include, *include],
            [*configuration.exclude, *exclude],
            Baseline(Path(known), max_bytes=settings.max_file_bytes) if known else None,
        )


def report_of(checked: Sequence[Checked]) -> CheckReport:
    """Return what was found in some files as a report."""
    return CheckReport(
        len(checked),
        tuple(
            Finding(
                each.path,
                found.line,
                found.column,
                found.end_line,
                found.end_column,
                found.severity,
                found.code,
                found.message,
                rule_of(found.code).help,
                related and (related.path, related.line, related.column),
                is_fixable(found, each.path),
            )
            for each in checked
            for found, related in zip_longest(each.diagnostics, each.related)
        ),
    )
