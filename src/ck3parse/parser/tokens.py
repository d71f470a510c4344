"""A text's tokens, read one after another."""

import re
from bisect import bisect_right
from itertools import accumulate

from ck3parse.parser.dialect import Dialect
from ck3parse.parser.grammar_tables import KIND_OF_TEXT, ErrorKind, TokenKind
from ck3parse.parser.patterns import patterns_of, string_patterns


class ScriptError(Exception):
    """An error: its kind, its offset, and what stands there (see `message_of`)."""

    def __init__(self, kind: ErrorKind, start: int, found: str) -> None:
        super().__init__(kind, start, found)
        self.kind = kind
        self.start = start
        self.found = found


class TokenReader:
    """Reads a text token by token.

    Attributes:
        text: the whole text.
        dialect: how it is spelled.
        patterns: the expressions that match it.
        line_starts: the offset of each line's start, then one past the end of the text.
        kind: the kind of the token taken last, one of `TokenKind`.
        found: how that token stands in the text.
        start: where it starts.
        end: where it ends, and the next one is looked for.
    """

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.dialect = dialect
        self.patterns = patterns_of(dialect, text.isascii())
        self.line_starts = [0, *accumulate(map((1).__add__, map(len, text.split("\n"))))]
        self.kind: int = TokenKind.END
        self.found = ""
        self.start = 0
        self.end = 0

    def take(self) -> int:
        """Take the next token; return its kind.

        Raises:
            ScriptError: no token starts there.
        """
        match = self.patterns.token.match(self.text, self.end)
        if match is None or match.lastindex is None:
            self.kind = TokenKind.END
            self.found = ""
            self.start = self.end = self.skipped(self.end)
            if self.start < len(self.text):
                character = self.text[self.start]
                unclosed = character in self.dialect.quotes
                kind = ErrorKind.UNCLOSED_STRING if unclosed else ErrorKind.UNEXPECTED_CHARACTER
                raise ScriptError(kind, self.start, character)
        else:
            group = match.lastindex
            self.found = match[group]
            self.kind = KIND_OF_TEXT.get(self.found, group)
            self.start, self.end = match.span(group)
        return self.kind

    def skipped(self, offset: int) -> int:
        """Return where the spaces, line ends and comments at `offset` end."""
        match = self.patterns.skip.match(self.text, offset)
        return match.end() if match else offset

    def value(self) -> str:
        """Return the value of the token just taken."""
        found = self.found
        if self.kind == TokenKind.STRING:
            return self.unescaped(found[1:-1], found[0])
        if self.kind == TokenKind.PARAM and (len(found) == 1 or found[-1] != "$"):
            return found + "$"
        return found

    def unescaped(self, inner: str, quote: str) -> str:
        """Return what stands between a string's quotes with its escapes resolved."""

        def character(match: re.Match[str]) -> str:
            return escapes.get(match[1], match[1])

        escapes = self.dialect.escapes
        return string_patterns(self.dialect)[quote].escape.sub(character, inner)

    def error(self, kind: ErrorKind) -> ScriptError:
        """Return an error at the token just taken."""
        return ScriptError(kind, self.start, self.found)

    def place_of(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def first_error(self, error: ScriptError) -> ScriptError:
        """Return the lexer's first error from the last token on, if there is one, else `error`.

        The contract has the whole text tokenised first.
        """
        try:
            while self.take():
                pass
        except ScriptError as lexer_error:
            return lexer_error
        return error
