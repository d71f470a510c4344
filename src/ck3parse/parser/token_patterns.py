"""Regular expressions for tokens and for the most common elements.

Repeats are possessive: they never backtrack, so that matching takes linear time for any text.

CPython before 3.11.5 has a bug: when an attempt at a possessively repeated group fails, the
characters that it consumed count as matched. Groups of single characters, followed by nothing that
can fail, are not affected. So every possessively repeated group has that form, here and in all
other modules. Other groups repeat greedily up to a bound, since each repeat takes memory.
"""

import re
import sys
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from ck3parse.parser.dialect import Dialect
from ck3parse.parser.grammar_tables import KIND_OF_TEXT, OPERATORS, TokenKind
from ck3parse.parser.unicode_tables import ALNUM_RANGES, ALPHA_RANGES, DIGIT_RANGES

_LAST_OF_BMP = 0xFFFF

CLOSE_LIMIT = 8
"""How many closing braces one match takes. If they are more than are open, all are read again."""

NUMBERS_LIMIT = 1000
"""How many numbers one match takes. The matcher keeps each of them in memory until it ends."""


class Element(IntEnum):
    """Kinds of elements, by the number of the last group of `Patterns.element` that matched.

    The groups `KEY` and `OPERATOR` match before the group of the value or the brace.
    """

    KEY = 1
    OPERATOR = 2
    IDENTIFIER = 3
    """`key OP identifier`, and likewise for the next ones."""
    NUMBER = 4
    STRING = 5
    SCRIPTED = 6
    BLOCK = 7
    """`key OP {`."""
    BARE_IDENTIFIER = 8
    """An identifier with no operator after it."""
    CLOSE = 9
    """`}`, up to `CLOSE_LIMIT` of them."""
    NUMBERS = 10
    """Plain numbers, each followed by a space, and no operator after the last."""
    LIST = 11
    """`{`."""
    BARE_NUMBER = 12
    BARE_STRING = 13
    BARE_SCRIPTED = 14
    OTHER = 15
    """None of these. The match is empty."""


class Patterns(NamedTuple):
    """The expressions for a dialect's texts.

    Attributes:
        skip: any blanks, line ends and comments.
        token: `skip`, then a token, as a group. Its `TokenKind` is that of its text in
            `KIND_OF_TEXT`, or else the group's number.
        element: a common element, with groups numbered by `Element`, then `skip`; or nothing. It
            matches at every offset, so that `finditer` skips no character.
    """

    skip: re.Pattern[str]
    token: re.Pattern[str]
    element: re.Pattern[str]


class StringPatterns(NamedTuple):
    """The expressions for strings of one quote.

    Attributes:
        rest: what follows the opening quote, up to the closing one or the end of the text.
        escape: a backslash and what it escapes, as a group.
    """

    rest: re.Pattern[str]
    escape: re.Pattern[str]


@cache
def string_patterns(dialect: Dialect) -> dict[str, StringPatterns]:
    """Return the expressions for a dialect's strings, by their quote."""
    escaped = re.escape("".join(dialect.escapes))
    return {
        quote: StringPatterns(
            re.compile(_string_rest(quote), re.DOTALL),
            re.compile(rf"\\([\\{escaped}{quote}])"),
        )
        for quote in dialect.quotes
    }


