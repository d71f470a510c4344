"""Write both parsers' tables of dialects, value types, tokens and errors.

    python rust/tools/make_grammar_tables.py

It reads `src/ck3parse/parser/grammar.toml` and writes `src/ck3parse/parser/grammar_tables.py` and
`rust/core/src/grammar_tables.rs`. A unit test fails while these are out of date.
"""

import json
import textwrap
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/ck3parse/parser/grammar.toml"
PYTHON_TABLES = ROOT / "src/ck3parse/parser/grammar_tables.py"
RUST_TABLES = ROOT / "rust/core/src/grammar_tables.rs"
WIDTH = 100

PYTHON_TEMPLATE = '''\
"""What both parsers must agree on: dialects, value types, tokens and errors.

Written by `rust/tools/make_grammar_tables.py` from `grammar.toml`, with the native parser's tables.
"""
# ruff: noqa: E501

from enum import IntEnum
from typing import Literal

from ck3parse.errors import ErrorType
from ck3parse.parser.dialect import Dialect, WordDialect

Severity = Literal["error", "warning"]

{dialects}


class ValueType:
    """The `value_type` of a value node in contract 1, and its `kind` in contract 2."""

{value_types}


class TokenKind:
    """Kinds of tokens. Plain numbers, as CPython compares these faster than an enum's members."""

{token_kinds}


VALUE_TYPES: dict[int, str] = {{
{value_type_of}
}}
"""What each token is as a value, if it can be one by itself."""

KEYS = frozenset(
    {{
{keys}
    }}
)
"""The tokens that can be a key."""

OPERATORS = frozenset(
    {{
{operators}
    }}
)
"""The tokens that can follow a key."""

KIND_OF_TEXT: dict[str, int] = {{
{kind_of_text}
}}
"""The kind of each token that is always written the same."""


class ErrorKind(IntEnum):
    """Kinds of errors.

{which_error}
    """

{error_kinds}


ERROR_TYPES: dict[int, ErrorType] = {{
{error_types}
}}
"""The contract's name for each kind of error."""

CODES: dict[int, str] = {{
{codes}
}}
"""The code of each kind of error, which never changes its meaning."""

SEVERITIES: dict[int, Severity] = {{
{severities}
}}
"""The severity of each kind of error."""

MESSAGES: dict[int, str] = {{
{messages}
}}
"""What a strict parse says of each kind of error."""

RECOVERY_MESSAGES: dict[int, str] = {{
{recovery_messages}
}}
"""What recovery says of each kind of error, but for those below."""

BLOCK_MESSAGES: dict[int, dict[str, str]] = {{
{block_messages}
}}
"""What recovery says of a block or a list, which it shows at its brace or where it should end."""

TOO_MANY = {too_many_code}
"""The code of what recovery says instead of the errors past its limit."""

TOO_MANY_SEVERITY: Severity = {too_many_severity}

TOO_MANY_MESSAGE = {too_many_message}
'''

RUST_TEMPLATE = """\
//! What both parsers must agree on: dialects, value types, tokens and errors.
//!
//! Written by `rust/tools/make_grammar_tables.py` from `src/ck3parse/parser/grammar.toml`, with the
//! reference parser's tables.

use crate::dialect::{{Spelling, WordSpelling}};

{dialects}

/// The `value_type` of a value node in contract 1, and its `kind` in contract 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {{
{value_types}
}}

#[rustfmt::skip]
impl ValueType {{
    /// The name that stands in the JSON.
    pub const fn name(self) -> &'static str {{
        match self {{
{value_type_names}
        }}
    }}
}}

/// Kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {{
{token_kinds}
}}

#[rustfmt::skip]
impl TokenKind {{
    pub const ALL: &[Self] = &[{all}];

    /// What the token is as a value, if it can be one by itself.
    #[inline(always)]
    pub const fn value_type(self) -> Option<ValueType> {{
        match self {{
{value_type_of}
            _ => None,
        }}
    }}

    /// Whether the token can be a key.
    #[inline(always)]
    pub const fn is_key(self) -> bool {{
        matches!(self, {keys})
    }}

    /// Whether the token can follow a key.
    #[inline(always)]
    pub const fn is_operator(self) -> bool {{
        matches!(self, {operators})
    }}

    /// How the token can be written, if that is fixed.
    pub const fn texts(self) -> &'static [&'static str] {{
        match self {{
{texts}
            _ => &[],
        }}
    }}
}}

/// Kinds of errors.
///
{which_error}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorKind {{
{error_kinds}
}}

#[rustfmt::skip]
impl ErrorKind {{
    /// Whether it is the lexer's: such an error wins over any of the parser's.
    pub const fn is_lexical(self) -> bool {{
        matches!(self, {lexical})
    }}

    /// Whether it is an error, and not a warning.
    pub const fn is_error(self) -> bool {{
        !matches!(self, {warnings})
    }}
}}
"""

