"""The report of ck3-tiger, which its user runs, beside what `check` finds.

ck3-tiger writes it with `--json`: a list of reports, each with a severity, a key, a message and
places. The first place is that of the report, and those after it say what it has to do with. A
place of a whole file has no line and column, one of a whole line no length. Fields that are not
known are passed over, and so are reports without a place.

Beside the list there may be lines of text, which some of ck3-tiger's checks print at once.
"""

import codecs
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import msgspec

from ck3parse.errors import UsageError
from ck3parse.lint.checker import Checked
from ck3parse.lint.rules import TIGER
from ck3parse.messages import Diagnostic

_ERRORS = frozenset({"error", "fatal"})

_SAME: Mapping[str, tuple[str, ...]] = {
    "encoding": ("CK3-W001", "CK3-W002", "CK3-W003", "CK3-L001", "CK3-L003", "CK3-L016"),
    "brackets": ("CK3-E004", "CK3-E008", "CK3-E011", "CK3-E012"),
    "parse-error": ("CK3-E", "CK3-W007", "CK3-W009", "CK3-W101"),
    "duplicate-item": ("CK3-W011", "CK3-L022"),
    "duplicate-field": ("CK3-W006",),
    "localization": ("CK3-L",),
}
"""For some keys of ck3-tiger, codes that say the same of the same line."""

_OF_THE_FILE = "encoding"


class _Location(msgspec.Struct):
    path: str = ""
    fullpath: str | None = None
    linenr: int | None = None
    column: int | None = None
    length: int | None = None


class Report(msgspec.Struct):
    """What ck3-tiger says about one or more places."""

    message: str
    severity: str = "warning"
    key: str = "unknown"
    info: str | None = None
    locations: list[_Location] = []


def read_report(path: Path) -> list[Report]:
    """Read a report of ck3-tiger.

    Args:
        path: the file that it wrote with `--json`.

    Raises:
        UsageError: it cannot be read, or is no such report.
    """
    try:
        return msgspec.json.decode(_list_in(path.read_bytes()), type=list[Report])
    except OSError as error:
        raise UsageError(f"--tiger {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise UsageError(
            f"--tiger {path} is not a report of ck3-tiger ({error}): make it with"
            f" `ck3-tiger --json MOD > {path.name}`"
        ) from error


def _list_in(data: bytes) -> str:
    """Return the list in what ck3-tiger printed."""
    # A shell of Windows redirects text as UTF-16.
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = "\n" + data.decode("utf-16" if is_wide else "utf-8-sig").strip()
    end = text.rfind("\n]")
    return text[max(text.find("\n["), 0) : end + 2 if end >= 0 else len(text)]


def with_reports(
    checked: Sequence[Checked], reports: Iterable[Report], paths: Sequence[str]
) -> list[Checked]:
    """Return what `check` found together with what ck3-tiger reports about the same paths.

    Of a report that says the same as a finding of `check` in the same line, only the latter stays.

    Args:
        checked: the files that were checked.
        reports: what ck3-tiger reports. The first place in a file that was asked about counts.
        paths: the files and folders that were given.
    """
    places = _Places(checked, paths)
    by_path: defaultdict[str, list[Diagnostic]] = defaultdict(list)
    for report in reports:
        for location in report.locations:
            if path := places.of(location):
                by_path[path].append(_diagnostic(report, location))
                break
    known = {each.path: each for each in checked}
    merged = [
        _merged(known.get(path, Checked(path, [])), by_path.get(path, []))
        for path in known.keys() | by_path.keys()
    ]
    return sorted(merged, key=lambda each: each.path.split(os.sep))


class _Places:
    """The files that ck3-tiger's places are in."""

    def __init__(self, checked: Sequence[Checked], paths: Sequence[str]) -> None:
        self._known = {each.path for each in checked}
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for path in self._known:
            self._by_name[os.path.basename(path)].append(path)
        self._tops = tuple(
            os.path.join(os.path.abspath(path), "") for path in paths if os.path.isdir(path)
        )

    def of(self, location: _Location) -> str | None:
        """Return the absolute path of a place's file, or `None` if it was not asked about."""
        full = location.fullpath and os.path.normpath(location.fullpath)
        if full and (full in self._known or (full.startswith(self._tops) and os.path.exists(full))):
            return full
        # The report was made where folders have other names.
        name = location.path.replace("\\", "/").strip("/")
        ending = os.sep + name.replace("/", os.sep)
        found = [path for path in self._by_name[name.rpartition("/")[2]] if path.endswith(ending)]
        return found[0] if len(found) == 1 else None


def _diagnostic(report: Report, location: _Location) -> Diagnostic:
    line = max(location.linenr or 1, 1)
    column = max(location.column or 1, 1) if location.linenr else 1
    info = f"; {report.info}" if report.info else ""
    message = " ".join(f"{report.message}{info}".split()) or report.key
    severity: Literal["error", "warning"] = (
        "error" if report.severity.casefold() in _ERRORS else "warning"
    )
    end = column + (max(location.length or 0, 0) if location.linenr else 0)
    return Diagnostic(line, column, line, end, severity, TIGER + report.key, message)


def _merged(checked: Checked, reports: Sequence[Diagnostic]) -> Checked:
    own = list(zip_longest(checked.diagnostics, checked.related))
    others = [
        (each, None)
        for each in reports
        if not any(_says_the_same(each, mine) for mine in checked.diagnostics)
    ]
    if not others:
        return checked
    told = sorted([*own, *others], key=lambda each: (each[0].line, each[0].column))
    diagnostics, related = zip(*told, strict=True)
    return Checked(checked.path, list(diagnostics), related)


def _says_the_same(report: Diagnostic, mine: Diagnostic) -> bool:
    key = report.code.removeprefix(TIGER)
    in_place = report.line == mine.line or key == _OF_THE_FILE
    return in_place and mine.code.startswith(_SAME.get(key, ("\0",)))
