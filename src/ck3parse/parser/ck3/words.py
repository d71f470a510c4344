"""Words: what a word is, by its characters, once it is known where it ends."""

import re
from typing import NamedTuple

from ck3parse.parser.grammar_tables import CK3, ErrorKind, TokenKind
from ck3parse.parser.token_patterns import any_of
from ck3parse.parser.unicode_tables import ALNUM_RANGES

_CLASSES = re.compile(
    r"""
    (?:
        (yes|no)
      | ([+-]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)%?+)
      | ([0-9]++\.[0-9]++\.[0-9]++)
      | (\$[^$]++\$)
      | (-?+@[A-Za-z0-9_]++)
      | (@:.*+)
    )\Z
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = (
    TokenKind.IDENTIFIER,
    TokenKind.BOOL,
    TokenKind.NUMBER,
    TokenKind.DATE,
    TokenKind.PARAM,
    TokenKind.VARIABLE,
    TokenKind.DIRECTIVE,
)
_USUAL = re.compile(any_of("A-Za-z0-9" + re.escape(CK3.word_signs), ALNUM_RANGES))


class Word(NamedTuple):
    """What a word is.

    Attributes:
        kind: its `TokenKind`.
        params: what stands between the dollar signs of an identifier, in UTF-8.
        fault: the kind of what is wrong with it, or `None`.
        at: the offset in the word of the character that is wrong.
        end: the offset after that character.
    """

    kind: int
    params: tuple[str, ...] = ()
    fault: ErrorKind | None = None
    at: int = 0
    end: int = 0


def word_of(text: str) -> Word:
    """Return what a word is.

    Args:
        text: the word in UTF-8, each byte as one character.
    """
    match = _CLASSES.match(text)
    kind = _KINDS[match.lastindex or 0] if match else TokenKind.IDENTIFIER
    params: tuple[str, ...] = ()
    dollars = text.split("$")
    if kind == TokenKind.IDENTIFIER:
        params = tuple(filter(None, dollars[1:-1:2]))
    if text == "@":
        return Word(kind, params, ErrorKind.EXPECTED_NAME, 0, 1)
    if (unusual := _unusual_at(text)) is not None:
        return Word(kind, params, ErrorKind.UNUSUAL_CHARACTER, *unusual)
    if len(dollars) % 2 == 0:
        at = text.rindex("$")
        return Word(kind, params, ErrorKind.UNCLOSED_PARAM, at, at + 1)
    return Word(kind, params)


def _unusual_at(text: str) -> tuple[int, int] | None:
    """Return where the first unusual character of a word starts and ends, if there is one."""
    read = text if text.isascii() else text.encode("latin-1").decode()
    usual = _USUAL.match(read)
    if not usual or usual.end() == len(read):
        return None
    start = len(read[: usual.end()].encode())
    return start, start + len(read[usual.end()].encode())
