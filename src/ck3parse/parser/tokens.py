"""A text's tokens, read one after another."""

import re
from bisect import bisect_right
from itertools import accumulate

from ck3parse.parser.diagnostics import Kind
from ck3parse.parser.grammar import Token, grammar_of

VALUE_TYPES: dict[int, str] = {
    Token.IDENTIFIER: "identifier",
    Token.STRING: "string",
    Token.NUMBER: "number",
    Token.PARAM: "param",
}
"""The tokens that are a key or a value by themselves, and their `value_type`."""

_ESCAPE_OF = {quote: re.compile(rf"\\([\\nt{quote}])") for quote in "\"'"}
_ESCAPES = {"n": "\n", "t": "\t"}


class ScriptError(Exception):
    """An error: its kind, its offset, and what stands there (see `message_of`)."""

    def __init__(self, kind: Kind, start: int, found: str) -> None:
        super().__init__(kind, start, found)
        self.kind = kind
        self.start = start
        self.found = found


class TokenReader:
    """Reads a text token by token.

    Attributes:
        text: the whole text.
        grammar: its expressions.
        line_starts: the offset of each line's start, then one past the end of the text.
        token: kind of the token taken last, one of `Token`.
        found: how that token stands in the text.
        start: where it starts.
        end: where it ends, and the next one is looked for.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.grammar = grammar_of(text.isascii())
        self.line_starts = [0, *accumulate(map((1).__add__, map(len, text.split("\n"))))]
        self.token: int = Token.END
        self.found = ""
        self.start = 0
        self.end = 0

    def take(self) -> int:
        """Take the next token; return its kind.

        Raises:
            ScriptError: no token starts there.
        """
        match = self.grammar.token.match(self.text, self.end)
        if match is None or match.lastindex is None:
            self.token = Token.END
            self.found = ""
            self.start = self.end = self.skipped(self.end)
            if self.start < len(self.text):
                character = self.text[self.start]
                unclosed = character in "\"'"
                kind = Kind.UNCLOSED_STRING if unclosed else Kind.UNEXPECTED_CHARACTER
                raise ScriptError(kind, self.start, character)
        else:
            self.token = match.lastindex
            self.found = match[self.token]
            self.start, self.end = match.span(self.token)
        return self.token

    def skipped(self, offset: int) -> int:
        """Return where the spaces, line ends and comments at `offset` end."""
        match = self.grammar.skip.match(self.text, offset)
        return match.end() if match else offset

    def value(self) -> str:
        """Return the value of the token just taken."""
        found = self.found
        if self.token == Token.STRING:
            return unescaped(found[1:-1], found[0])
        if self.token == Token.PARAM and (len(found) == 1 or found[-1] != "$"):
            return found + "$"
        return found

    def value_type(self) -> str:
        """Return the value type of the token just taken, one of `VALUE_TYPES`."""
        return "bool" if self.found in ("yes", "no") else VALUE_TYPES[self.token]

    def error(self, kind: Kind) -> ScriptError:
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


def unescaped(inner: str, quote: str) -> str:
    """Return what stands between a string's quotes with its escapes resolved."""
    return _ESCAPE_OF[quote].sub(_escaped, inner)


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])
