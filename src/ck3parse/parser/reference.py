"""The reference parser, in pure Python.

A regular expression matches each common element as a whole, and its JSON is written immediately:
there are no token objects and no tree. An element that the expression does not match (such as one
with an operator on the next line, an inline expression or an error) is read token by token. Only
this second path finds errors.
"""

import codecs
from bisect import bisect_right
from json.encoder import encode_basestring_ascii as quoted

from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_MAX_DEPTH, DialectName, Mode
from ck3parse.parser.diagnostics import message_of
from ck3parse.parser.dialect import Dialect
from ck3parse.parser.grammar_tables import (
    CK3RAVEN,
    ERROR_TYPES,
    KEYS,
    OPERATORS,
    VALUE_TYPES,
    ErrorKind,
    TokenKind,
    ValueType,
)
from ck3parse.parser.outcome import ParseOutcome, recovered_outcome
from ck3parse.parser.recovery import recover
from ck3parse.parser.token_patterns import Element
from ck3parse.parser.tokens import ScriptError, TokenReader

# CPython compares global numbers faster than members of an enum.
_IDENTIFIER = Element.IDENTIFIER.value
_STRING = Element.STRING.value
_LAST_ASSIGNED = Element.SCRIPTED.value
_BARE_IDENTIFIER = Element.BARE_IDENTIFIER.value
_BLOCK = Element.BLOCK.value
_CLOSE = Element.CLOSE.value
_NUMBERS = Element.NUMBERS.value
_LIST = Element.LIST.value
_OTHER = Element.OTHER.value
_TYPES = {
    Element.IDENTIFIER.value: ValueType.IDENTIFIER,
    Element.NUMBER.value: ValueType.NUMBER,
    Element.STRING.value: ValueType.STRING,
    Element.SCRIPTED.value: ValueType.SCRIPTED_VALUE,
    Element.BARE_IDENTIFIER.value: ValueType.IDENTIFIER,
    Element.BARE_NUMBER.value: ValueType.NUMBER,
    Element.BARE_STRING.value: ValueType.STRING,
    Element.BARE_SCRIPTED.value: ValueType.SCRIPTED_VALUE,
}


