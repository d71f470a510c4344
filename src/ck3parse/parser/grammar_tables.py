"""What both parsers must agree on: dialects, value types, tokens and errors.

Written by `rust/tools/make_grammar_tables.py` from `grammar.toml`, with the native parser's tables.
"""
# ruff: noqa: E501

from enum import IntEnum
from typing import Literal

from ck3parse.errors import ErrorType
from ck3parse.parser.dialect import Dialect, WordDialect

Severity = Literal["error", "warning"]

CK3RAVEN = Dialect(
    version="ck3raven/1.1",
    blanks=" \t\r",
    comment="#",
    quotes="\"'",
    escapes={"n": "\n", "t": "\t"},
    name_start="_.",
    name_part="_.|&'-:/%",
    param_stops=" \t\n\r={}",
)
"""Contract 1: the AST as qbuilder stores it."""
CK3 = WordDialect(
    version="ck3/2",
    comment="#",
    quote='"',
    word_stops='{}=<>!?"#;',
    word_signs=".:_-+&/|'%[]$@*",
    spaces="\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff",
    tags=["rgb", "hsv", "hsv360", "hex", "cylindrical", "cartesian", "LIST"],
    windows_1252=["history", "common/province_terrain"],
)
"""Contract 2: the tree as the game reads script."""


class ValueType:
    """The `value_type` of a value node in contract 1, and its `kind` in contract 2."""

    IDENTIFIER = "identifier"
    """A word, or a lone `-`."""
    STRING = "string"
    """A quoted string, without its quotes."""
    NUMBER = "number"
    """A number."""
    BOOL = "bool"
    """`yes` or `no`."""
    PARAM = "param"
    """`$NAME$`, or `-$NAME$`."""
    SCRIPTED_VALUE = "scripted_value"
    """`@name`, or `-@name`."""
    INLINE_EXPRESSION = "inline_expression"
    """`@[ … ]`."""
    OPERATOR = "operator"
    """An operator that stands where a value should be."""
    DATE = "date"
    """Only in `ck3`: `1066.9.15`."""
    VARIABLE = "variable"
    """Only in `ck3`: `@name`, or `-@name`."""
    EXPRESSION = "expression"
    """Only in `ck3`: `@[ … ]`, as written."""


class TokenKind:
    """Kinds of tokens. Plain numbers, as CPython compares these faster than an enum's members."""

    END = 0
    """The end of the text."""
    IDENTIFIER = 1
    """A word other than `yes` and `no`."""
    STRING = 2
    """A quoted string."""
    NUMBER = 3
    """A number, with its sign and percent sign."""
    PARAM = 4
    """`$NAME$`; the closing `$` may be missing."""
    BOOL = 5
    """`yes` or `no`."""
    CUT_STRING = 6
    """Only in recovery: a string without a closing quote, up to where recovery ends it."""
    EQUAL = 7
    """`=`"""
    MAYBE_EQUAL = 8
    """`?=`"""
    LESS = 9
    """`<`"""
    LESS_EQUAL = 10
    """`<=`"""
    GREATER = 11
    """`>`"""
    GREATER_EQUAL = 12
    """`>=`"""
    NOT_EQUAL = 13
    """`!=`"""
    EQUAL_EQUAL = 14
    """`==`"""
    OPEN_BRACE = 15
    """`{`"""
    CLOSE_BRACE = 16
    """`}`"""
    OPEN_BRACKET = 17
    """`[`"""
    CLOSE_BRACKET = 18
    """`]`"""
    AT = 19
    """`@`"""
    COMMA = 20
    """`,`"""
    SEMICOLON = 21
    """`;` or the backtick."""
    MINUS = 22
    """A `-` that no digit follows."""
    SIGN = 23
    """Punctuation that only inline expressions use."""
    DATE = 24
    """Only in `ck3`: three groups of digits with dots between them."""
    VARIABLE = 25
    """Only in `ck3`: `@name`, or `-@name`."""
    EXPRESSION = 26
    """Only in `ck3`: `@[ … ]`."""
    DIRECTIVE = 27
    """Only in `ck3`: `@:word`."""


