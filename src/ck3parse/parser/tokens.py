"""Read a text token by token."""

import re
from bisect import bisect_right
from itertools import accumulate

from ck3parse.parser.dialect import Dialect
from ck3parse.parser.grammar_tables import KIND_OF_TEXT, ErrorKind, TokenKind
from ck3parse.parser.token_patterns import patterns_of, string_patterns


class ScriptError(Exception):
    """An error: its kind, its offset and the token there (see `message_of`)."""

    def __init__(self, kind: ErrorKind, start: int, found: str) -> None:
        super().__init__(kind, start, found)
        self.kind = kind
        self.start = start
        self.found = found


class TokenReader:
    """Reads a text token by token.

    Attributes:
        text: the whole text.
        dialect: how the text is spelled.
        patterns: the expressions that match the text.
        line_starts: the offset of the start of each line, then the end of the text plus 1.
        kind: the kind of the last token, one of `TokenKind`.
        found: the last token as it stands in the text.
        start: the offset where the last token starts.
        end: the offset where the last token ends, and where the search for the next one starts.
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
        """Read the next token and return its kind.

        Raises:
            ScriptError: no token starts at the next character.
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
        """Return the offset after the blanks, line ends and comments at an offset."""
        match = self.patterns.skip.match(self.text, offset)
        return match.end() if match else offset

    def value(self) -> str:
        """Return the value of the last token."""
        found = self.found
        if self.kind == TokenKind.STRING:
            return self.unescaped(found[1:-1], found[0])
        if self.kind == TokenKind.PARAM and (len(found) == 1 or found[-1] != "$"):
            return found + "$"
        return found

    def unescaped(self, inner: str, quote: str) -> str:
        """Return the content of a string with its escapes resolved."""

        def character(match: re.Match[str]) -> str:
            return escapes.get(match[1], match[1])

        escapes = self.dialect.escapes
        return string_patterns(self.dialect)[quote].escape.sub(character, inner)

    def error(self, kind: ErrorKind) -> ScriptError:
        """Return an error at the last token."""
        return ScriptError(kind, self.start, self.found)

    def place_of(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def first_error(self, error: ScriptError) -> ScriptError:
        """Return the first lexer error after the last token, or `error` if there is none.

        In the contract, the lexer reads the whole text before the parser starts.
        """
        try:
            while self.take():
                pass
        except ScriptError as lexer_error:
            return lexer_error
        return error
