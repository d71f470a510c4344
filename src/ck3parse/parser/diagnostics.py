"""What a parser says of a broken text: the kinds of errors, and each kind's words.

A parser finds a kind, a place and what stood there; the words are made here, so that every parser
says the same.
"""

from enum import IntEnum
from typing import NamedTuple

from ck3parse.errors import ErrorType
from ck3parse.messages import Diagnostic

MAX_DIAGNOSTICS = 100
"""How many errors of one file are told of; one more says how many others there are."""

TOO_MANY = "CK3-E099"

_FOUND_LIMIT = 40


class Kind(IntEnum):
    """Kinds of errors, numbered as in the native core; below 10 they are the lexer's.

    Where two fit, the one nearer to what the parser was reading is right: after an operator, a
    `}` is `EXPECTED_VALUE` and the end of the text is `MISSING_VALUE`, after an `@` both are
    `EXPECTED_NAME`, and only between elements are they `STRAY_CLOSING_BRACE` and `UNCLOSED_BLOCK`.
    """

    UNCLOSED_STRING = 1
    """A quote with no closing one: at the opening quote."""
    UNEXPECTED_CHARACTER = 2
    """A character that no token starts with (a `!` without `=` too)."""

    EXPECTED_ELEMENT = 10
    """A token where a key, a value, an `@` or a brace should be.

    Inside braces, a `}` after `;` or a backtick too.
    """
    STRAY_CLOSING_BRACE = 11
    """A `}` at the top level, where an element might be (after `;` or a backtick too)."""
    EXPECTED_VALUE = 12
    """A token where the value after an operator should be (the `{` after `@name =` too)."""
    MISSING_VALUE = 13
    """The end of the text where the value after an operator should be, inside braces too.

    Its place is behind the last character, spaces and comments included.
    """
    EXPECTED_NAME = 14
    """Something other than a name after `@` or `-@` (the end of the text too).

    `yes`, `no` and, after `-@`, a `[` are no names.
    """
    UNCLOSED_BLOCK = 15
    """The end of the text inside braces: at the innermost unclosed `{`."""
    UNCLOSED_INLINE = 16
    """The end of the text inside `@[`: at the `@`."""
    TOO_DEEP = 17
    """Braces nested deeper than the limit: at the first `{` past it.

    Braces inside `@[` and brackets do not count.
    """
    MISSING_OPENER = 18
    """Of recovery only: no `{` after an operator, but a `}` further on that closes nothing else."""
    DOUBLED_OPENER = 19
    """Of recovery only: the second of two `{`, of which one is never closed."""


CODES: dict[int, str] = {
    Kind.UNCLOSED_STRING: "CK3-E001",
    Kind.UNEXPECTED_CHARACTER: "CK3-E002",
    Kind.EXPECTED_ELEMENT: "CK3-E003",
    Kind.STRAY_CLOSING_BRACE: "CK3-E004",
    Kind.EXPECTED_VALUE: "CK3-E005",
    Kind.MISSING_VALUE: "CK3-E006",
    Kind.EXPECTED_NAME: "CK3-E007",
    Kind.UNCLOSED_BLOCK: "CK3-E008",
    Kind.UNCLOSED_INLINE: "CK3-E009",
    Kind.TOO_DEEP: "CK3-E010",
    Kind.MISSING_OPENER: "CK3-E011",
    Kind.DOUBLED_OPENER: "CK3-E012",
}
"""The code of each kind of error, which never changes."""


class Told(NamedTuple):
    """An error as a recovering parser tells of it.

    Attributes:
        kind: one of `Kind`.
        line: of its place, from 1; the rest of its place likewise.
        found: the offending token as it stands in the text; the key for an operator that lacks its
            value or brace, and for a block, `""` where that has none.
        opener_line: the line of the block's `{`, or 0.
    """

    kind: int
    line: int
    column: int
    end_line: int
    end_column: int
    found: str
    opener_line: int


class Recovered(NamedTuple):
    """What a recovering parser made of a broken text.

    Attributes:
        ast_json: the tree of what is sound.
        node_count: its nodes, the root included.
        told: the first errors, at most one more than `MAX_DIAGNOSTICS`, in order of place.
        fault_count: how many there are in all.
    """

    ast_json: bytes
    node_count: int
    told: list[Told]
    fault_count: int