VALUE_TYPES: dict[int, str] = {
    TokenKind.IDENTIFIER: ValueType.IDENTIFIER,
    TokenKind.STRING: ValueType.STRING,
    TokenKind.NUMBER: ValueType.NUMBER,
    TokenKind.PARAM: ValueType.PARAM,
    TokenKind.BOOL: ValueType.BOOL,
    TokenKind.CUT_STRING: ValueType.STRING,
    TokenKind.LESS: ValueType.OPERATOR,
    TokenKind.LESS_EQUAL: ValueType.OPERATOR,
    TokenKind.GREATER: ValueType.OPERATOR,
    TokenKind.GREATER_EQUAL: ValueType.OPERATOR,
    TokenKind.NOT_EQUAL: ValueType.OPERATOR,
    TokenKind.EQUAL_EQUAL: ValueType.OPERATOR,
    TokenKind.DATE: ValueType.DATE,
    TokenKind.VARIABLE: ValueType.VARIABLE,
    TokenKind.EXPRESSION: ValueType.EXPRESSION,
    TokenKind.DIRECTIVE: ValueType.IDENTIFIER,
}
"""What each token is as a value, if it can be one by itself."""

KEYS = frozenset(
    {
        TokenKind.IDENTIFIER,
        TokenKind.STRING,
        TokenKind.NUMBER,
        TokenKind.PARAM,
        TokenKind.BOOL,
        TokenKind.CUT_STRING,
        TokenKind.DATE,
        TokenKind.VARIABLE,
        TokenKind.EXPRESSION,
        TokenKind.DIRECTIVE,
    }
)
"""The tokens that can be a key."""

OPERATORS = frozenset(
    {
        TokenKind.EQUAL,
        TokenKind.MAYBE_EQUAL,
        TokenKind.LESS,
        TokenKind.LESS_EQUAL,
        TokenKind.GREATER,
        TokenKind.GREATER_EQUAL,
        TokenKind.NOT_EQUAL,
        TokenKind.EQUAL_EQUAL,
    }
)
"""The tokens that can follow a key."""

KIND_OF_TEXT: dict[str, int] = {
    "yes": TokenKind.BOOL,
    "no": TokenKind.BOOL,
    "=": TokenKind.EQUAL,
    "?=": TokenKind.MAYBE_EQUAL,
    "<": TokenKind.LESS,
    "<=": TokenKind.LESS_EQUAL,
    ">": TokenKind.GREATER,
    ">=": TokenKind.GREATER_EQUAL,
    "!=": TokenKind.NOT_EQUAL,
    "==": TokenKind.EQUAL_EQUAL,
    "{": TokenKind.OPEN_BRACE,
    "}": TokenKind.CLOSE_BRACE,
    "[": TokenKind.OPEN_BRACKET,
    "]": TokenKind.CLOSE_BRACKET,
    "@": TokenKind.AT,
    ",": TokenKind.COMMA,
    ";": TokenKind.SEMICOLON,
    "`": TokenKind.SEMICOLON,
    "-": TokenKind.MINUS,
    ":": TokenKind.SIGN,
    "+": TokenKind.SIGN,
    "*": TokenKind.SIGN,
    "/": TokenKind.SIGN,
    "?": TokenKind.SIGN,
}
"""The kind of each token that is always written the same."""


class ErrorKind(IntEnum):
    """Kinds of errors.

    Where two fit, the one nearer to what the parser is reading applies: after an operator, a `}` is
    an expected value and the end of the text a missing value; after an `@`, both are an expected
    name; only between elements are they a stray closing brace and an unclosed block.
    """

    UNCLOSED_STRING = 1
    """A quote without a closing one: at the opening quote."""
    UNEXPECTED_CHARACTER = 2
    """A character that starts no token, such as a `!` without `=`."""
    EXPECTED_ELEMENT = 10
    """A token where an element should be; inside braces, also a `}` after `;`."""
    STRAY_CLOSING_BRACE = 11
    """A `}` at the top level, where an element could be."""
    EXPECTED_VALUE = 12
    """A token where the value after an operator should be, such as the `{` in `@name = {`."""
    MISSING_VALUE = 13
    """The end of the text where a value should be: behind the last character."""
    EXPECTED_NAME = 14
    """Something other than a name after `@` or `-@`. `yes` and `no` are not names."""
    UNCLOSED_BLOCK = 15
    """The end of the text inside braces: at the innermost unclosed `{`."""
    UNCLOSED_INLINE = 16
    """The end of the text inside `@[`: at the `@`."""
    TOO_DEEP = 17
    """Braces nested deeper than the limit: at the first `{` past it."""
    MISSING_OPENER = 18
    """Only in recovery: no `{` after an operator, but a `}` that closes nothing else."""
    DOUBLED_OPENER = 19
    """Only in recovery: the second of two `{`, of which one is never closed."""
    UNKNOWN_OPERATOR = 20
    """Only in `ck3`: a run of `<>!=?` that is no operator."""
    MISSING_OPERATOR = 21
    """Only in `ck3`: a lone value right before a `{` on its line."""
    UNUSUAL_SPACE = 22
    """Only in `ck3`: white space other than space, tab and line ends, or a control character."""
    UNUSUAL_CHARACTER = 23
    """Only in `ck3`: the first such character of a word."""
    SEMICOLON = 24
    """Only in `ck3`: the first `;` of a file."""
    UNCLOSED_PARAM = 25
    """Only in `ck3`: a word with an odd number of `$`: at the last one."""


