"""The tokens of a broken text, with characters that start no token skipped and reported.

All tokens are read at once, into arrays of numbers: recovery looks ahead and reads them twice.
"""

import re
from array import array
from bisect import bisect_right

from ck3parse.parser.dialect import Dialect
from ck3parse.parser.grammar_tables import KEYS, KIND_OF_TEXT, OPERATORS, ErrorKind, TokenKind
from ck3parse.parser.token_patterns import string_patterns
from ck3parse.parser.tokens import TokenReader

TAB_WIDTH = 4
"""Columns between two tab stops, for comparing indentation."""

INLINE_LINES = 10
"""How many lines after its first an inline expression may span."""


# The next line that starts with `}`, with a key and an operator, or with a string.
_SCRIPT_LINE = re.compile(
    r"\n[ \t\r]*+(?:\}|[^ \t\r\n=<>!?{}\#\"']++[ \t\r]*+(?:[=<>]|[?!]=)|[\"'][^ \t\r\n])"
)
_CUT_AT = re.compile(r"[{}\n]")
_BLANKS = re.compile(r"[ \t\r]*+")


Span = tuple[int, int]
"""A start offset and an end offset."""


_INLINE_STOPS = OPERATORS | {TokenKind.END, TokenKind.OPEN_BRACE, TokenKind.CLOSE_BRACE}


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


