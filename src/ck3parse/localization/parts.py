r"""The parts inside a text: keys, chains of calls, formats, icons and escapes.

A part may contain others, as the chain `[GetTrait('$TRAIT$').GetName]` and the format
`#tooltip:$KEY$` do; what is put in for a `$KEY$` is read again. Each step looks at characters that
no other step of its kind looks at, so the time is linear for any text.
"""

import re
from typing import NamedTuple

from ck3parse.localization.characters import key_end
from ck3parse.localization.tables import FaultKind

_SIGN = re.compile(rb"[\\$#@\[]")
_BRACKET = re.compile(rb"[\[\]]")
_BRACE = re.compile(rb"[{}]")
_STYLE_RUN = re.compile(rb"[^\t #\\\[{]*")
_VALUE_FORMAT = re.compile(rb"[^\t $\[\]]*")
_ESCAPES = {b"\\n": "\n", b'\\"': '"', b"##": "#"}

PartRow = tuple[str, int, int, str, str]
"""Kind, start, end, value and format, as in `ck3parse.localization.Part`."""


class PartFault(NamedTuple):
    """A part that is not closed.

    Attributes:
        kind: one of `FaultKind`.
        start: where it starts in the line.
        end: where what is shown of it ends.
    """

    kind: FaultKind
    start: int
    end: int


class _Parts:
    def __init__(self, line: bytes, end: int, base: int) -> None:
        self.line = line
        self.end = end
        self.base = base
        self.rows: list[PartRow] = []
        self.faults: list[PartFault] = []
        self.open: list[tuple[int, int]] = []

    def add(self, kind: str, start: int, end: int, value: str = "", form: str = "") -> None:
        self.rows.append((kind, self.base + start, self.base + end, value, form))

    def value(self, at: int, end: int) -> int:
        """Read the `$` at an offset, and return where to go on."""
        stop = value_end(self.line, at, end)
        if not stop:
            self.faults.append(PartFault(FaultKind.UNCLOSED_VALUE, at, at + 1))
            return at + 1
        name, _, form = shown(self.line[at + 1 : stop - 1]).partition("|")
        self.add("key", at, stop, name, form)
        return stop

    def chain(self, at: int) -> int:
        """Read the `[` at an offset, and return where to go on."""
        stop = chain_end(self.line, at, self.end)
        if not stop:
            self.faults.append(PartFault(FaultKind.UNCLOSED_CHAIN, at, at + 1))
            return at + 1
        calls, sign, form = shown(self.line[at + 1 : stop - 1]).rpartition("|")
        if not sign or any(character in form for character in "$')"):
            calls, form = calls + sign + form, ""
        self.add("chain", at, stop, calls, form)
        inner = at
        while (inner := self.line.find(b"$", inner, stop - 1)) >= 0:
            inner = self.value(inner, stop - 1)
        return stop

    def format(self, at: int) -> int:
        """Read the `#` at an offset, and return where to go on."""
        after = self.line[at + 1 : min(at + 2, self.end)]
        if after == b"!":
            if self.open:
                self.open.pop()
            self.add("end", at, at + 2)
            return at + 2
        if key_end(self.line, at + 1, self.end) > at + 1 or after in (b"$", b"["):
            stop = style_end(self.line, at + 1, self.end)
            self.open.append((at, stop))
            self.add("format", at, stop, shown(self.line[at + 1 : stop]))
        return at + 1


def parts_of(line: bytes, start: int, end: int, base: int) -> tuple[list[PartRow], list[PartFault]]:
    """Return the parts of a text in order of their starts, and those that are not closed.

    Args:
        line: the bytes of a line.
        start: where the text starts in it.
        end: where the text ends.
        base: the offset of the line in the file, which is added to those of the parts.
    """
    parts = _Parts(line, end, base)
    at = start
    while match := _SIGN.search(line, at, end):
        at = match.start()
        sign = line[at : at + 1]
        if escaped := _ESCAPES.get(line[at : min(at + 2, end)]):
            parts.add("escape", at, at + 2, escaped)
            at += 2
        elif sign == b"$":
            at = parts.value(at, end)
        elif sign == b"[":
            at = parts.chain(at)
        elif sign == b"#":
            at = parts.format(at)
        else:
            if sign == b"@" and (stop := icon_end(line, at, end)):
                parts.add("icon", at, stop, shown(line[at + 1 : stop - 1]))
            at += 1
    parts.faults += [PartFault(FaultKind.UNCLOSED_FORMAT, *place) for place in parts.open]
    return parts.rows, sorted(parts.faults, key=lambda fault: fault.start)


def value_end(line: bytes, at: int, end: int) -> int:
    """Return the offset after the `$KEY$` or `$KEY|format$` at an offset, or 0 if there is none."""
    stop = key_end(line, at + 1, end)
    if stop == at + 1:
        return 0
    if line[stop : min(stop + 1, end)] == b"|":
        match = _VALUE_FORMAT.match(line, stop + 1, end)
        stop = match.end() if match else stop
    return stop + 1 if line[stop : min(stop + 1, end)] == b"$" else 0


def chain_end(line: bytes, at: int, end: int) -> int:
    """Return the offset after the `]` of the `[` at an offset, or 0 if another `[` comes first."""
    return _closed(_BRACKET, b"]", line, at, end)


def style_end(line: bytes, at: int, end: int) -> int:
    """Return where the style of a `#` ends: at a blank, `#` or backslash outside of brackets."""
    while True:
        match = _STYLE_RUN.match(line, at, end)
        at = match.end() if match else at
        sign = line[at : min(at + 1, end)]
        if sign == b"[":
            at = chain_end(line, at, end) or at + 1
        elif sign == b"{":
            at = _closed(_BRACE, b"}", line, at, end) or at + 1
        else:
            return at


def icon_end(line: bytes, at: int, end: int) -> int:
    """Return the offset after the `@icon!` at an offset, or 0 if there is none."""
    stop = at + 1
    while True:
        stop = key_end(line, stop, end)
        sign = line[stop : min(stop + 1, end)]
        if sign == b"!":
            return stop + 1 if stop > at + 1 else 0
        after = 0
        if sign == b"$":
            after = value_end(line, stop, end)
        elif sign == b"[":
            after = chain_end(line, stop, end)
        if not after:
            return 0
        stop = after


def shown(part: bytes) -> str:
    """Return a part of a file as text."""
    return part.decode("utf-8", "replace")


def _closed(signs: re.Pattern[bytes], closing: bytes, line: bytes, at: int, end: int) -> int:
    match = signs.search(line, at + 1, end)
    return match.end() if match and match[0] == closing else 0
