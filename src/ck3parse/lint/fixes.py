"""Mends what is certain: byte order marks, encodings, line ends, and `==` before words.

Each change is checked before it is kept: the trees before and after must be the same, apart from
what the finding is about.
"""

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from difflib import unified_diff
from typing import Any, NamedTuple

from ck3parse.errors import OutputError
from ck3parse.files.patterns import is_localization
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.lint.checker import Checked
from ck3parse.lint.rules import rule_of
from ck3parse.lint.rules.rule import BOM
from ck3parse.lint.windows_1252 import IF_CERTAIN, certain_text
from ck3parse.localization import parse as parse_localization
from ck3parse.messages import Diagnostic
from ck3parse.parser import Parser

_LINE_END = re.compile(rb"\r\n|\r|\n")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_EQUAL, _EQUALS = "=", "=="
_OF_PLACES = frozenset({"encoding", "span", "key_span", "value_span", "line", "column"})


class Fixed(NamedTuple):
    """A file, and what was mended in it.

    Attributes:
        path: its absolute path.
        before: its content.
        after: the content with what could be mended.
        mended: how many findings were mended.
    """

    path: str
    before: bytes
    after: bytes
    mended: int


class _Step(NamedTuple):
    """One kind of change.

    Attributes:
        codes: of the findings that it mends.
        apply: returns the changed content, or `None` if it is not certain.
    """

    codes: frozenset[str]
    apply: Callable[[bytes, Sequence[Diagnostic]], bytes | None]


def fixed_files(checked: Iterable[Checked], parser: Parser, *, max_bytes: int) -> Iterator[Fixed]:
    """Yield what files would be with what can be mended, without writing them.

    Args:
        checked: the files, as they are.
        parser: reads them before and after.
        max_bytes: larger files are not read.
    """
    for each in checked:
        if not any(rule_of(found.code).fixable for found in each.diagnostics):
            continue
        with suppress(CannotReadError):
            before = read_script(each.path, max_bytes=max_bytes)
            after, count = _mended(before, each.path, each.diagnostics, parser)
            if count:
                yield Fixed(each.path, before, after, count)


def write(fixed: Fixed) -> bool:
    """Write a mended file in one step, with its permissions as they were.

    Args:
        fixed: the file.

    Returns:
        Whether it was written. It is not if its content is not that of before any more.

    Raises:
        OutputError: it cannot be written.
    """
    path = os.path.realpath(fixed.path)  # a link stays one
    made = ""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if file.read() != fixed.before:
                return False
        number, made = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".ck3parse-")
        with open(number, "wb") as file:
            file.write(fixed.after)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(made, stat.S_IMODE(status.st_mode))
        if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (os.getuid(), os.getgid()):
            with suppress(PermissionError):
                os.chown(made, status.st_uid, status.st_gid)
        os.replace(made, path)
    except OSError as error:
        if made:
            with suppress(OSError):
                os.unlink(made)
        raise OutputError(
            f"{fixed.path} cannot be written: {error.strerror}; files before it are fixed"
        ) from error
    return True


