"""The tokens of a whole text of dialect `ck3`, with what is wrong with them reported."""

import re

from ck3parse.parser.ck3.source import Source
from ck3parse.parser.ck3.words import Word, word_of
from ck3parse.parser.grammar_tables import (
    CK3,
    KIND_OF_TEXT,
    OPERATORS,
    ErrorKind,
    TokenKind,
)
from ck3parse.parser.token_table import Fault, Span, TokenTable

EXPRESSION_LINES = 10
"""How many lines an expression may span."""

_STOPS = re.escape(CK3.word_stops)
_SPACES = re.compile("|".join(space.encode().decode("latin-1") for space in CK3.spaces))
_SKIPPED = re.compile(rf"[ \t\r\n]*+(?:{re.escape(CK3.comment)}[^\n]*+[ \t\r\n]*+)*+")
_COMMENT = re.compile(rf"{re.escape(CK3.comment)}[^\n]*+")
_TOKEN = re.compile(
    rf"""
    ([^\x00-\x20\x7f{_STOPS}]++)
  | ([<>!=?]++)
  | ([{{}}])
  | (;++)
  | ([\x00-\x08\x0b\x0c\x0e-\x19\x1b-\x1f\x7f]++)
  | (\x1a)
    """,
    re.VERBOSE,
)
_WORD, _OPERATOR, _BRACE, _SEMICOLONS, _CONTROLS, _END = range(1, 7)
_LINE_END = re.compile(r"\r\n?+|\n")
_EXPRESSION_STOP = re.compile(r"[\[\]{}\r\n]")
_LINE_OR_BRACE = re.compile(r"[{}\r\n]")
_OPERATOR_OF_TEXT = {text: kind for text, kind in KIND_OF_TEXT.items() if kind in OPERATORS}


