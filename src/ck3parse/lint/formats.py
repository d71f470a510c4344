"""The output formats of `ck3parse check`, except for SARIF, which is in `sarif`."""

import hashlib
import itertools
import os
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ck3parse.lint.checker import Checked
from ck3parse.lint.excerpt import WIDTH, excerpts, printable, relative_path
from ck3parse.lint.fixable import is_fixable
from ck3parse.lint.rules import rule_of
from ck3parse.lint.sarif import Result, sarif
from ck3parse.messages import Diagnostic
from ck3parse.plurals import counted

ContentOf = Callable[[str], bytes | str]
"""Returns the content of the file with a path, or a path to read it from."""

_LEAST = 20
"""The least columns of an excerpt."""
_ERROR, _WARNING, _BOLD, _FRAME = "1;31", "1;33", "1", "34"
"""Parameters of the escape sequences for colours."""


def text(
    checked: Sequence[Checked],
    content_of: ContentOf,
    *,
    coloured: bool = False,
    columns: int | None = None,
) -> str:
    """Return each diagnostic with its line of the file and the likely fix, for people.

    Args:
        checked: the files.
        content_of: where their lines are read from.
        coloured: whether to add the escape sequences of colours.
        columns: how many the terminal has; `None` if it is none.
    """
    blocks = []
    paint = _painted if coloured else _plain
    for path, diagnostics, _ in checked:
        if not diagnostics:
            continue
        shown = printable(relative_path(path))
        places = [(diagnostic.line, diagnostic.column) for diagnostic in diagnostics]
        frame = len(f"{diagnostics[-1].line} | ")
        room = WIDTH if columns is None else max(_LEAST, min(columns - frame, WIDTH))
        shown_lines = excerpts(content_of(path), places, width=room)
        for diagnostic, lines in zip(diagnostics, shown_lines, strict=True):
            margin = " " * len(str(diagnostic.line))
            strong = _ERROR if diagnostic.severity == "error" else _WARNING
            head = f"{diagnostic.severity}[{diagnostic.code}]"
            mark = _mark(path, diagnostic, content_of)
            message = f"{head}: {mark}{printable(diagnostic.message)}"
            first, *rest = _in_lines(message, columns, "  ")
            block = [
                paint(head, strong) + paint(first.removeprefix(head), _BOLD),
                *(paint(part, _BOLD) for part in rest),
                f"{margin}{paint('-->', _FRAME)} {shown}:{diagnostic.line}:{diagnostic.column}",
            ]
            if lines:
                line, caret = lines
                block.append(f"{paint(f'{diagnostic.line} |', _FRAME)} {line}")
                block.append(f"{paint(f'{margin} |', _FRAME)} {paint(caret, strong)}")
            fix = f"{margin} = help: {rule_of(diagnostic.code).help}"
            first, *rest = _in_lines(fix, columns, f"{margin}   ")
            block += [first.replace("= help:", paint("= help:", _FRAME), 1), *rest]
            blocks.append("\n".join(block) + "\n")
    return "\n".join(blocks)