Entry = dict[str, Any]


def constant(entry: Entry) -> str:
    """Return the name of an entry in Python."""
    return str(entry["name"]).upper()


def error_type_constant(name: str) -> str:
    """Return the name of an error type, such as `LexerError`, in Python."""
    return name.replace("Error", "_ERROR").upper()


def variant(entry: Entry) -> str:
    """Return the name of an entry in Rust."""
    return "".join(word.capitalize() for word in entry["name"].split("_"))


def quoted(text: str) -> str:
    """Return a string literal that both languages read, quoted as their formatters do it."""
    return json.dumps(text, ensure_ascii=False)


def lines(items: Iterable[str]) -> str:
    """Return items as lines."""
    return "\n".join(items)


def wrapped(text: str, prefix: str) -> str:
    """Return a text as lines that start with a prefix."""
    width = WIDTH - len(prefix)
    return lines(prefix + line for line in textwrap.wrap(text, width, break_on_hyphens=False))


def documented(entry: Entry, value: object) -> str:
    """Return a constant of a class in Python, with its documentation."""
    text = f'"""{entry["about"]}"""'
    if len(text) > WIDTH - 4:
        raise ValueError(f"{entry['name']}: its `about` does not fit on a line")
    return f"    {constant(entry)} = {value}\n    {text}"


def variants(entries: list[Entry], *, numbered: bool = False) -> str:
    """Return the variants of an enum in Rust, with their documentation."""
    return lines(
        wrapped(entry["about"], "    /// ")
        + f"\n    {variant(entry)}"
        + (f" = {entry['number']}," if numbered else ",")
        for entry in entries
    )


def members(entries: Iterable[Entry], key: str) -> str:
    """Return the members of a dictionary in Python, from kinds of errors to what they have."""
    return lines(f"    ErrorKind.{constant(entry)}: {quoted(entry[key])}," for entry in entries)


def python_module(grammar: Entry) -> str:
    """Return the Python module."""
    tokens, errors = grammar["token"], grammar["error"]
    recovered = [{"recovered": entry.get("message"), **entry} for entry in errors]
    simple = [entry for entry in recovered if isinstance(entry["recovered"], str)]
    blocks = [entry for entry in recovered if isinstance(entry["recovered"], dict)]
    return PYTHON_TEMPLATE.format(
        dialects=lines(python_dialect(*each) for each in grammar["dialect"].items()),
        value_types=lines(documented(each, quoted(each["name"])) for each in grammar["value_type"]),
        token_kinds=lines(documented(each, number) for number, each in enumerate(tokens)),
        value_type_of=lines(
            f"    TokenKind.{constant(each)}: ValueType.{each['value_type'].upper()},"
            for each in tokens
            if "value_type" in each
        ),
        keys=lines(f"        TokenKind.{constant(each)}," for each in tokens if "key" in each),
        operators=lines(
            f"        TokenKind.{constant(each)}," for each in tokens if "operator" in each
        ),
        kind_of_text=lines(
            f"    {quoted(text)}: TokenKind.{constant(each)},"
            for each in tokens
            for text in each.get("text", [])
        ),
        which_error=textwrap.indent(grammar["which_error"].strip(), "    "),
        error_kinds=lines(documented(each, each["number"]) for each in errors),
        error_types=lines(
            f"    ErrorKind.{constant(each)}: ErrorType.{error_type_constant(each['error_type'])},"
            for each in errors
        ),
        codes=members(errors, "code"),
        severities=members(errors, "severity"),
        messages=members((each for each in errors if "message" in each), "message"),
        recovery_messages=members(simple, "recovered"),
        block_messages=lines(
            f"    ErrorKind.{constant(each)}: {{\n"
            + lines(
                f"        {quoted(at)}: {quoted(text)}," for at, text in each["recovered"].items()
            )
            + "\n    },"
            for each in blocks
        ),
        too_many_severity=quoted(grammar["too_many"]["severity"]),
        too_many_code=quoted(grammar["too_many"]["code"]),
        too_many_message=quoted(grammar["too_many"]["recovered"]),
    )