def diagnostics_of(recovered: Recovered, max_depth: int) -> list[Diagnostic]:
    """Return what is told of a broken text, the last of it how much is not."""
    shown = [_diagnostic(told, max_depth) for told in recovered.told[:MAX_DIAGNOSTICS]]
    more = recovered.fault_count - len(shown)
    if more > 0:
        at = recovered.told[MAX_DIAGNOSTICS]
        message = f"and {more:,} more errors from here on"
        place = at.line, at.column, at.end_line, at.end_column
        shown.append(Diagnostic(*place, "error", TOO_MANY, message))
    return shown


def _diagnostic(told: Told, max_depth: int) -> Diagnostic:
    place = told.line, told.column, told.end_line, told.end_column
    return Diagnostic(*place, "error", CODES[told.kind], _sentence(told, max_depth))


def _sentence(told: Told, max_depth: int) -> str:
    named = _shown(told.found) if told.found else "list"
    opened = f"the block {named}, opened in line {told.opener_line}"
    if not told.found:
        opened = f"the list opened in line {told.opener_line}"
    match told.kind:
        case Kind.UNCLOSED_STRING:
            return f"this {told.found} opens a string that is not closed on its line"
        case Kind.MISSING_VALUE:
            return f"expected a value after {named} and its operator, found none"
        case Kind.UNCLOSED_BLOCK if told.line == told.opener_line and told.end_column > told.column:
            return f"{opened}, is never closed" if told.found else f"{opened} is never closed"
        case Kind.UNCLOSED_BLOCK:
            return f"expected a }} here, for {opened}"
        case Kind.MISSING_OPENER:
            return f"expected a {{ after {named} and its operator: a }} below closes it"
        case Kind.DOUBLED_OPENER:
            return f"one {{ too many: {opened}, is closed only once"
        case Kind.STRAY_CLOSING_BRACE:
            return "one } too many: with it, what follows is outside of its block"
        case Kind.TOO_DEEP:
            return message_of(told.kind, str(max_depth))
        case _:
            return message_of(told.kind, told.found)


def error_type_of(kind: int) -> ErrorType:
    """Return `LexerError` or `ParseError`, the contract's name for errors of this kind."""
    return ErrorType.LEXER_ERROR if kind < Kind.EXPECTED_ELEMENT else ErrorType.PARSE_ERROR


def message_of(kind: int, found: str) -> str:
    """Return one sentence on an error.

    Args:
        kind: one of `Kind`.
        found: the offending token or character as it stands in the text, `""` at the end of the
            text, or the depth limit for `TOO_DEEP`.
    """
    shown = _shown(found)
    match kind:
        case Kind.UNCLOSED_STRING:
            return f"this {found} opens a string that is never closed"
        case Kind.UNEXPECTED_CHARACTER:
            return f"unexpected character {shown}"
        case Kind.EXPECTED_ELEMENT:
            return f"expected a key, a value or a brace, found {shown}"
        case Kind.STRAY_CLOSING_BRACE:
            return "this } closes nothing: every block before it is closed already"
        case Kind.EXPECTED_VALUE:
            return f"expected a value after the operator, found {shown}"
        case Kind.MISSING_VALUE:
            return "the file ends where the value after an operator should be"
        case Kind.EXPECTED_NAME:
            return f"expected a name after @, found {shown}"
        case Kind.UNCLOSED_BLOCK:
            return "this { is never closed"
        case Kind.UNCLOSED_INLINE:
            return "this @[ is never closed"
        case Kind.TOO_DEEP:
            return f"braces are nested deeper than the limit of {found}"
        case _:
            return f"syntax error {kind}"


def _shown(found: str) -> str:
    if not found:
        return "the end of the file"
    if len(found) > _FOUND_LIMIT:
        found = found[: _FOUND_LIMIT - 1] + "…"
    if found.isprintable():
        return f"`{found}`"
    if len(found) == 1:
        return f"U+{ord(found):04X}"
    return ascii(found)