class Ck3Tokens(TokenTable):
    """The tokens of a text.

    Args:
        source: the text.
        cautious: whether a string ends with its line if it would run over a line that looks like
            script. Else it ends at the next quote.

    Attributes:
        file: the text.
        words: what each token is that is a word, and where it stands in a line, by its index.
        column: the column where each token starts, in code points from 1.
        sound: whether all strings are closed, and each brace has its counterpart.
        comments: the span of each comment.
    """

    CUT_AT = _LINE_OR_BRACE
    SCRIPT_LINE = re.compile(
        r"[\r\n][ \t]*+(?:\}|[^ \t\r\n=<>!?{}\#\"]++[ \t]*+(?:[=<>]|[?!]=)|\"[^ \t\r\n])"
    )

    def __init__(self, source: Source, *, cautious: bool) -> None:
        text = source.text
        lengths = (match.end() for match in _LINE_END.finditer(text, source.start))
        super().__init__(text, [source.start, *lengths, len(text) + 1], CK3.quote)
        self.file = source
        self.words: dict[int, Word] = {}
        self.column: list[int] = []
        self.sound = True
        self.comments: list[Span] = []
        self._cautious = cautious
        self._known: dict[str, Word] = {}
        self._semicolon_found = False
        self._counted, self._columns = -1, 0
        # Each separator outside ASCII becomes control characters, of which one is a byte.
        self._scanned = _SPACES.sub(lambda match: "\0" * len(match[0]), text)
        end = self._read(source.start)
        for _ in range(4):
            self._add(TokenKind.END, end, end)

    def shown(self, start: int, end: int) -> str:
        """Return a part of the text as a reader sees it."""
        return self.file.shown(start, end)

    def value(self, index: int) -> str:
        """Return the value of a token, in UTF-8."""
        start, end, kind = self.start[index], self.end[index], self.kind[index]
        if kind == TokenKind.STRING:
            return self.text[start + 1 : end - 1]
        if kind == TokenKind.CUT_STRING:
            return self.text[start + 1 : end]
        return "=" if kind == TokenKind.EQUAL else self.text[start:end]

    def place_of(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        line, _ = super().place_of(offset)
        return line, len(self.shown(self.line_starts[line - 1], offset)) + 1

    def _read(self, at: int) -> int:
        """Read all tokens from an offset on, and return where the text ends."""
        text = self._scanned
        depth = 0
        while True:
            at = self._skip(at)
            if at == len(text):
                break
            if text[at] == CK3.quote:
                at = self._string(at, CK3.quote)
                continue
            if text.startswith("@[", at):
                at = self._expression(at)
                continue
            match = _TOKEN.match(text, at)
            if match is None or match.lastindex == _END:
                break
            end = match.end()
            match match.lastindex:
                case 1:
                    self._word(at, end)
                case 2:
                    self._operator(at, end)
                case 3:
                    opens = text[at] == "{"
                    depth += 1 if opens else -1
                    self.sound &= depth >= 0
                    self._add(TokenKind.OPEN_BRACE if opens else TokenKind.CLOSE_BRACE, at, end)
                case 4:
                    if not self._semicolon_found:
                        self._semicolon_found = True
                        self._fault(ErrorKind.SEMICOLON, at, at + 1)
                case _:
                    self._fault(ErrorKind.UNUSUAL_SPACE, at, end)
            at = end
        self.sound &= depth == 0
        return at

    def _skip(self, at: int) -> int:
        match = _SKIPPED.match(self._scanned, at)
        end = match.end() if match else at
        for comment in _COMMENT.finditer(self._scanned, at, end):
            ends_in_cr = comment[0][-1] == "\r"  # which is white space
            self.comments.append((comment.start(), comment.end() - ends_in_cr))
        return end

    def _word(self, start: int, end: int) -> None:
        text = self.text[start:end]
        word = self._known.get(text)
        if word is None:
            word = self._known[text] = word_of(text)
        if word.fault:
            self._fault(word.fault, start + word.at, start + word.end)
        if text != ",":
            self.words[len(self.kind)] = word
            self._add(word.kind, start, end)

    def _operator(self, start: int, end: int) -> None:
        kind = _OPERATOR_OF_TEXT.get(self.text[start:end])
        if kind is None:
            self._fault(ErrorKind.UNKNOWN_OPERATOR, start, end)
        self._add(TokenKind.EQUAL if kind is None else kind, start, end)

    def _expression(self, start: int) -> int:
        """Read the expression that starts at an offset, and return where it ends."""
        depth = 0
        line_ends = 0
        own_line = 0
        for match in _EXPRESSION_STOP.finditer(self.text, start):
            mark = match[0]
            if mark in "[]":
                depth += 1 if mark == "[" else -1
                if depth == 0:
                    self._add(TokenKind.EXPRESSION, start, match.end())
                    return match.end()
                continue
            own_line = own_line or match.start()
            if mark in "{}":
                break
            line_ends += not (mark == "\n" and self.text[match.start() - 1] == "\r")
            if line_ends == EXPRESSION_LINES:
                break
        end = own_line or len(self.text)
        while self.text[end - 1] in " \t\r":
            end -= 1
        self._add(TokenKind.EXPRESSION, start, end)
        self._fault(ErrorKind.UNCLOSED_INLINE, start, end)
        return end

    def _string(self, at: int, quote: str) -> int:
        if self._cautious:
            return super()._string(at, quote)
        end = self._string_end(at + 1, quote)
        if end == len(self.text):
            self.sound = False
            return end
        self._add(TokenKind.STRING, at, end + 1)
        return end + 1

    def _add(self, kind: int, start: int, end: int) -> None:
        super()._add(kind, start, end)
        line_start = self.line_starts[self._line - 1]
        if self._counted < line_start:
            self._counted, self._columns = line_start, 1
        self._columns += len(self.shown(self._counted, start))
        self._counted = start
        self.column.append(self._columns)

    def _fault(self, kind: ErrorKind, start: int, end: int) -> None:
        self.faults.append(Fault(kind, start, end, (start, end)))
