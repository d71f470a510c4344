"""The tokens of a broken text of contract 1, with characters that start no token skipped."""

import re

from ck3parse.parser.dialect import Dialect
from ck3parse.parser.grammar_tables import KIND_OF_TEXT, OPERATORS, ErrorKind, TokenKind
from ck3parse.parser.token_patterns import string_patterns
from ck3parse.parser.token_table import Fault, TokenTable
from ck3parse.parser.tokens import TokenReader

INLINE_LINES = 10
"""How many lines after its first an inline expression may span."""

_INLINE_STOPS = OPERATORS | {TokenKind.END, TokenKind.OPEN_BRACE, TokenKind.CLOSE_BRACE}


class RecoveryTokens(TokenTable):
    """The tokens of a text. What is not a token is reported as an error.

    Args:
        text: the text.
        dialect: how the text is spelled.
    """

    CUT_AT = re.compile(r"[{}\n]")
    SCRIPT_LINE = re.compile(
        r"\n[ \t\r]*+(?:\}|[^ \t\r\n=<>!?{}\#\"']++[ \t\r]*+(?:[=<>]|[?!]=)|[\"'][^ \t\r\n])"
    )

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._reader = reader = TokenReader(text, dialect)
        super().__init__(text, reader.line_starts, dialect.quotes)
        self._read()
        for _ in range(4):
            self._add(TokenKind.END, len(text), len(text))

    def is_word(self, index: int) -> bool:
        """Return whether a token is an identifier or a bool."""
        return self.kind[index] in (TokenKind.IDENTIFIER, TokenKind.BOOL)

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

    def after_expression(self, index: int) -> int:
        """Return the index after the expression of several tokens that starts at a token."""
        if self.kind[index] == TokenKind.AT and self.kind[index + 1] == TokenKind.OPEN_BRACKET:
            return self.inline_end(index)[0]
        return index

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

    def _stray(self, at: int) -> None:
        last = self.faults[-1] if self.faults else None
        if last and last.kind == ErrorKind.UNEXPECTED_CHARACTER and last.end == at:
            last.end = at + 1
            last.found = (last.start, last.end)
        else:
            self.faults.append(Fault(ErrorKind.UNEXPECTED_CHARACTER, at, at + 1, (at, at + 1)))

    def _find_string_end(self, start: int, quote: str) -> int:
        match = string_patterns(self._reader.dialect)[quote].rest.match(self.text, start)
        end = match.end() if match else start
        if end < len(self.text) and self.text[end] != quote:  # a backslash ends the text
            return len(self.text)
        return end
