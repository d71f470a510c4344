"""The script's tokens and commonest elements as regular expressions.

Every repeat is possessive: what was taken is never given back, so that a text is matched in
linear time, whatever it holds.
"""

import re
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from ck3parse.parser.unicode_tables import ALNUM_RANGES, ALPHA_RANGES, DIGIT_RANGES


class Token(IntEnum):
    """Kinds of tokens: the numbers of the groups of `Grammar.token`."""

    END = 0
    """The end of the text; also what stands where no token matches."""
    IDENTIFIER = 1
    STRING = 2
    NUMBER = 3
    PARAM = 4
    OPERATOR = 5
    PUNCTUATION = 6
    """One character, MINUS and a lone `?` included."""


class Element(IntEnum):
    """Kinds of elements matched as a whole: the last group of `Grammar.element` that took part.

    Groups `KEY` and `OPERATOR` come before the group of what follows the operator.
    """

    KEY = 1
    """An identifier with no operator after it."""
    OPERATOR = 2
    BLOCK = 3
    """`key OP {`."""
    IDENTIFIER = 4
    """`key OP identifier`, and so on."""
    NUMBER = 5
    STRING = 6
    SCRIPTED = 7
    CLOSE = 8
    """`}`."""
    LIST = 9
    """`{`."""
    BARE_NUMBER = 10
    """A number with no operator after it."""


class Grammar(NamedTuple):
    """The expressions for texts of some alphabet.

    Attributes:
        skip: spaces, line ends and comments, or nothing.
        token: `skip`, then a token, as a group numbered by `Token`.
        element: an element, its groups numbered by `Element`, then `skip`. It does not match
            what is rare; what it matches is always right.
    """

    skip: re.Pattern[str]
    token: re.Pattern[str]
    element: re.Pattern[str]


@cache
def grammar_of(is_ascii: bool) -> Grammar:
    """Return the expressions for ASCII texts, or for texts of any characters."""
    letter, digit, alphanumeric = "A-Za-z", "0-9", "0-9A-Za-z"
    if not is_ascii:
        letter += _class(ALPHA_RANGES)
        digit += _class(DIGIT_RANGES)
        alphanumeric += _class(ALNUM_RANGES)

    skip = r"(?:[ \t\n\r]++|\#[^\n]*+)*+"
    run = rf"[{alphanumeric}_.|&'\-:/%]*+"
    identifier = rf"(?:[{letter}_.]|[{digit}][{letter}_]){run}"
    # After a minus the second character decides nothing: `-1a` is a number and an identifier.
    number = rf"(?:-[{digit}]|[{digit}](?![{letter}_]))[{digit}]*+(?:\.[{digit}]*+)?+%?+"
    operator = "(?:[<>!=?]=|[<>=])"
    token = rf"""
        {skip}
        (?:
            ({identifier})
          | ("(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+')
          | ({number})
          | (\$[^$ \t\n\r={{}}]*+\$?+)
          | ({operator})
          | ([{{}}:@\[\]+*/,;`?\-])
        )
        """
    space = r"[ \t]*+"
    element = rf"""
        (?:
            ({identifier})
            (?:
                {space}({operator}){space}
                (?:
                    (\{{)
                  | ({identifier})
                  | ({number})
                  | "([^"\\\x00-\x1f\x7f]*+)"
                  | (@{identifier})
                )
                {skip}
              | {skip}(?![<>!=?])
            )
          | (\}}){skip}
          | (\{{){skip}
          | ({number}){skip}(?![<>!=?])
        )
        """
    flags = re.VERBOSE | re.DOTALL
    return Grammar(re.compile(skip), re.compile(token, flags), re.compile(element, flags))


def _class(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