@cache
def patterns_of(dialect: Dialect, is_ascii: bool) -> Patterns:
    """Return the expressions for a dialect's ASCII texts, or for its texts of any characters."""
    first, part = re.escape(dialect.name_start), re.escape(dialect.name_part)
    letter = _one_of("A-Za-z_", () if is_ascii else ALPHA_RANGES)
    digit = _one_of("0-9", () if is_ascii else DIGIT_RANGES)
    digits = any_of("0-9", () if is_ascii else DIGIT_RANGES)
    starter = _one_of(f"A-Za-z{first}", () if is_ascii else ALPHA_RANGES)
    follower = f"A-Za-z0-9{part}", () if is_ascii else ALNUM_RANGES

    blank = f"[{re.escape(dialect.blanks)}\n]*+"
    skip = rf"{blank}(?:{re.escape(dialect.comment)}[^\n]*+{blank})*+"
    word = f"{starter}{any_of(*follower)}"
    identifier = f"(?:{word}|{digit}{letter}{any_of(*follower)})"
    # After a minus, a letter as second character changes nothing: `-1a` is `-1` and `a`.
    number = rf"(?:-{digit}|{digit}(?!{letter})){digits}(?:\.{digits})?+%?+"
    string = "|".join(f"{quote}{_string_rest(quote)}{quote}" for quote in dialect.quotes)
    operator = _operator()
    token = rf"""
        {skip}
        (?:
            ({identifier})
          | ({string})
          | ({number})
          | (\$[^${re.escape(dialect.param_stops)}]*+\$?+)
          | ({operator}|{_punctuation()})
        )
        """

    name = rf"@(?!(?:yes|no)(?!{_one_of(*follower)})){word}"
    plain_string = r"[^\"\\\x00-\x1f\x7f]*+"
    space = r"[ \t]*+"
    bare = rf"{skip}(?![<>!=?])"
    element = rf"""
        (?:
            ({word}|{number})
            {space}({operator}){space}
            (?: ({word}) | ({number}) | "({plain_string})" | ({name}) | (\{{) )
            {skip}
          | ({word}){bare}
          | ((?:\}}[ \t\n]*+){{1,{CLOSE_LIMIT}}}+){skip}
          | ((?:-?+[0-9]++(?:\.[0-9]*+)?+[ ]){{1,{NUMBERS_LIMIT}}}(?![ \t\n\r\#<>!=?]))
          | (\{{){skip}
          | ({number}){bare}
          | "({plain_string})"{bare}
          | ({name}){bare}
          | ()
        )
        """
    flags = re.VERBOSE | re.DOTALL
    return Patterns(re.compile(skip), re.compile(token, flags), re.compile(element, flags))


def _string_rest(quote: str) -> str:
    """Return an expression for what follows a string's opening quote, up to its closing one."""
    return rf"[^{quote}\\]*+(?:\\.[^{quote}\\]*+)*+"


def _operator() -> str:
    """Return an expression for an operator, of one or two characters."""
    texts = [text for text, kind in KIND_OF_TEXT.items() if kind in OPERATORS]
    pairs: dict[str, str] = {}
    for text in texts:
        if len(text) > 1:
            pairs[text[1]] = pairs.get(text[1], "") + text[0]
    both = [f"[{re.escape(first)}]{re.escape(second)}" for second, first in pairs.items()]
    single = "".join(text for text in texts if len(text) == 1)
    return f"(?:{'|'.join(both)}|[{re.escape(single)}])"


def _punctuation() -> str:
    """Return an expression for a character that is a token by itself, but for operators."""
    texts = (
        text
        for text, kind in KIND_OF_TEXT.items()
        if kind not in OPERATORS and kind != TokenKind.BOOL
    )
    return f"[{re.escape(''.join(texts))}]"


def _one_of(ascii_set: str, ranges: tuple[tuple[int, int], ...]) -> str:
    """Return an expression for one character of a set."""
    return "(?:" + "|".join(_sets(ascii_set, ranges)) + ")"


def any_of(ascii_set: str, ranges: tuple[tuple[int, int], ...]) -> str:
    """Return an expression for any number of characters of a set."""
    low, *high = _sets(ascii_set, ranges)
    return f"{low}*+" + "".join(f"(?:{other}{low}*+)*+" for other in high)


def _sets(ascii_set: str, ranges: tuple[tuple[int, int], ...]) -> list[str]:
    low = "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges if last <= _LAST_OF_BMP)
    high = [(first, last) for first, last in ranges if last > _LAST_OF_BMP]
    if not high:
        return [f"[{ascii_set}{low}]"]
    # The matcher tries ranges above U+FFFF one by one. In the complement, the first range covers
    # everything below them, which settles most characters at once.
    starts = [0, *(last + 1 for _, last in high)]
    ends = [*(first - 1 for first, _ in high), sys.maxunicode]
    others = "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(starts, ends, strict=True))
    return [f"[{ascii_set}{low}]", f"[^{others}]"]
