"""A baseline: findings that are known, so that only new ones are reported.

A finding is known by the path of its file, its code and the content of its line, so that it is
known still when lines above it come and go.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from ck3parse.errors import OutputError, UsageError
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.lint.checker import Checked
from ck3parse.lint.rules.rule import with_lf
from ck3parse.messages import Diagnostic

_VERSION = 1
_LONGEST_LINE = 200

_Key = tuple[str, str, str]
"""The path of a file from the folder of the baseline, a code, and the content of the line."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings that are known.

    Attributes:
        path: of their file, from the folder of the baseline, with `/`.
        code: their code.
        line: the content of their line without blanks around it; empty for the whole file.
        count: how many there are.
    """

    path: str
    code: str
    line: str = ""
    count: Annotated[int, msgspec.Meta(ge=1)] = 1


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    findings: list[_Entry]


class Baseline:
    """The findings that are known.

    Args:
        path: the file.
        max_bytes: larger script files are not read.

    Raises:
        UsageError: it cannot be read, or is no baseline.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        try:
            content = msgspec.json.decode(path.read_bytes(), type=_File)
        except (OSError, msgspec.MsgspecError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UsageError(
                f"the baseline {path} cannot be read: {reason}; --write-baseline writes one"
            ) from error
        if content.version != _VERSION:
            raise UsageError(
                f"the baseline {path} has version {content.version}, this ck3parse knows"
                f" {_VERSION}: write it again with --write-baseline"
            )
        self._known: Counter[_Key] = Counter()
        for each in content.findings:
            self._known[each.path, each.code, each.line] += each.count
        self._folder = _folder_of(path)
        self._max_bytes = max_bytes

    def without_known(self, checked: Sequence[Checked], data: bytes | None = None) -> list[Checked]:
        """Return files without the diagnostics that are known.

        Args:
            checked: the files.
            data: the content of the only file, if it is not what is at its path.
        """
        left = self._known.copy()
        return [self._new_in(each, left, data) for each in checked]

    def _new_in(self, checked: Checked, left: "Counter[_Key]", data: bytes | None) -> Checked:
        if not checked.diagnostics:
            return checked
        new: list[int] = []
        if data is None:
            data = _read(checked.path, self._max_bytes)
        keys = _keys(checked, self._folder, data)
        for index, key in enumerate(keys):
            if left[key] > 0:
                left[key] -= 1
            else:
                new.append(index)
        related = checked.related and [checked.related[index] for index in new]
        return Checked(checked.path, [checked.diagnostics[index] for index in new], related)


def write_baseline(checked: Sequence[Checked], path: Path, *, max_bytes: int) -> int:
    """Write a baseline of everything that was found.

    Args:
        checked: the files.
        path: the file to write.
        max_bytes: larger script files are not read.

    Returns:
        How many findings there are.

    Raises:
        OutputError: it cannot be written.
    """
    folder = _folder_of(path)
    counts: Counter[_Key] = Counter()
    for each in checked:
        if each.diagnostics:
            counts.update(_keys(each, folder, _read(each.path, max_bytes)))
    entries = [
        {"path": file, "code": code, **({"line": line} if line else {}), "count": count}
        for (file, code, line), count in sorted(counts.items())
    ]
    # One line for each, so that a review shows what was added.
    lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
    text = f'{{\n  "version": {_VERSION},\n  "findings": [\n{lines}\n  ]\n}}\n'
    try:
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    return counts.total()


def _folder_of(path: Path) -> str:
    return os.path.dirname(os.path.abspath(path))


def _read(path: str, max_bytes: int) -> bytes:
    try:
        return read_script(path, max_bytes=max_bytes)
    except CannotReadError:
        return b""


def _keys(checked: Checked, folder: str, data: bytes) -> list[_Key]:
    lines = with_lf(data.decode("utf-8-sig", "replace")).split("\n")
    path = _relative(checked.path, folder)
    return [(path, each.code, _content(each, lines)) for each in checked.diagnostics]


def _relative(path: str, folder: str) -> str:
    try:
        return os.path.relpath(path, folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.replace(os.sep, "/")


def _content(diagnostic: Diagnostic, lines: Sequence[str]) -> str:
    is_of_file = (diagnostic.line, diagnostic.column, diagnostic.end_column) == (1, 1, 1)
    if is_of_file or diagnostic.line > len(lines):
        return ""
    return lines[diagnostic.line - 1].strip()[:_LONGEST_LINE]
