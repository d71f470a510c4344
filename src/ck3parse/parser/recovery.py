"""The reference parser for broken texts: the AST of the sound parts, and all errors.

It reads `RecoveryTokens` with the `Repairs` of their braces. An unexpected token is reported, and
skipped with all that follows it up to the next brace or line.
"""

from json.encoder import encode_basestring_ascii as quoted

from ck3parse.parser.braces import repairs_of
from ck3parse.parser.diagnostics import MAX_FAULTS, Recovered
from ck3parse.parser.dialect import Dialect
from ck3parse.parser.grammar_tables import VALUE_TYPES, ErrorKind, TokenKind, ValueType
from ck3parse.parser.recovery_tokens import RecoveryTokens
from ck3parse.parser.token_table import Fault, Span


def recover(text: str, name: str, dialect: Dialect, max_depth: int) -> Recovered:
    """Return the AST of the sound parts of a text, and its errors.

    Args:
        text: the script.
        name: the `filename` of the root node.
        dialect: how the script is spelled.
        max_depth: how deep braces may nest. Anything deeper is left out.
    """
    tokens = RecoveryTokens(text, dialect)
    parse = _Recovery(tokens, max_depth)
    parse.run()
    head = f'{{"_type":"root","filename":{quoted(name)},"children":['
    ast_json = "".join((head, *parse.pieces, "]}")).encode("ascii")
    faults = tokens.sorted_faults()
    shown = [tokens.reported(fault) for fault in faults[:MAX_FAULTS]]
    return Recovered(ast_json, parse.node_count, shown, len(faults), shown[0] if shown else None)


