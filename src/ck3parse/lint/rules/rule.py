"""What a check rule is, and what its function gets and returns."""

import bisect
import codecs
import functools
import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from ck3parse.lint.rules.signs import Sign
from ck3parse.parser import ParseOutcome

PREFIX = "CK3-"
"""Every code starts with it."""

MAX_FINDINGS = 100
"""How many findings of one rule are reported for a file."""

BOM = b"\xef\xbb\xbf"

_INVALID = re.compile("[\udc80-\udcff]+")
# A string ends with its line here, so that an unclosed one hides no comment on another line.
_COMMENT_OR_STRING = re.compile('#[^\n]*|"[^"\n]*"?')


class Place(NamedTuple):
    """Where a file is, as far as rules depend on it.

    Attributes:
        path: its path relative to the root of its mod, with `/`.
        of_ck2: whether the mod is one for Crusader Kings II.
    """

    path: str
    of_ck2: bool = False


class Invalid(NamedTuple):
    """The bytes of a file that are not UTF-8. A place is one or more such bytes in a row.

    Attributes:
        outside: how many places are outside of comments.
        inside: how many places are in comments.
        line: of the first place outside of comments or, without one, of the first place.
        column: of that place.
        byte: the first byte there.
    """

    outside: int = 0
    inside: int = 0
    line: int = 1
    column: int = 1
    byte: int = 0


class Source:
    r"""A file to check.

    Args:
        data: the bytes of the file.
        outcome: what the recovering parser made of them.

    Attributes:
        text: the text as the parser reads it, with `\n` as the only line end.
        is_utf_16: whether the file starts with the byte order mark of UTF-16.
    """

    def __init__(self, data: bytes, outcome: ParseOutcome) -> None:
        self.data = data
        self.outcome = outcome
        self.is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "utf-16" if self.is_utf_16 else "utf-8-sig"
        self.text = with_lf(data.decode(encoding, "replace"))

    @functools.cached_property
    def invalid(self) -> Invalid:
        """The bytes that are not UTF-8."""
        if self.is_utf_16 or "\ufffd" not in self.text:
            return Invalid()
        # Each invalid byte becomes one lone surrogate.
        text = with_lf(self.data.decode("utf-8-sig", "surrogateescape"))
        if not _INVALID.search(text):
            return Invalid()
        comments = [
            match.span() for match in _COMMENT_OR_STRING.finditer(text) if match[0].startswith("#")
        ]
        starts = [match.start() for match in _INVALID.finditer(text)]
        inside = {
            start
            for start in starts
            if (index := bisect.bisect_right(comments, (start, len(text))))
            and start < comments[index - 1][1]
        }
        outside = [start for start in starts if start not in inside]
        first = (outside or starts)[0]
        place = Places(text).of(first)
        return Invalid(len(outside), len(inside), *place, ord(text[first]) - 0xDC00)


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


def with_lf(text: str) -> str:
    """Return a text with LF as its only line end."""
    if "\r" in text:
        return text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _everywhere(place: Place) -> bool:
    del place
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
        fixable: whether `check --fix` mends it, where that is certain.
        replacement: the text that should be in the place of a finding, if that is what mends it.
        sign: without it in a text, `find` yields nothing; `None` if there is none.
        applies_to: whether findings in a file at this place are shown. The cache knows files by
            their content, so `find` cannot ask for it.
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
    fixable: bool = False
    replacement: str | None = None
    sign: Sign | None = None
    applies_to: Callable[[Place], bool] = _everywhere
    on: bool = True

    @property
    def title(self) -> str:
        """The name as words."""
        return self.name.replace("-", " ")