def rust_module(grammar: Entry) -> str:
    """Return the Rust module."""
    tokens, errors = grammar["token"], grammar["error"]

    def either(entries: Iterable[Entry]) -> str:
        return " | ".join(f"Self::{variant(each)}" for each in entries)

    return RUST_TEMPLATE.format(
        dialects=lines(rust_dialect(*each) for each in grammar["dialect"].items()),
        value_types=variants(grammar["value_type"]),
        value_type_names=lines(
            f"            Self::{variant(each)} => {quoted(each['name'])},"
            for each in grammar["value_type"]
        ),
        token_kinds=variants(tokens),
        value_type_of=lines(
            f"            Self::{variant(each)} => Some(ValueType::"
            f"{variant({'name': each['value_type']})}),"
            for each in tokens
            if "value_type" in each
        ),
        all=", ".join(f"Self::{variant(each)}" for each in tokens),
        keys=either(each for each in tokens if "key" in each),
        operators=either(each for each in tokens if "operator" in each),
        texts=lines(
            f"            Self::{variant(each)} => &[{', '.join(map(quoted, each['text']))}],"
            for each in tokens
            if "text" in each
        ),
        which_error=textwrap.indent(grammar["which_error"].strip(), "/// "),
        error_kinds=variants(errors, numbered=True),
        warnings=either(each for each in errors if each["severity"] == "warning"),
        lexical=either(each for each in errors if each["error_type"] == "LexerError"),
    )


def python_dialect(name: str, dialect: Entry) -> str:
    """Return a dialect in Python."""
    fields = lines(
        f"    {field}={python_literal(value)},"
        for field, value in dialect.items()
        if field != "about"
    )
    kind = "WordDialect" if "word_stops" in dialect else "Dialect"
    return f'{name.upper()} = {kind}(\n{fields}\n)\n"""{dialect["about"]}"""'


def python_literal(value: object) -> str:
    """Return a literal, quoted as the formatter does it."""
    if isinstance(value, str) and '"' in value and "'" not in value:
        return f"'{value}'"
    return json.dumps(value)


def rust_dialect(name: str, dialect: Entry) -> str:
    """Return how a dialect spells its tokens, in Rust."""
    if "word_stops" in dialect:
        return rust_word_dialect(name, dialect)
    fields = lines(
        f"    {field}: b{quoted(value)},"
        for field, value in dialect.items()
        if field not in ("about", "version", "escapes")
    )
    escapes = ", ".join(f"(b'{a}', b{b!a})" for a, b in dialect["escapes"].items())
    return (
        wrapped(dialect["about"], "/// ")
        + f"\npub(crate) const {name.upper()}: Spelling = Spelling {{\n{fields}\n"
        + f"    escapes: &[{escapes}],\n}};"
    )


def rust_word_dialect(name: str, dialect: Entry) -> str:
    """Return how a dialect of words spells its tokens, in Rust."""
    spaces = ", ".join(f"'\\u{{{ord(space):04x}}}'" for space in dialect["spaces"])
    tags = ", ".join(quoted(tag) for tag in dialect["tags"])
    return lines(
        (
            wrapped(dialect["about"], "/// "),
            "#[rustfmt::skip]",
            f"pub(crate) const {name.upper()}: WordSpelling = WordSpelling {{",
            f"    word_stops: b{quoted(dialect['word_stops'])},",
            f"    word_signs: b{quoted(dialect['word_signs'])},",
            f"    spaces: &[{spaces}],",
            f"    tags: &[{tags}],",
            "};",
        )
    )


def tables() -> dict[Path, str]:
    """Return the content of each file that this script writes."""
    grammar = tomllib.loads(SOURCE.read_text("utf-8"))
    return {PYTHON_TABLES: python_module(grammar), RUST_TABLES: rust_module(grammar)}


def main() -> None:
    """Write both files."""
    for path, text in tables().items():
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