class _Recovery:
    """The parse of one broken text."""

    def __init__(self, tokens: RecoveryTokens, max_depth: int) -> None:
        self.tokens = tokens
        self.repairs = repairs_of(tokens)
        self.max_depth = max_depth
        self.pieces: list[str] = []
        self.node_count = 1
        self.open: list[tuple[int, Span]] = []
        """The opener of each open block (its `{`, or the operator that lacks one), and its key."""
        self.at = 0

    def run(self) -> None:
        """Write all sound elements."""
        tokens, kinds = self.tokens, self.tokens.kind
        closes = self.repairs.closes
        owed = False  # whether an element must follow a `;`
        while True:
            at = self.at
            for _ in range(closes.get(at, 0)):
                self.close_unclosed()
            kind = kinds[at]
            if kind == TokenKind.END:
                while self.open:
                    self.close_unclosed()
                return
            self.at += 1
            if kind == TokenKind.SEMICOLON:
                owed = True
                continue
            if tokens.is_key(at):
                self.keyed(at, tokens.value(at))
            elif kind == TokenKind.CLOSE_BRACE:
                if at in self.repairs.strays or not self.open:
                    self.fault(ErrorKind.STRAY_CLOSING_BRACE, at)
                else:
                    if owed:
                        self.fault(ErrorKind.EXPECTED_ELEMENT, at)
                    self.close()
            elif kind == TokenKind.OPEN_BRACE or at in self.repairs.opens:
                head = f'{{"_type":"list",{self.place(at)},"items":['
                self.open_block(at, (0, 0), head)
            elif kind == TokenKind.AT:
                self.named_element(at)
            elif kind != TokenKind.COMMA or owed or not self.open:
                self.unexpected(ErrorKind.EXPECTED_ELEMENT, at)
            owed = False

    def named_element(self, at: int) -> None:
        """Write the element that starts with the `@` at an index."""
        value, value_type = self.named(at, "@")
        if value_type == ValueType.INLINE_EXPRESSION:
            self.write(self.json_value(at, value, value_type))
        elif value_type:
            self.keyed(at, value)

    def keyed(self, start: int, text: str) -> None:
        """Write the element whose key starts at an index and ends before `self.at`."""
        tokens = self.tokens
        operator = self.at
        value_type = self.value_type(start)
        if not tokens.is_operator(operator):
            self.write(self.json_value(start, text, value_type))
            return
        dated = start and tokens.is_date(start - 1)
        key = tokens.start[start - 1 if dated else start], tokens.end[operator - 1]
        self.at += 1
        while tokens.is_operator(self.at) and tokens.kind[self.at] not in VALUE_TYPES:
            self.fault(ErrorKind.EXPECTED_VALUE, self.at)
            self.at += 1
        at = self.at
        rest = f'"operator":"{tokens.source(operator)}",{self.place(start)}'
        opens = tokens.kind[at] == TokenKind.OPEN_BRACE and value_type != ValueType.SCRIPTED_VALUE
        if opens or at in self.repairs.opens:
            head = f'{{"_type":"block","name":{quoted(text)},{rest},"children":['
            if opens:
                self.at += 1
                self.open_block(at, key, head)
            else:
                self.fault(ErrorKind.MISSING_OPENER, operator, key)
                self.open_block(operator, key, head)
            return
        if value := self.assigned(operator, key):
            self.count()
            self.write(f'{{"_type":"assignment","key":{quoted(text)},{rest},"value":{value}}}')

    def assigned(self, operator: int, key: Span) -> str:
        """Return the JSON of the value at `self.at`, or `""` if there is none."""
        tokens = self.tokens
        at = self.at
        kind = tokens.kind[at]
        if kind in (TokenKind.END, TokenKind.CLOSE_BRACE) or tokens.starts_line_of_key(at):
            self.fault(ErrorKind.MISSING_VALUE, operator, key)
            return ""
        if kind == TokenKind.OPEN_BRACE:  # after `@name =`: a list, so that its `}` closes it
            self.fault(ErrorKind.EXPECTED_VALUE, at)
            return ""
        self.at += 1
        if kind in VALUE_TYPES:
            return self.json_value(at, tokens.value(at), VALUE_TYPES[kind])
        if kind == TokenKind.AT:
            value, value_type = self.named(at, "@")
            return self.json_value(at, value, value_type) if value_type else ""
        if kind == TokenKind.MINUS:
            after = self.at
            if tokens.kind[after] == TokenKind.PARAM:
                self.at += 1
                return self.json_value(at, "-" + tokens.value(after), ValueType.PARAM)
            if tokens.kind[after] == TokenKind.AT:
                self.at += 1
                value, value_type = self.named(after, "-@")
                return self.json_value(at, value, value_type) if value_type else ""
            return self.json_value(at, "-", ValueType.IDENTIFIER)
        self.unexpected(ErrorKind.EXPECTED_VALUE, at)
        return ""

    def named(self, at: int, sign: str) -> tuple[str, str]:
        """Return the value and type of the `@` at an index, or `""` twice without a name."""
        tokens = self.tokens
        name = self.at
        if tokens.kind[name] == TokenKind.OPEN_BRACKET:
            self.at, closed = tokens.inline_end(at)
            if sign == "@":
                if not closed:
                    self.fault(ErrorKind.UNCLOSED_INLINE, at)
                words = map(tokens.value, range(name + 1, self.at - closed))
                return f"@[{' '.join(words)}]", ValueType.INLINE_EXPRESSION
            self.fault(ErrorKind.EXPECTED_NAME, name)
            return "", ""
        if tokens.kind[name] != TokenKind.IDENTIFIER:
            if tokens.kind[name] in (TokenKind.END, TokenKind.CLOSE_BRACE) or tokens.first[name]:
                name = at
            self.unexpected(ErrorKind.EXPECTED_NAME, name)
            return "", ""
        self.at += 1
        return sign + tokens.source(name), ValueType.SCRIPTED_VALUE

    def open_block(self, opener: int, key: Span, head: str) -> None:
        """Write the beginning of a block or a list.

        Args:
            opener: the index of its `{`, or of its operator if the `{` is missing.
            key: the span of its key; empty for a list.
            head: its JSON.
        """
        if len(self.open) == self.max_depth:
            place = self.tokens.start[opener], self.tokens.end[opener]
            self.tokens.faults.append(Fault(ErrorKind.TOO_DEEP, *place))
        self.open.append((opener, key))
        self.count()
        self.write(head)

    def close(self) -> None:
        """Write the end of the innermost block."""
        if not self.too_deep():
            self.pieces.append("]}")
        self.open.pop()

    def close_unclosed(self) -> None:
        """End the innermost block before `self.at`, and report its missing brace."""
        if not self.open:
            return
        self.tokens.faults.append(self.tokens.unclosed(*self.open[-1], self.at))
        self.close()

    def fault(self, kind: ErrorKind, index: int, found: Span | None = None) -> None:
        """Report an error at a token, and the token or another span as what was found."""
        place = self.tokens.start[index], self.tokens.end[index]
        self.tokens.faults.append(Fault(kind, *place, found or place))

    def unexpected(self, kind: ErrorKind, index: int) -> None:
        """Report a token, and skip to the next brace, line, or token that starts a block."""
        self.fault(kind, index)
        tokens = self.tokens
        while not (
            tokens.kind[self.at] in (TokenKind.END, TokenKind.OPEN_BRACE, TokenKind.CLOSE_BRACE)
            or tokens.first[self.at]
            or self.at in self.repairs.opens
        ):
            self.at = max(tokens.after_expression(self.at), self.at + 1)

    def too_deep(self) -> bool:
        """Return whether the current element is nested too deeply to be written."""
        return len(self.open) > self.max_depth

    def write(self, piece: str) -> None:
        """Write an element."""
        if not self.too_deep():
            comma = "," if self.pieces and self.pieces[-1][-1] != "[" else ""
            self.pieces.append(comma + piece)

    def count(self) -> None:
        """Count a node before it is written."""
        self.node_count += not self.too_deep()

    def value_type(self, index: int) -> str:
        """Return the value type of a token."""
        return VALUE_TYPES.get(self.tokens.kind[index], ValueType.SCRIPTED_VALUE)

    def json_value(self, index: int, value: str, value_type: str) -> str:
        """Return a value node with the place of a token."""
        self.count()
        return (
            f'{{"_type":"value","value":{quoted(value)},"value_type":"{value_type}",'
            f"{self.place(index)}}}"
        )

    def place(self, index: int) -> str:
        """Return the place of a token as JSON members."""
        line, column = self.tokens.place_of(self.tokens.start[index])
        return f'"line":{line},"column":{column}'