ERROR_TYPES: dict[int, ErrorType] = {
    ErrorKind.UNCLOSED_STRING: ErrorType.LEXER_ERROR,
    ErrorKind.UNEXPECTED_CHARACTER: ErrorType.LEXER_ERROR,
    ErrorKind.EXPECTED_ELEMENT: ErrorType.PARSE_ERROR,
    ErrorKind.STRAY_CLOSING_BRACE: ErrorType.PARSE_ERROR,
    ErrorKind.EXPECTED_VALUE: ErrorType.PARSE_ERROR,
    ErrorKind.MISSING_VALUE: ErrorType.PARSE_ERROR,
    ErrorKind.EXPECTED_NAME: ErrorType.PARSE_ERROR,
    ErrorKind.UNCLOSED_BLOCK: ErrorType.PARSE_ERROR,
    ErrorKind.UNCLOSED_INLINE: ErrorType.PARSE_ERROR,
    ErrorKind.TOO_DEEP: ErrorType.PARSE_ERROR,
    ErrorKind.MISSING_OPENER: ErrorType.PARSE_ERROR,
    ErrorKind.DOUBLED_OPENER: ErrorType.PARSE_ERROR,
    ErrorKind.UNKNOWN_OPERATOR: ErrorType.PARSE_ERROR,
    ErrorKind.MISSING_OPERATOR: ErrorType.PARSE_ERROR,
    ErrorKind.UNUSUAL_SPACE: ErrorType.LEXER_ERROR,
    ErrorKind.UNUSUAL_CHARACTER: ErrorType.LEXER_ERROR,
    ErrorKind.SEMICOLON: ErrorType.LEXER_ERROR,
    ErrorKind.UNCLOSED_PARAM: ErrorType.LEXER_ERROR,
}
"""The contract's name for each kind of error."""

CODES: dict[int, str] = {
    ErrorKind.UNCLOSED_STRING: "CK3-E001",
    ErrorKind.UNEXPECTED_CHARACTER: "CK3-E002",
    ErrorKind.EXPECTED_ELEMENT: "CK3-E003",
    ErrorKind.STRAY_CLOSING_BRACE: "CK3-E004",
    ErrorKind.EXPECTED_VALUE: "CK3-E005",
    ErrorKind.MISSING_VALUE: "CK3-E006",
    ErrorKind.EXPECTED_NAME: "CK3-E007",
    ErrorKind.UNCLOSED_BLOCK: "CK3-E008",
    ErrorKind.UNCLOSED_INLINE: "CK3-E009",
    ErrorKind.TOO_DEEP: "CK3-E010",
    ErrorKind.MISSING_OPENER: "CK3-E011",
    ErrorKind.DOUBLED_OPENER: "CK3-E012",
    ErrorKind.UNKNOWN_OPERATOR: "CK3-E013",
    ErrorKind.MISSING_OPERATOR: "CK3-W101",
    ErrorKind.UNUSUAL_SPACE: "CK3-W102",
    ErrorKind.UNUSUAL_CHARACTER: "CK3-W103",
    ErrorKind.SEMICOLON: "CK3-W104",
    ErrorKind.UNCLOSED_PARAM: "CK3-W105",
}
"""The code of each kind of error, which never changes its meaning."""

