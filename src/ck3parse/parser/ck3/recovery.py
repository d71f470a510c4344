"""The parser of dialect `ck3` that recovers from every error.

It reads `Ck3Tokens` with the `Repairs` of their braces. No token is left out of the tree but
operators in a wrong place, and closing braces that close nothing.
"""

from json.encoder import encode_basestring as quoted
from typing import NamedTuple

from ck3parse.parser.braces import repairs_of
from ck3parse.parser.ck3.nodes import key_members, value_members
from ck3parse.parser.ck3.source import Source
from ck3parse.parser.ck3.tokens import Ck3Tokens
from ck3parse.parser.ck3.words import Word
from ck3parse.parser.diagnostics import MAX_FAULTS, Recovered, is_error
from ck3parse.parser.grammar_tables import CK3, VALUE_TYPES, ErrorKind, TokenKind
from ck3parse.parser.token_table import Fault, Span

_VALUE = '"_type":"value",'
_TAGS = frozenset(CK3.tags)


def recover(source: Source, max_depth: int, *, comments: bool = False) -> Recovered:
    """Return the tree of a text, and what is wrong with it.

    Args:
        source: the text.
        max_depth: how deep braces may nest. Anything deeper is left out.
        comments: whether the root lists the spans of comments.
    """
    tokens = Ck3Tokens(source, cautious=False)
    if not tokens.sound:
        tokens = Ck3Tokens(source, cautious=True)
    parse = _Recovery(tokens, max_depth)
    parse.run()
    listed = f',"comments":[{",".join(map(parse.span, tokens.comments))}]' if comments else ""
    tree = "".join(
        (
            f'{{"_type":"root","encoding":"{source.encoding}","children":[',
            *parse.pieces,
            f"]{listed}}}",
        )
    )
    faults = tokens.sorted_faults()
    first_error = next((fault for fault in faults if is_error(fault.kind)), None)
    return Recovered(
        tree.encode("latin-1"),
        parse.node_count,
        [tokens.reported(fault) for fault in faults[:MAX_FAULTS]],
        len(faults),
        None if first_error is None else tokens.reported(first_error),
    )


class _Open(NamedTuple):
    """An open block, list or directive.

    Attributes:
        opener: the index of its `{`, or of its operator if it lacks that.
        key: the span of its key; empty for a list.
        piece: the index of the piece that its span is missing from.
        head: its JSON up to the end of its span.
        tail: its JSON from the end of its span on.
    """

    opener: int
    key: Span
    piece: int
    head: str
    tail: str


