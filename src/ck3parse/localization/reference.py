"""The reference parser of localization files, in pure Python."""

import codecs

import msgspec

from ck3parse.localization.characters import blank_end, key_end
from ck3parse.localization.parts import PartRow, parts_of, shown
from ck3parse.localization.scan import Fault, Scan
from ck3parse.localization.tables import NUMBER_DIGITS, FaultKind

_BOM = codecs.BOM_UTF8
_DIGITS = frozenset(b"0123456789")

_Row = tuple[str, int | None, str, int, int, int, int, int, int, int]


def scan(data: bytes, *, parts: bool, max_faults: int) -> Scan:
    """Read a file; see `ck3parse.localization.scan`."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        fault = Fault(FaultKind.UTF_16, 1, 1, 1, "")
        return Scan(b"[]", 0, None, [fault], 1)
    reader = _Reader(parts, max_faults)
    reader.read(data)
    return Scan(
        msgspec.json.encode(reader.entries),
        len(reader.entries),
        reader.header,
        reader.faults,
        reader.fault_count,
    )


class _Reader:
    """Reads the lines of a file one after the other.

    Args:
        parts: whether to list the parts of texts.
        max_faults: how many faults to keep.
    """

    def __init__(self, parts: bool, max_faults: int) -> None:
        self.parts = parts
        self.max_faults = max_faults
        self.entries: list[_Row | tuple[*_Row, list[PartRow]]] = []
        self.faults: list[Fault] = []
        self.fault_count = 0
        self.header: tuple[str, int] | None = None
        self.before_header = True
        self.line = b""
        self.number = 0

    def read(self, data: bytes) -> None:
        base = len(_BOM) if data.startswith(_BOM) else 0
        if data and not base:
            self.number = 1
            self.fault(FaultKind.NO_BOM, 0, 0)
        for number, whole in enumerate(data[base:].splitlines(keepends=True), 1):
            self.line, self.number = whole, number
            at, end = 0, len(whole.rstrip(b"\r\n"))
            if number == 1 and whole.startswith(_BOM):
                self.fault(FaultKind.TWO_BOMS, 0, len(_BOM))
                while whole.startswith(_BOM, at):
                    at += len(_BOM)
            self.read_line(at, end, base)
            base += len(whole)

    def read_line(self, at: int, end: int, base: int) -> None:
        """Read one line.

        Args:
            at: where it starts in `line`.
            end: where it ends there, without its line end.
            base: the offset of `line` in the file.
        """
        line = self.line
        key_start = blank_end(line, at, end)
        if self.is_end(key_start, end):
            return
        key_stop = key_end(line, key_start, end)
        if key_stop == key_start:
            self.fault(FaultKind.NO_KEY, key_start, end)
            return
        is_language = line.startswith(b"l_", key_start, key_stop)
        colon = blank_end(line, key_stop, end)
        if line[colon : min(colon + 1, end)] != b":":
            self.fault(FaultKind.NO_COLON, key_start, key_stop)
            if is_language and self.before_header:
                self.take_header(key_start, key_stop)
            return
        digits = stop = colon + 1
        while stop < end and line[stop] in _DIGITS:
            stop += 1
        quote = blank_end(line, stop, end)
        is_text = line[quote : min(quote + 1, end)] == b'"'
        behind = blank_end(line, digits, end)
        if is_language and not is_text and (self.before_header or self.is_end(behind, end)):
            if not self.before_header:
                self.fault(FaultKind.SECOND_HEADER, key_start, colon + 1)
                return
            self.take_header(key_start, key_stop)
            if not self.is_end(behind, end):
                self.fault(FaultKind.BEHIND_HEADER, behind, end)
            return
        if self.before_header:
            self.before_header = False
            self.fault(FaultKind.NO_HEADER, key_start, key_stop)
        key = key_start, key_stop
        if not is_text:
            self.fault(FaultKind.NO_OPENING_QUOTE, quote, quote, key)
            return
        text, text_stop = quote + 1, line.rfind(b'"', quote + 1, end)
        if text_stop < 0:
            self.fault(FaultKind.NO_CLOSING_QUOTE, quote, quote + 1, key)
            return
        number: int | None = None
        if stop - digits > NUMBER_DIGITS:
            self.fault(FaultKind.LARGE_NUMBER, digits, stop)
        elif stop > digits:
            number = int(line[digits:stop])
        row = (
            *(shown(line[key_start:key_stop]), number, shown(line[text:text_stop]), self.number),
            *(base + key_start, base + key_stop, base + digits, base + stop),
            *(base + text, base + text_stop),
        )
        if self.parts:
            rows, faults = parts_of(line, text, text_stop, base)
            self.entries.append((*row, rows))
            for fault in faults:
                self.fault(*fault)
        else:
            self.entries.append(row)
        behind = blank_end(line, text_stop + 1, end)
        if not self.is_end(behind, end):
            self.fault(FaultKind.BEHIND_TEXT, behind, end)

    def is_end(self, at: int, end: int) -> bool:
        """Return whether nothing or a comment is at an offset."""
        return at >= end or self.line[at] == ord("#")

    def take_header(self, start: int, stop: int) -> None:
        self.before_header = False
        self.header = shown(self.line[start + 2 : stop]), self.number

    def fault(
        self, kind: FaultKind, start: int, end: int, found: tuple[int, int] | None = None
    ) -> None:
        """Note a fault at a place in the line.

        Args:
            kind: what is wrong.
            start: where in the line.
            end: where its place ends.
            found: the start and end of what its message names, if not the place.
        """
        self.fault_count += 1
        if len(self.faults) < self.max_faults:
            column = len(shown(self.line[:start])) + 1
            place = shown(self.line[start:end])
            named = shown(self.line[slice(*found)]) if found else place
            self.faults.append(Fault(kind, self.number, column, column + len(place), named))
