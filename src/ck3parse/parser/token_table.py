"""The tokens of a whole text, in arrays of numbers: recovery looks ahead and reads them twice.

What depends on the dialect is in the subclasses. What does not is here: indentation, where a block
without its brace ends, and where a string without its quote does.
"""

import re
from array import array
from bisect import bisect_right

from ck3parse.parser.diagnostics import ReportedFault
from ck3parse.parser.grammar_tables import KEYS, OPERATORS, ErrorKind, TokenKind

TAB_WIDTH = 4
"""Columns between two tab stops, for comparing indentation."""

Span = tuple[int, int]
"""A start offset and an end offset."""

_BLANKS = re.compile(r"[ \t\r]*+")


class Fault:
    """An error in a broken text.

    Args:
        kind: the kind of the error.
        start: the offset where its place starts.
        end: the offset where its place ends.
        found: the span of the token or key that the message names; empty if it names none.
        opener: the offset of the brace whose line the message names, or -1.
    """

    __slots__ = ("end", "found", "kind", "opener", "start")

    def __init__(
        self, kind: ErrorKind, start: int, end: int, found: Span = (0, 0), opener: int = -1
    ) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.found = found
        self.opener = opener


class TokenTable:
    """The tokens of a text, followed by four of `TokenKind.END`, so that looking ahead is safe.

    A subclass reads them. `CUT_AT` and `SCRIPT_LINE` are its expressions for where a string without
    a closing quote ends, and for the next line that looks like script: one that starts with `}`,
    with a key and an operator, or with a string.

    Args:
        text: the text.
        line_starts: the offset of the start of each line, then the end of the text plus 1.
        quotes: the characters that start a string, and end one that they started.

    Attributes:
        kind: the `TokenKind` of each token.
        start: the offset where each token starts.
        end: the offset where each token ends.
        line: the line where each token starts, from 1.
        indent: the indentation of that line, in columns.
        first: 1 for each token that is the first on its line, else 0.
        faults: the errors found while reading tokens; the parser adds its own.
    """

    CUT_AT: re.Pattern[str]
    SCRIPT_LINE: re.Pattern[str]

    def __init__(self, text: str, line_starts: list[int], quotes: str) -> None:
        self.text = text
        self.line_starts = line_starts
        self.kind = bytearray()
        self.start = array("q")
        self.end = array("q")
        self.line = array("q")
        self.indent = array("q")
        self.first = bytearray()
        self.faults: list[Fault] = []
        self._last_line = 0
        self._line = self._indent = 0
        self._string_known = dict.fromkeys(quotes, (0, -1))
        self._script_known = (0, -1)
        self._between = 0
        self._below: list[int] = []
        self._ends: list[int] = []

    def is_key(self, index: int) -> bool:
        """Return whether a token can be a key, and so a value too."""
        return self.kind[index] in KEYS

    def is_operator(self, index: int) -> bool:
        """Return whether a token is an operator."""
        return self.kind[index] in OPERATORS

    def starts_line_of_key(self, index: int) -> bool:
        """Return whether a token is the first of its line, and a key with an operator after it."""
        return bool(self.first[index]) and self.is_key(index) and self.is_operator(index + 1)

    def after_expression(self, index: int) -> int:
        """Return the index after the expression of several tokens that starts at a token.

        Returns:
            The index of the token itself if there is none.
        """
        return index

    def unclosed(self, opener: int, key: Span, at: int) -> Fault:
        """Return the error of a block that lacks its brace.

        Args:
            opener: the index of its `{`, or of its operator if it lacks that brace, too.
            key: the span of its key; empty for a list.
            at: the index of the token before which it ends.
        """
        after = opener + 1
        if (
            self.kind[opener] == self.kind[after] == TokenKind.OPEN_BRACE
            and self.end[opener] == self.start[after]
        ):
            kind, start, end = ErrorKind.DOUBLED_OPENER, self.start[after], self.end[after]
        elif self.kind[at] == TokenKind.END and not self._is_indented(opener):
            kind, start, end = ErrorKind.UNCLOSED_BLOCK, self.start[opener], self.end[opener]
        else:
            kind = ErrorKind.UNCLOSED_BLOCK
            start = end = self.last_line_within(at, self.indent[opener])
        return Fault(kind, start, end, key, self.start[opener])

    def _is_indented(self, opener: int) -> bool:
        """Return whether the content of a block is indented, and so shows where the block ends."""
        child = opener + 1
        return not self.first[child] or self.indent[child] > self.indent[opener]

    def last_line_within(self, index: int, indent: int) -> int:
        """Return the end of the last line before a token that is indented deeper than a block.

        Args:
            index: the index of a token, other than the first.
            indent: the indentation of the line of the block's brace, in columns.

        Returns:
            An offset. Without such a line, it is the end of the token before.
        """
        if self._between != index:
            self._between = index
            self._below, self._ends = self._lines_before(index)
        at = bisect_right(self._below, indent)
        return self._ends[at] if at < len(self._ends) else self.end[index - 1]

    def _lines_before(self, index: int) -> tuple[list[int], list[int]]:
        """Return what `last_line_within` returns for each indent, as many blocks can end there.

        Returns:
            Indents, ascending, and the end of a line for each. It applies to blocks that are
            indented less than its indent, and not less than the indent before it.
        """
        below: list[int] = []
        ends: list[int] = []
        first = bisect_right(self.line_starts, self.end[index - 1]) + 1
        for line in range(self.line[index] - 1, first - 1, -1):
            start, after = self.line_starts[line - 1], self.line_starts[line] - 1
            while after > start and self.text[after - 1] in " \t\r":
                after -= 1
            indent = self._indent_of(line)
            if after > start:
                # It ends the blocks that are indented as much or more.
                while below and below[-1] > indent:
                    below.pop()
                    end = ends.pop()
                    if (below[-1] if below else 0) < indent:
                        below.append(indent)
                        ends.append(end)
            if (below[-1] if below else 0) < indent:
                below.append(indent)
                ends.append(after)
        return below, ends

    def source(self, index: int) -> str:
        """Return a token as it stands in the text."""
        return self.text[self.start[index] : self.end[index]]

    def place_of(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def _add(self, kind: int, start: int, end: int) -> None:
        line = self._line
        if line == 0 or self.line_starts[line] <= start:
            line = self._line = bisect_right(self.line_starts, start, line)
            self._indent = self._indent_of(line)
        self.kind.append(kind)
        self.start.append(start)
        self.end.append(end)
        self.line.append(line)
        self.indent.append(self._indent)
        self.first.append(line != self._last_line)
        if self.line_starts[line] < end:
            line = bisect_right(self.line_starts, end - 1, line)
        self._last_line = line

    def sorted_faults(self) -> list[Fault]:
        """Return the errors in order of place."""
        return sorted(self.faults, key=lambda fault: fault.start)

    def reported(self, fault: Fault) -> ReportedFault:
        """Return an error as it is reported."""
        return ReportedFault(
            fault.kind,
            *self.place_of(fault.start),
            *self.place_of(fault.end),
            self.shown(*fault.found),
            0 if fault.opener < 0 else self.place_of(fault.opener)[0],
        )

    def shown(self, start: int, end: int) -> str:
        """Return a part of the text as a reader sees it."""
        return self.text[start:end]

    def _indent_of(self, line: int) -> int:
        columns = 0
        match = _BLANKS.match(self.text, self.line_starts[line - 1])
        for blank in match[0] if match else "":
            if blank == "\t":
                columns += TAB_WIDTH - columns % TAB_WIDTH
            else:
                columns += blank == " "
        return columns

    def _string(self, at: int, quote: str) -> int:
        end = self._string_end(at + 1, quote)
        script = self._script_line(at + 1)
        if end < len(self.text) and end < script:
            self._add(TokenKind.STRING, at, end + 1)
            return end + 1
        cut = self.CUT_AT.search(self.text, at + 1)
        end = cut.start() if cut else len(self.text)
        while self.text[end - 1] in " \t\r":
            end -= 1
        self._add(TokenKind.CUT_STRING, at, end)
        self.faults.append(Fault(ErrorKind.UNCLOSED_STRING, at, end, (at, at + 1)))
        return end

    # The result of a search applies to every offset between the start of the search and the result.
    # So no part of the text is searched twice.

    def _string_end(self, start: int, quote: str) -> int:
        """Return the offset of the quote that ends a string, or of the end of the text."""
        known_from, known_end = self._string_known[quote]
        if not known_from <= start <= known_end:
            known_end = self._find_string_end(start, quote)
            self._string_known[quote] = start, known_end
        return known_end

    def _find_string_end(self, start: int, quote: str) -> int:
        end = self.text.find(quote, start)
        return end if end >= 0 else len(self.text)

    def _script_line(self, start: int) -> int:
        """Return the offset of the line end before the next line that looks like script."""
        known_from, known = self._script_known
        if not known_from <= start <= known:
            match = self.SCRIPT_LINE.search(self.text, start)
            known = match.start() if match else len(self.text)
            self._script_known = start, known
        return known