def diff(fixed: Fixed, shown_path: str) -> str:
    r"""Return a unified diff. Bytes that are not UTF-8 are written as `\xff`.

    Args:
        fixed: the file.
        shown_path: its path in the diff.
    """
    before, after = (
        data.decode("utf-8", "backslashreplace").removesuffix("\n").split("\n")
        for data in (fixed.before, fixed.after)
    )
    lines = unified_diff(before, after, shown_path, shown_path, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _mended(
    data: bytes, path: str, diagnostics: Sequence[Diagnostic], parser: Parser
) -> tuple[bytes, int]:
    """Return the content with what can be mended, and how many findings are."""
    count = 0
    for step in STEPS:
        found = [each for each in diagnostics if each.code in step.codes]
        if not found:
            continue
        # If they cannot all be mended, some of them may be; the last one first, so that the places
        # of the others stay.
        for some in ([found], [[each] for each in reversed(found)]):
            mended = 0
            for group in some:
                after = step.apply(data, group)
                if after is None or after == data:
                    continue
                if _is_same(data, after, path, group, parser):
                    data = after
                    mended += len(group)
            count += mended
            if mended or len(found) == 1:
                break
    return data, count


def _is_same(
    before: bytes,
    after: bytes,
    path: str,
    found: Collection[Diagnostic],
    parser: Parser,
) -> bool:
    """Return whether two contents mean the same, apart from what some findings are about."""
    try:
        if is_localization(path):
            return _entries(before, path) == _entries(after, path)
        changed = sum(each.code == _DOUBLE_EQUALS for each in found)
        return _differences(_tree(before, path, parser), _tree(after, path, parser)) == changed
    except (RecursionError, ValueError):
        return False


def _entries(data: bytes, path: str) -> list[tuple[Any, ...]]:
    content = parse_localization(data, os.path.basename(path))
    return [(each.key, each.line, _plain(each.text)) for each in content.entries]


def _tree(data: bytes, path: str, parser: Parser) -> Any:
    if "ck3" not in parser.versions:
        from ck3parse.parser import reference

        outcome = reference.parse_bytes(data, path, mode="recover", dialect="ck3")
    else:
        outcome = parser.parse(data, path, mode="recover", max_depth=500, dialect="ck3")
    return json.loads(outcome.ast_json or b"null")


def _differences(before: Any, after: Any) -> float:
    """Return how many operators became a plain `=`; infinity if anything else differs."""
    count = 0
    pending = [(before, after)]
    while pending:
        old, new = pending.pop()
        if isinstance(old, dict) and isinstance(new, dict):
            if old.get("op") == _EQUALS and new.get("op") == _EQUAL:
                count += 1
                old = {**old, "op": _EQUAL}
            keys = old.keys() - _OF_PLACES
            if keys != new.keys() - _OF_PLACES:
                return float("inf")
            pending += [(old[key], new[key]) for key in keys]
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            pending += zip(old, new, strict=True)
        elif isinstance(old, str) and isinstance(new, str):
            if _plain(old) != _plain(new):
                return float("inf")
        elif old != new:
            return float("inf")
    return count


def _plain(text: str) -> str:
    """Return a text as far as no change of its encoding and line ends alters it."""
    return _NOT_ASCII.sub("?", text.replace("\r\n", "\n").replace("\r", "\n"))


def _with_bom(data: bytes, found: Sequence[Diagnostic]) -> bytes:
    del found
    while data.startswith(BOM):
        data = data[len(BOM) :]
    return BOM + data


def _in_utf_8(data: bytes, found: Sequence[Diagnostic]) -> bytes | None:
    """Return a text in UTF-8 if it is certain that it is Windows-1252."""
    del found
    text = certain_text(data)
    return None if text is None else BOM * data.startswith(BOM) + text.encode()


def _with_one_line_end(data: bytes, found: Sequence[Diagnostic]) -> bytes:
    """Return a content with CR LF at each end of a line, or LF, whichever it has more of."""
    del found
    windows = data.count(b"\r\n")
    others = data.count(b"\n") - windows
    return _LINE_END.sub(b"\r\n" if windows > others else b"\n", data)


def _with_plain_equals(data: bytes, found: Sequence[Diagnostic]) -> bytes | None:
    starts = [0, *(match.end() for match in _LINE_END.finditer(data))]
    if data.startswith(BOM):
        starts[0] = len(BOM)
    for each in sorted(found, key=lambda each: (each.line, each.column), reverse=True):
        if each.line > len(starts):
            return None
        start = starts[each.line - 1]
        end = starts[each.line] if each.line < len(starts) else len(data)
        try:
            at = start + len(data[start:end].decode()[: each.column - 1].encode())
        except UnicodeDecodeError:
            return None
        if data[at : at + 2] != b"==":
            return None
        data = data[:at] + data[at + 1 :]
    return data


_DOUBLE_EQUALS = "CK3-W004"

STEPS = (
    _Step(frozenset(IF_CERTAIN), _in_utf_8),
    _Step(frozenset({"CK3-W001", "CK3-L001", "CK3-L002"}), _with_bom),
    _Step(frozenset({"CK3-W012"}), _with_one_line_end),
    _Step(frozenset({_DOUBLE_EQUALS}), _with_plain_equals),
)
"""What mends the findings of fixable rules, in this order."""