class RecoveryTokens:
    """The tokens of a text, followed by four of `TokenKind.END`, so that looking ahead is safe.

    Attributes:
        text: the text.
        line_starts: the offset of the start of each line, then the end of the text plus 1.
        kind: the `TokenKind` of each token.
        start: the offset where each token starts.
        end: the offset where each token ends.
        line: the line where each token starts, from 1.
        indent: the indentation of that line, in columns.
        first: 1 for each token that is the first on its line, else 0.
        faults: the errors found while reading tokens; the parser adds its own.
    """

    def __init__(self, text: str, dialect: Dialect) -> None:
        reader = TokenReader(text, dialect)
        self._reader = reader
        self.text = text
        self.line_starts = reader.line_starts
        self.kind = bytearray()
        self.start = array("q")
        self.end = array("q")
        self.line = array("q")
        self.indent = array("q")
        self.first = bytearray()
        self.faults: list[Fault] = []
        self._last_line = 0
        self._line = self._indent = 0
        self._string_known = dict.fromkeys(dialect.quotes, (0, -1))
        self._script_known = (0, -1)
        self._between = 0
        self._below: list[int] = []
        self._ends: list[int] = []
        self._read()
        for _ in range(4):
            self._add(TokenKind.END, len(text), len(text))

    def is_key(self, index: int) -> bool:
        """Return whether a token can be a key, and so a value too."""
        return self.kind[index] in KEYS

    def is_word(self, index: int) -> bool:
        """Return whether a token is an identifier or a bool."""
        return self.kind[index] in (TokenKind.IDENTIFIER, TokenKind.BOOL)

    def is_operator(self, index: int) -> bool:
        """Return whether a token is an operator."""
        return self.kind[index] in OPERATORS

    def starts_line_of_key(self, index: int) -> bool:
        """Return whether a token is the first of its line, and a key with an operator after it."""
        if not self.first[index]:
            return False
        if self.kind[index] == TokenKind.AT and self.is_word(index + 1):
            return self.is_operator(index + 2)
        return self.is_key(index) and self.is_operator(index + 1 + self.is_date(index))

    def is_date(self, index: int) -> bool:
        """Return whether a token is the number at the start of a date: `1066.9` of `1066.9.1`."""
        after = index + 1
        return (
            self.kind[index] == TokenKind.NUMBER
            and self.is_word(after)
            and self.end[index] == self.start[after]
        )

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

    def inline_end(self, index: int) -> tuple[int, bool]:
        """Return where an inline expression ends.

        Args:
            index: the index of its `@`, before a `[`.

        Returns:
            The index of the token after it, and whether it has a closing bracket. Without one, it
            ends with its line or before the first brace or operator.
        """
        line = self.line[index]
        next_line = 0
        depth = 1
        at = index + 2
        while depth:
            kind = self.kind[at]
            if not next_line and self.line[at] != line:
                next_line = at
            if kind in _INLINE_STOPS or self.line[at] > line + INLINE_LINES:
                return next_line or at, False
            depth += (kind == TokenKind.OPEN_BRACKET) - (kind == TokenKind.CLOSE_BRACKET)
            at += 1
        return at, True

    def source(self, index: int) -> str:
        """Return a token as it stands in the text."""
        return self.text[self.start[index] : self.end[index]]

    def value(self, index: int) -> str:
        """Return the value of a token."""
        found = self.source(index)
        kind = self.kind[index]
        if kind == TokenKind.STRING:
            return self._reader.unescaped(found[1:-1], found[0])
        if kind == TokenKind.CUT_STRING:
            return self._reader.unescaped(found[1:], found[0])
        if kind == TokenKind.PARAM and (len(found) == 1 or found[-1] != "$"):
            return found + "$"
        return found

    def place_of(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def _read(self) -> None:
        reader, text = self._reader, self.text
        token = reader.patterns.token
        at = reader.skipped(0)
        while at < len(text):
            character = text[at]
            if character in reader.dialect.quotes:
                at = self._string(at, character)
            elif (match := token.match(text, at)) and match.lastindex:
                group = match.lastindex
                self._add(KIND_OF_TEXT.get(match[group], group), at, match.end())
                at = match.end()
            else:
                self._stray(at)
                at += 1
            at = reader.skipped(at)

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
        if kind == TokenKind.STRING and self.line_starts[line] < end:
            line = bisect_right(self.line_starts, end - 1, line)
        self._last_line = line

    def _indent_of(self, line: int) -> int:
        columns = 0
        match = _BLANKS.match(self.text, self.line_starts[line - 1])
        for blank in match[0] if match else "":
            if blank == "\t":
                columns += TAB_WIDTH - columns % TAB_WIDTH
            else:
                columns += blank == " "
        return columns

    def _stray(self, at: int) -> None:
        last = self.faults[-1] if self.faults else None
        if last and last.kind == ErrorKind.UNEXPECTED_CHARACTER and last.end == at:
            last.end = at + 1
            last.found = (last.start, last.end)
        else:
            self.faults.append(Fault(ErrorKind.UNEXPECTED_CHARACTER, at, at + 1, (at, at + 1)))

    def _string(self, at: int, quote: str) -> int:
        end = self._string_end(at + 1, quote)
        script = self._script_line(at + 1)
        if end < len(self.text) and end < script:
            self._add(TokenKind.STRING, at, end + 1)
            return end + 1
        cut = _CUT_AT.search(self.text, at + 1)
        end = cut.start() if cut else len(self.text)
        while self.text[end - 1] in " \t\r":
            end -= 1
        self._add(TokenKind.CUT_STRING, at, end)
        self.faults.append(Fault(ErrorKind.UNCLOSED_STRING, at, end, (at, at + 1)))
        return end

    # A result of these two applies to every offset between the start of the search and the result.
    # So no part of the text is searched twice.

    def _string_end(self, start: int, quote: str) -> int:
        """Return the offset of the quote that ends a string, or of the end of the text."""
        known_from, known_end = self._string_known[quote]
        if not known_from <= start <= known_end:
            match = string_patterns(self._reader.dialect)[quote].rest.match(self.text, start)
            end = match.end() if match else start
            if end < len(self.text) and self.text[end] != quote:  # a backslash ends the text
                end = len(self.text)
            self._string_known[quote] = known_from, known_end = start, end
        return known_end

    def _script_line(self, start: int) -> int:
        """Return the offset of the line end before the next line that looks like script."""
        known_from, known = self._script_known
        if not known_from <= start <= known:
            match = _SCRIPT_LINE.search(self.text, start)
            known = match.start() if match else len(self.text)
            self._script_known = start, known
        return known
