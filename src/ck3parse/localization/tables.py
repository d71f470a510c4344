"""What both parsers of localization files must agree on, and the codes and messages of faults.

Written by `rust/tools/make_localization_tables.py` from `grammar.toml`, with the native parser's
tables.
"""
# ruff: noqa: E501

from enum import IntEnum
from typing import Literal

LANGUAGES = (
    "english",
    "french",
    "german",
    "russian",
    "spanish",
    "korean",
    "simp_chinese",
    "polish",
    "japanese",
    "braz_por",
)
"""The languages of the game."""

KEY_SIGNS = "-_.'"
"""What a key consists of besides letters and digits."""

BLANKS = (
    (0x9, 0x9),
    (0xB, 0xC),
    (0x20, 0x20),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
)
"""White space inside a line, as inclusive pairs of code points in ascending order."""

NUMBER_DIGITS = 18
"""Numbers of more digits are not read."""


class FaultKind(IntEnum):
    """Kinds of faults."""

    NO_BOM = 1
    TWO_BOMS = 2
    UTF_16 = 3
    NO_HEADER = 4
    SECOND_HEADER = 5
    BEHIND_HEADER = 6
    NO_KEY = 7
    NO_COLON = 8
    NO_OPENING_QUOTE = 9
    NO_CLOSING_QUOTE = 10
    BEHIND_TEXT = 11
    LARGE_NUMBER = 12
    UNCLOSED_CHAIN = 13
    UNCLOSED_VALUE = 14
    UNCLOSED_FORMAT = 15


CODES: dict[int, str] = {
    FaultKind.NO_BOM: "CK3-L001",
    FaultKind.TWO_BOMS: "CK3-L002",
    FaultKind.UTF_16: "CK3-L003",
    FaultKind.NO_HEADER: "CK3-L004",
    FaultKind.SECOND_HEADER: "CK3-L005",
    FaultKind.BEHIND_HEADER: "CK3-L006",
    FaultKind.NO_KEY: "CK3-L007",
    FaultKind.NO_COLON: "CK3-L008",
    FaultKind.NO_OPENING_QUOTE: "CK3-L009",
    FaultKind.NO_CLOSING_QUOTE: "CK3-L010",
    FaultKind.BEHIND_TEXT: "CK3-L011",
    FaultKind.LARGE_NUMBER: "CK3-L012",
    FaultKind.UNCLOSED_CHAIN: "CK3-L013",
    FaultKind.UNCLOSED_VALUE: "CK3-L014",
    FaultKind.UNCLOSED_FORMAT: "CK3-L015",
}
"""The code of each kind."""

SEVERITIES: dict[int, Literal["error", "warning"]] = {
    FaultKind.NO_BOM: "warning",
    FaultKind.TWO_BOMS: "error",
    FaultKind.UTF_16: "error",
    FaultKind.NO_HEADER: "error",
    FaultKind.SECOND_HEADER: "warning",
    FaultKind.BEHIND_HEADER: "error",
    FaultKind.NO_KEY: "error",
    FaultKind.NO_COLON: "error",
    FaultKind.NO_OPENING_QUOTE: "error",
    FaultKind.NO_CLOSING_QUOTE: "error",
    FaultKind.BEHIND_TEXT: "warning",
    FaultKind.LARGE_NUMBER: "warning",
    FaultKind.UNCLOSED_CHAIN: "error",
    FaultKind.UNCLOSED_VALUE: "error",
    FaultKind.UNCLOSED_FORMAT: "warning",
}
"""The severity of each kind."""

MESSAGES: dict[int, str] = {
    FaultKind.NO_BOM: "the file has no byte order mark",
    FaultKind.TWO_BOMS: "the file starts with more than one byte order mark: the game skips it",
    FaultKind.UTF_16: "the file is UTF-16: nothing in it is read",
    FaultKind.NO_HEADER: "expected a header such as `l_english:` before the first entry",
    FaultKind.SECOND_HEADER: "%(found)s is a second header: a file has one language",
    FaultKind.BEHIND_HEADER: "expected the end of the line behind the header, found %(found)s",
    FaultKind.NO_KEY: "expected a key, found %(found)s: the line is skipped",
    FaultKind.NO_COLON: "expected a : behind the key %(found)s: the line is skipped",
    FaultKind.NO_OPENING_QUOTE: "expected a text in quotes for the key %(found)s: the line is skipped",
    FaultKind.NO_CLOSING_QUOTE: "the text of the key %(found)s has no closing quote on its line: the line is skipped",
    FaultKind.BEHIND_TEXT: "expected the end of the line or a comment behind the text, found %(found)s",
    FaultKind.LARGE_NUMBER: "the number %(found)s is too large, and not read",
    FaultKind.UNCLOSED_CHAIN: "no ] closes this [ before the next [ or the end of the text",
    FaultKind.UNCLOSED_VALUE: "this $ and the next one do not enclose a key",
    FaultKind.UNCLOSED_FORMAT: "no #! closes %(found)s before the end of the text",
}
"""The message of each kind, with `found` for the text at its place."""

TOO_MANY = "CK3-L099"
"""The code of the diagnostic that counts those that are not shown."""

TOO_MANY_MESSAGE = "the file has %(more)s from here on"
"""Its message, with `more` for their number."""