class _Recovery:
    """The parse of one text."""

    def __init__(self, tokens: Ck3Tokens, max_depth: int) -> None:
        self.tokens = tokens
        self.repairs = repairs_of(tokens)
        self.max_depth = max_depth
        self.pieces: list[str] = []
        self.node_count = 1
        self.open: list[_Open] = []
        self.at = 0

    def run(self) -> None:
        """Write all elements."""
        tokens, kinds, repairs = self.tokens, self.tokens.kind, self.repairs
        while True:
            at = self.at
            for _ in range(repairs.closes.get(at, 0)):
                self.close_unclosed()
            kind = kinds[at]
            if kind == TokenKind.END:
                while self.open:
                    self.close_unclosed()
                return
            self.at += 1
            if kind == TokenKind.DIRECTIVE and not tokens.is_operator(self.at):
                self.directive(at)
            elif tokens.is_key(at):
                self.element(at)
            elif kind == TokenKind.OPEN_BRACE:
                self.open_block(at, (0, 0), '"_type":"list",', at)
            elif kind != TokenKind.CLOSE_BRACE:  # an operator
                self.fault(ErrorKind.EXPECTED_ELEMENT, at)
                if self.at in repairs.opens:
                    self.open_block(at, (0, 0), '"_type":"list",', at)
            elif at in repairs.strays or not self.open:
                self.fault(ErrorKind.STRAY_CLOSING_BRACE, at)
            else:
                self.close(tokens.end[at])

    def directive(self, at: int) -> None:
        """Write the directive whose word stands at an index, with the element after it."""
        tokens = self.tokens
        head = f'"_type":"directive","word":{quoted(tokens.value(at))},'
        after = self.at
        if tokens.first[after] or not (
            tokens.is_key(after) or tokens.kind[after] == TokenKind.OPEN_BRACE
        ):
            self.count()
            self.write(f"{{{head}{self.place(at, tokens.end[at])}}}")
            return
        self.at += 1
        if tokens.is_key(after):
            self.element(after, head, at)
        else:
            self.open_block(after, (0, 0), head, at)

    def element(self, key: int, directive: str = "", start: int = -1) -> None:
        """Write the element whose key or value was just read.

        Args:
            key: the index of the key or value.
            directive: the JSON of the directive before it, up to its key.
            start: the index of that directive.
        """
        tokens, kinds = self.tokens, self.tokens.kind
        start = key if start < 0 else start
        operator = self.at
        if not tokens.is_operator(operator):
            self.write_value(key, directive, start)
            if kinds[operator] == TokenKind.OPEN_BRACE and not tokens.first[operator]:
                self.fault(ErrorKind.MISSING_OPERATOR, key)
            return
        self.at += 1
        while tokens.is_operator(self.at) and kinds[self.at] not in VALUE_TYPES:
            self.fault(ErrorKind.EXPECTED_VALUE, self.at)
            self.at += 1
        at = self.at
        key_span = tokens.start[key], tokens.end[key]
        head = (
            f"{key_members(tokens.value(key), self.word(key))}"
            f'{self.offsets(*key_span)}],"op":"{tokens.value(operator)}",'
        )
        block = directive or '"_type":"block",'
        if kinds[at] == TokenKind.OPEN_BRACE:
            self.at += 1
            self.open_block(at, key_span, block + head, start)
        elif at in self.repairs.opens:
            self.fault(ErrorKind.MISSING_OPENER, operator, key_span)
            self.open_block(operator, key_span, block + head, start)
        elif kinds[at] in (TokenKind.END, TokenKind.CLOSE_BRACE) or tokens.starts_line_of_key(at):
            self.fault(ErrorKind.MISSING_VALUE, operator, key_span)
            self.write_value(key, directive, start)
        else:
            self.at += 1
            if self.is_tag(at):
                self.at += 1
                tag = f'"tag":{quoted(tokens.value(at))},'
                self.open_block(at + 1, key_span, block + head + tag, start)
                return
            self.write_value(at, (directive or '"_type":"assign",') + head, start)

    def is_tag(self, at: int) -> bool:
        """Return whether a value is the tag of a block."""
        tokens = self.tokens
        return (
            tokens.kind[at + 1] == TokenKind.OPEN_BRACE
            and at in tokens.words
            and (not tokens.first[at + 1] or tokens.value(at) in _TAGS)
        )

    def write_value(self, at: int, head: str, start: int) -> None:
        """Write an element that ends with a value.

        Args:
            at: the index of the value.
            head: the JSON of the element up to its value; empty if it is only a value.
            start: the index of the token where it starts.
        """
        tokens = self.tokens
        end = tokens.end[at]
        span = f'"value_span":[{self.offsets(tokens.start[at], end)}],' if head else ""
        value = value_members(tokens.value(at), self.word(at))
        self.count()
        self.write(f"{{{head or _VALUE}{value},{span}{self.place(start, end)}}}")

    def open_block(self, opener: int, key: Span, head: str, start: int) -> None:
        """Write the beginning of a block, a list or a directive.

        Args:
            opener: the index of its `{`, or of its operator if the `{` is missing.
            key: the span of its key; empty without one.
            head: its JSON up to its place.
            start: the index of the token where it starts.
        """
        tokens = self.tokens
        if len(self.open) == self.max_depth:
            self.fault(ErrorKind.TOO_DEEP, opener)
        comma = self.comma()
        head = f'{comma}{{{head}"span":[{self.offset(tokens.start[start])},'
        tail = f'],{self.line_and_column(start)},"children":['
        self.open.append(_Open(opener, key, len(self.pieces), head, tail))
        self.count()
        if not self.too_deep():
            self.pieces.append("[")

    def close(self, end: int) -> None:
        """Write the end of the innermost block, at an offset."""
        block = self.open[-1]
        if not self.too_deep():
            self.pieces[block.piece] = f"{block.head}{self.offset(end)}{block.tail}"
            self.pieces.append("]}")
        self.open.pop()

    def close_unclosed(self) -> None:
        """End the innermost block before `self.at`, and report its missing brace."""
        if self.open:
            opener, key, *_ = self.open[-1]
            self.tokens.faults.append(self.tokens.unclosed(opener, key, self.at))
            self.close(self.tokens.end[self.at - 1])

    def fault(self, kind: ErrorKind, index: int, found: Span | None = None) -> None:
        """Report an error at a token, and the token or another span as what was found."""
        place = self.tokens.start[index], self.tokens.end[index]
        self.tokens.faults.append(Fault(kind, *place, found or place))

    def too_deep(self) -> bool:
        """Return whether the current element is nested too deeply to be written."""
        return len(self.open) > self.max_depth

    def count(self) -> None:
        """Count a node before it is written."""
        self.node_count += not self.too_deep()

    def write(self, piece: str) -> None:
        """Write an element."""
        if not self.too_deep():
            self.pieces.append(self.comma() + piece)

    def comma(self) -> str:
        """Return the comma before the next element, or `""` before the first one."""
        return "," if self.pieces and self.pieces[-1][-1] != "[" else ""

    def word(self, index: int) -> Word:
        """Return what a token is."""
        return self.tokens.words.get(index) or Word(self.tokens.kind[index])

    def place(self, index: int, end: int) -> str:
        """Return the members of a node that say where it stands.

        Args:
            index: the index of the token where it starts.
            end: the offset where it ends.
        """
        span = self.offsets(self.tokens.start[index], end)
        return f'"span":[{span}],{self.line_and_column(index)}'

    def line_and_column(self, index: int) -> str:
        """Return the members of a node for its line and column, which are those of a token."""
        return f'"line":{self.tokens.line[index]},"column":{self.tokens.column[index]}'

    def span(self, span: Span) -> str:
        """Return a span in the file."""
        return f"[{self.offsets(*span)}]"

    def offsets(self, start: int, end: int) -> str:
        """Return two offsets in the file."""
        return f"{self.offset(start)},{self.offset(end)}"

    def offset(self, at: int) -> int:
        """Return the offset in the file of an offset in the text."""
        offsets = self.tokens.file.offsets
        return offsets[at] if offsets else at