def parse_bytes(
    data: bytes,
    name: str,
    *,
    mode: Mode = "strict",
    max_depth: int = DEFAULT_MAX_DEPTH,
    dialect: DialectName = DEFAULT_DIALECT,
    comments: bool = False,
) -> ParseOutcome:
    """Parse the content of a file; see `ck3parse.parser.parse_bytes`."""
    if dialect == "ck3":
        from ck3parse.parser.ck3 import reference as ck3

        return ck3.parse_bytes(data, name, max_depth=max_depth, comments=comments)
    text = data.decode("utf-8-sig", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return parse_text(text, name, mode=mode, max_depth=max_depth)


def parse_text(
    text: str,
    name: str,
    *,
    mode: Mode = "strict",
    max_depth: int = DEFAULT_MAX_DEPTH,
    dialect: DialectName = DEFAULT_DIALECT,
    comments: bool = False,
) -> ParseOutcome:
    """Parse a text; see `ck3parse.parser.parse_text`."""
    if dialect == "ck3":
        data = text.encode("utf-8", "surrogatepass")
        return parse_bytes(data, name, max_depth=max_depth, dialect=dialect, comments=comments)
    parse = _Parse(text, CK3RAVEN, max_depth)
    try:
        parse.run()
    except ScriptError as error:
        if mode == "recover":
            return recovered_outcome(recover(text, name, CK3RAVEN, max_depth), max_depth)
        error = parse.first_error(error)
        line, column = parse.place_of(error.start)
        return ParseOutcome(
            False,
            error_type=ERROR_TYPES[error.kind],
            error=message_of(error.kind, error.found),
            line=line,
            column=column,
        )
    head = f'{{"_type":"root","filename":{quoted(name)},"children":['
    ast_json = "".join((head, *parse.pieces, "]}")).encode("ascii", "ck3parse.json")
    return ParseOutcome(True, ast_json, parse.node_count)


class _Parse(TokenReader):
    """The parse of one text."""

    def __init__(self, text: str, dialect: Dialect, max_depth: int) -> None:
        super().__init__(text, dialect)
        self.max_depth = max_depth
        self.pieces: list[str] = []
        self.node_count = 1
        self.braces: list[int] = []  # offsets of the open ones

    def run(self) -> None:
        """Write all elements of the text.

        Raises:
            ScriptError: the text has an error. This is the first one, of the lexer or the parser.
        """
        offset = self.skipped(0)
        while offset < len(self.text):
            self.end = self.common_elements(offset)
            if self.end < len(self.text):
                self.any_element()
            offset = self.skipped(self.end)
        if self.braces:
            raise ScriptError(ErrorKind.UNCLOSED_BLOCK, self.braces[-1], "{")

    def common_elements(self, offset: int) -> int:
        """Write common elements from an offset on, and return where the first other one starts."""
        append = self.pieces.append
        braces = self.braces
        max_depth = self.max_depth
        starts = self.line_starts
        line = bisect_right(starts, offset)
        base = starts[line - 1] - 1
        next_start = starts[line]
        place = f'"line":{line},"column":'
        nodes = 0
        comma = self.comma()
        for match in self.patterns.element.finditer(self.text, offset):
            start = match.start()
            if start >= next_start:
                line += 1
                while starts[line] <= start:
                    line += 1
                base = starts[line - 1] - 1
                next_start = starts[line]
                place = f'"line":{line},"column":'
            kind = match.lastindex or 0
            # Values here need escaping only outside ASCII, which the encoder does.
            if kind <= _LAST_ASSIGNED:
                key, operator, value = match.group(1, 2, kind)
                at = match.start(kind) - base
                value_type = _TYPES[kind]
                if kind == _IDENTIFIER:
                    if value == "yes" or value == "no":
                        value_type = ValueType.BOOL
                elif kind == _STRING:
                    at -= 1  # the group starts after the quote
                append(
                    f'{comma}{{"_type":"assignment","key":"{key}","operator":"{operator}",'
                    f"{place}{start - base},"
                    f'"value":{{"_type":"value","value":"{value}","value_type":"{value_type}",'
                    f"{place}{at}}}}}"
                )
                comma = ","
                nodes += 2
            elif kind == _CLOSE:
                count = match[kind].count("}")
                if count > len(braces):
                    break  # `any_element` closes the open ones and reports the rest
                del braces[-count:]
                append("]}" * count)
                comma = ","
            elif kind == _BLOCK:
                if len(braces) >= max_depth:
                    break
                key, operator = match.group(1, 2)
                braces.append(match.start(kind))
                append(
                    f'{comma}{{"_type":"block","name":"{key}","operator":"{operator}",'
                    f'{place}{start - base},"children":['
                )
                comma = ""
                nodes += 1
            elif kind == _NUMBERS:
                numbers = match[kind][:-1].split(" ")
                at = start - base
                for number in numbers:
                    append(
                        f'{comma}{{"_type":"value","value":"{number}","value_type":"number",'
                        f"{place}{at}}}"
                    )
                    comma = ","
                    at += len(number) + 1
                nodes += len(numbers)
            elif kind == _LIST:
                if len(braces) >= max_depth:
                    break
                braces.append(start)
                append(f'{comma}{{"_type":"list",{place}{start - base},"items":[')
                comma = ""
                nodes += 1
            elif kind == _OTHER:
                break
            else:
                value = match[kind]
                value_type = _TYPES[kind]
                if kind == _BARE_IDENTIFIER and (value == "yes" or value == "no"):
                    value_type = ValueType.BOOL
                append(
                    f'{comma}{{"_type":"value","value":"{value}","value_type":"{value_type}",'
                    f"{place}{start - base}}}"
                )
                comma = ","
                nodes += 1
        self.node_count += nodes
        return match.start()

    def any_element(self) -> None:
        """Write the element at `self.end`, or skip what separates elements."""
        self.take()
        separated = False
        while self.kind == TokenKind.SEMICOLON:
            separated = True
            self.take()
        kind = self.kind
        if kind in KEYS:
            self.keyed(self.start, self.value(), VALUE_TYPES[kind])
        elif kind == TokenKind.AT:
            self.named_element()
        elif kind == TokenKind.OPEN_BRACE:
            line, column = self.place_of(self.start)
            self.open_brace(f'{{"_type":"list","line":{line},"column":{column},"items":[')
        elif kind == TokenKind.CLOSE_BRACE and not self.braces:
            raise self.error(ErrorKind.STRAY_CLOSING_BRACE)
        elif kind == TokenKind.CLOSE_BRACE and not separated:
            self.braces.pop()
            self.pieces.append("]}")
        elif kind != TokenKind.END and (kind != TokenKind.COMMA or separated or not self.braces):
            raise self.error(ErrorKind.EXPECTED_ELEMENT)

    def named_element(self) -> None:
        """Write the element whose `@` was just read."""
        start = self.start
        value, value_type = self.named("@")
        if value_type == ValueType.INLINE_EXPRESSION:
            self.write(self.json_value(start, value, value_type))
        else:
            self.keyed(start, value, value_type)

    def keyed(self, start: int, key: str, key_type: str) -> None:
        """Write the element whose key was just read: a value, an assignment or a block."""
        end = self.end
        if self.take() not in OPERATORS:
            self.end = end
            self.write(self.json_value(start, key, key_type))
            return
        operator = self.found
        line, column = self.place_of(start)
        place = f'"operator":"{operator}","line":{line},"column":{column}'
        self.take()
        if self.kind == TokenKind.OPEN_BRACE and key_type != ValueType.SCRIPTED_VALUE:
            self.open_brace(f'{{"_type":"block","name":{quoted(key)},{place},"children":[')
        else:
            value = self.assigned()
            self.node_count += 1
            self.write(f'{{"_type":"assignment","key":{quoted(key)},{place},"value":{value}}}')

    def assigned(self) -> str:
        """Return the JSON of the value whose first token was just read."""
        start = self.start
        if self.kind in VALUE_TYPES:
            return self.json_value(start, self.value(), VALUE_TYPES[self.kind])
        if self.kind == TokenKind.AT:
            return self.json_value(start, *self.named("@"))
        if self.kind == TokenKind.MINUS:
            end = self.end
            if self.take() == TokenKind.PARAM:
                return self.json_value(start, "-" + self.value(), ValueType.PARAM)
            if self.kind == TokenKind.AT:
                return self.json_value(start, *self.named("-@"))
            self.end = end
            return self.json_value(start, "-", ValueType.IDENTIFIER)
        missing = self.kind == TokenKind.END
        raise self.error(ErrorKind.MISSING_VALUE if missing else ErrorKind.EXPECTED_VALUE)

    def named(self, sign: str) -> tuple[str, str]:
        """Return the value and type of a name whose `sign`, `@` or `-@`, was just read."""
        start = self.start
        self.take()
        if self.kind == TokenKind.OPEN_BRACKET and sign == "@":
            return self.inline_expression(start), ValueType.INLINE_EXPRESSION
        if self.kind != TokenKind.IDENTIFIER:
            raise self.error(ErrorKind.EXPECTED_NAME)
        return sign + self.found, ValueType.SCRIPTED_VALUE

    def inline_expression(self, start: int) -> str:
        """Return the inline expression whose `@[`, at `start`, was just read."""
        words: list[str] = []
        depth = 1
        while depth:
            kind = self.take()
            if kind == TokenKind.END:
                raise ScriptError(ErrorKind.UNCLOSED_INLINE, start, "@")
            words.append(self.value())
            depth += (kind == TokenKind.OPEN_BRACKET) - (kind == TokenKind.CLOSE_BRACKET)
        words.pop()
        return f"@[{' '.join(words)}]"

    def open_brace(self, piece: str) -> None:
        """Write the beginning of the block or list whose `{` was just read."""
        if len(self.braces) >= self.max_depth:
            raise ScriptError(ErrorKind.TOO_DEEP, self.start, str(self.max_depth))
        self.braces.append(self.start)
        self.node_count += 1
        self.write(piece)

    def write(self, piece: str) -> None:
        """Write an element."""
        self.pieces.append(self.comma() + piece)

    def comma(self) -> str:
        """Return the comma before the next element, or `""` before the first one."""
        return "," if self.pieces and self.pieces[-1][-1] != "[" else ""

    def json_value(self, start: int, value: str, value_type: str) -> str:
        """Return a value node."""
        self.node_count += 1
        line, column = self.place_of(start)
        return (
            f'{{"_type":"value","value":{quoted(value)},"value_type":"{value_type}",'
            f'"line":{line},"column":{column}}}'
        )


def _escape_for_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return quoted(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("ck3parse.json", _escape_for_json)