SEVERITIES: dict[int, Severity] = {
    ErrorKind.UNCLOSED_STRING: "error",
    ErrorKind.UNEXPECTED_CHARACTER: "error",
    ErrorKind.EXPECTED_ELEMENT: "error",
    ErrorKind.STRAY_CLOSING_BRACE: "error",
    ErrorKind.EXPECTED_VALUE: "error",
    ErrorKind.MISSING_VALUE: "error",
    ErrorKind.EXPECTED_NAME: "error",
    ErrorKind.UNCLOSED_BLOCK: "error",
    ErrorKind.UNCLOSED_INLINE: "error",
    ErrorKind.TOO_DEEP: "error",
    ErrorKind.MISSING_OPENER: "error",
    ErrorKind.DOUBLED_OPENER: "error",
    ErrorKind.UNKNOWN_OPERATOR: "error",
    ErrorKind.MISSING_OPERATOR: "warning",
    ErrorKind.UNUSUAL_SPACE: "warning",
    ErrorKind.UNUSUAL_CHARACTER: "warning",
    ErrorKind.SEMICOLON: "warning",
    ErrorKind.UNCLOSED_PARAM: "warning",
}
"""The severity of each kind of error."""

MESSAGES: dict[int, str] = {
    ErrorKind.UNCLOSED_STRING: "this %(quote)s opens a string that is never closed",
    ErrorKind.UNEXPECTED_CHARACTER: "unexpected character %(found)s",
    ErrorKind.EXPECTED_ELEMENT: "expected a key, a value or a brace, found %(found)s",
    ErrorKind.STRAY_CLOSING_BRACE: "this } closes nothing: every block before it is closed already",
    ErrorKind.EXPECTED_VALUE: "expected a value after the operator, found %(found)s",
    ErrorKind.MISSING_VALUE: "the file ends where the value after an operator should be",
    ErrorKind.EXPECTED_NAME: "expected a name after @, found %(found)s",
    ErrorKind.UNCLOSED_BLOCK: "this { is never closed",
    ErrorKind.UNCLOSED_INLINE: "this @[ is never closed",
    ErrorKind.TOO_DEEP: "braces are nested deeper than the limit of %(limit)s",
}
"""What a strict parse says of each kind of error."""

RECOVERY_MESSAGES: dict[int, str] = {
    ErrorKind.UNCLOSED_STRING: "this %(quote)s opens a string that is not closed on its line",
    ErrorKind.UNEXPECTED_CHARACTER: "unexpected character %(found)s",
    ErrorKind.EXPECTED_ELEMENT: "expected a key, a value or a brace, found %(found)s",
    ErrorKind.STRAY_CLOSING_BRACE: "one } too many: with it, what follows is outside of its block",
    ErrorKind.EXPECTED_VALUE: "expected a value after the operator, found %(found)s",
    ErrorKind.MISSING_VALUE: "expected a value after %(found)s and its operator, found none",
    ErrorKind.EXPECTED_NAME: "expected a name after @, found %(found)s",
    ErrorKind.UNCLOSED_INLINE: "this @[ is never closed",
    ErrorKind.TOO_DEEP: "braces are nested deeper than the limit of %(limit)s",
    ErrorKind.MISSING_OPENER: "expected a { after %(found)s and its operator: a } below closes it",
    ErrorKind.UNKNOWN_OPERATOR: "unknown operator %(found)s, read as `=`",
    ErrorKind.MISSING_OPERATOR: "expected an operator between %(found)s and {",
    ErrorKind.UNUSUAL_SPACE: "unusual white space %(found)s",
    ErrorKind.UNUSUAL_CHARACTER: "unusual character %(found)s in a word",
    ErrorKind.SEMICOLON: "a ; means nothing in script: each one in the file is skipped",
    ErrorKind.UNCLOSED_PARAM: "this $ opens a parameter that is not closed in its word",
}
"""What recovery says of each kind of error, but for those below."""

BLOCK_MESSAGES: dict[int, dict[str, str]] = {
    ErrorKind.UNCLOSED_BLOCK: {
        "block": "expected a } here, for the block %(found)s, opened in line %(line)s",
        "list": "expected a } here, for the list opened in line %(line)s",
        "block_at_brace": "the block %(found)s, opened in line %(line)s, is never closed",
        "list_at_brace": "the list opened in line %(line)s is never closed",
    },
    ErrorKind.DOUBLED_OPENER: {
        "block": "one { too many: the block %(found)s, opened in line %(line)s, is closed only once",
        "list": "one { too many: the list opened in line %(line)s is closed only once",
    },
}
"""What recovery says of a block or a list, which it shows at its brace or where it should end."""

TOO_MANY = "CK3-E099"
"""The code of what recovery says instead of the errors past its limit."""

TOO_MANY_SEVERITY: Severity = "error"

TOO_MANY_MESSAGE = "and %(more)s from here on"