def _in_lines(text: str, columns: int | None, indent: str) -> list[str]:
    """Return a text in lines for a terminal, without breaking words."""
    if columns is None or len(text) <= columns:
        return [text]
    return textwrap.wrap(
        text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _plain(part: str, colour: str) -> str:
    del colour
    return part


def _painted(part: str, colour: str) -> str:
    return f"\x1b[{colour}m{part}\x1b[0m"


def concise(checked: Sequence[Checked], content_of: ContentOf) -> str:
    """Return one line for each diagnostic."""
    return "".join(
        printable(f"{relative_path(path)}:{d.line}:{d.column}: {d.code} ")
        + printable(f"{_mark(path, d, content_of)}{d.message}")
        + "\n"
        for path, d in _each(checked)
    )


def json(checked: Sequence[Checked], content_of: ContentOf) -> str:
    """Return a JSON object that matches `report.schema.json`."""
    report = {
        "version": 1,
        "files": len(checked),
        "diagnostics": [
            {
                "path": _url_path(path),
                **msgspec.to_builtins(diagnostic),
                "fixable": is_fixable(diagnostic, content_of(path)),
            }
            for path, diagnostic in _each(checked)
        ],
    }
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"


def github(checked: Sequence[Checked], content_of: ContentOf) -> str:
    """Return workflow commands, which GitHub shows as annotations."""
    del content_of
    lines = []
    for path, d in _each(checked):
        place = f"file={_property(_url_path(path))},line={d.line},endLine={d.end_line}"
        if d.line == d.end_line:  # GitHub rejects columns of a range of lines
            place += f",col={d.column},endColumn={d.end_column}"
        message = _data(f"{d.message}; {rule_of(d.code).help}")
        lines.append(f"::{d.severity} {place},title={_property(d.code)}::{message}\n")
    return "".join(lines)


def gitlab(checked: Sequence[Checked], content_of: ContentOf) -> str:
    """Return a GitLab Code Quality report."""
    del content_of
    seen: Counter[str] = Counter()
    report = []
    for path, d in _each(checked):
        # Without the line: an edit above it must not make the same problem a new one.
        identity = f"{_url_path(path)}\0{d.code}\0{d.message}"
        seen[identity] += 1
        fingerprint = hashlib.sha256(f"{identity}\0{seen[identity]}".encode()).hexdigest()
        report.append(
            {
                "description": f"{d.code}: {d.message}",
                "check_name": d.code,
                "fingerprint": fingerprint,
                "severity": "major" if d.severity == "error" else "minor",
                "location": {
                    "path": _url_path(path),
                    "positions": {
                        "begin": {"line": d.line, "column": d.column},
                        "end": {"line": d.end_line, "column": d.end_column},
                    },
                },
            }
        )
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"


def as_sarif(checked: Sequence[Checked], content_of: ContentOf) -> str:
    """Return a SARIF 2.1.0 log."""
    found = [
        Result(
            _url_path(each.path),
            diagnostic,
            related and (_url_path(related.path), related),
            is_fixable(diagnostic, content_of(each.path)),
        )
        for each in checked
        for diagnostic, related in itertools.zip_longest(each.diagnostics, each.related)
    ]
    return sarif(found)


FORMATS: dict[str, Callable[[Sequence[Checked], ContentOf], str]] = {
    "text": text,
    "concise": concise,
    "json": json,
    "github": github,
    "gitlab": gitlab,
    "sarif": as_sarif,
}


def statistics(checked: Sequence[Checked]) -> str:
    """Return how often each code was reported, the most frequent first."""
    counts = Counter(diagnostic.code for _, diagnostic in _each(checked))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{count:>7,}  {code}  {rule_of(code).title}\n" for code, count in ordered)


def summary(checked: Sequence[Checked]) -> str:
    """Return one sentence that sums up a check."""
    severities = Counter(diagnostic.severity for _, diagnostic in _each(checked))
    files = counted(len(checked), "file")
    if not severities:
        return f"nothing found in {files}"
    found = " and ".join(counted(count, severity) for severity, count in sorted(severities.items()))
    affected = sum(bool(each.diagnostics) for each in checked)
    return f"{found} in {affected:,} of {files}"


def fixable(checked: Sequence[Checked], content_of: ContentOf) -> str:
    """Return a sentence that says how much `--fix` mends, or `""` if it is nothing."""
    count = sum(is_fixable(diagnostic, content_of(path)) for path, diagnostic in _each(checked))
    return f"[*] {count:,} fixable with --fix" if count else ""


def _mark(path: str, diagnostic: Diagnostic, content_of: ContentOf) -> str:
    return "[*] " if is_fixable(diagnostic, content_of(path)) else ""


def _each(checked: Sequence[Checked]) -> Iterator[tuple[str, Diagnostic]]:
    for each in checked:
        for diagnostic in each.diagnostics:
            yield each.path, diagnostic


def _url_path(path: str) -> str:
    return relative_path(path).replace(os.sep, "/")


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
