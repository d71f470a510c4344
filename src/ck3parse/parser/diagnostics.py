"""What a parser says of a broken text: the kinds of errors, and each kind's words.

A parser finds a kind, a place and what stood there; the words are made here, so that every parser
says the same.
"""

from enum import IntEnum

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


def error_type_of(kind: int) -> str:
    """Return `LexerError` or `ParseError`, the contract's name for errors of this kind."""
    return "LexerError" if kind < Kind.EXPECTED_ELEMENT else "ParseError"


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
