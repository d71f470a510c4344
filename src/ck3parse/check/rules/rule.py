"""What a check rule is, and what its function gets and returns."""

import codecs
import functools
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from ck3parse.parser import ParseOutcome

PREFIX = "CK3-"
"""Every code starts with it."""

MAX_FINDINGS = 100
"""How many findings of one rule are reported for a file."""

BOM = b"\xef\xbb\xbf"

_WINDOW = 1 << 16


class Source:
    r"""A file to check.

    Args:
        data: the bytes of the file.
        outcome: what the recovering parser made of them.

    Attributes:
        text: the text as the parser reads it, with `\n` as the only line end.
    """

    def __init__(self, data: bytes, outcome: ParseOutcome) -> None:
        self.data = data
        self.outcome = outcome
        text = data.decode("utf-8-sig", "replace")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.text = text

    @functools.cached_property
    def invalid_offsets(self) -> list[int]:
        """Offsets of the first `MAX_FINDINGS` bytes that are not UTF-8."""
        data = self.data
        offsets: list[int] = []
        at = 0
        while at < len(data) and len(offsets) < MAX_FINDINGS:
            window = data[at : at + _WINDOW]
            try:
                at += codecs.utf_8_decode(window, "strict", at + len(window) == len(data))[1]
            except UnicodeDecodeError as error:
                offsets.append(at + error.start)
                at += error.end
        return offsets


class Finding(NamedTuple):
    """One place in a file where a rule applies.

    Attributes:
        line: from 1.
        column: in code points, from 1.
        length: in code points; a finding never spans lines.
        message: what is wrong, without a capital or a full stop.
    """

    line: int
    column: int
    length: int
    message: str


class Places:
    """Lines and columns of offsets in a text. Offsets must be asked for in ascending order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._line = 1
        self.line_start = 0

    def of(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset, both from 1."""
        newlines = self._text.count("\n", self._offset, offset)
        if newlines:
            self._line += newlines
            self.line_start = self._text.rfind("\n", self._offset, offset) + 1
        self._offset = offset
        return self._line, offset - self.line_start + 1


def _everywhere(path: str) -> bool:
    del path
    return True


class Rule(NamedTuple):
    """Everything there is to know about one code.

    Attributes:
        code: starts with `CK3-`; never changes once released.
        severity: of its diagnostics.
        name: a few words joined by hyphens.
        help: the likely fix, in one line.
        why: what is wrong, and what the game makes of it.
        bad: an example with the problem; empty if a text cannot show it.
        good: the same example without the problem.
        find: yields the findings in a file, in any order; `None` if the parser reports this code.
        applies_to: whether findings in the file with this path are shown. The cache knows files by
            their content, so `find` cannot ask for the path.
        on: whether the rule is on by default.
    """

    code: str
    severity: Literal["error", "warning"]
    name: str
    help: str
    why: str
    bad: str = ""
    good: str = ""
    find: Callable[[Source], Iterable[Finding]] | None = None
    applies_to: Callable[[str], bool] = _everywhere
    on: bool = True

    @property
    def title(self) -> str:
        """The name as words."""
        return self.name.replace("-", " ")
