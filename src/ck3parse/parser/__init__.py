"""The parser: from bytes or text to the AST's JSON, or to an error and its place.

`CK3PARSE_PARSER` selects the implementation: `native` (Rust), `python` (the reference), or
`module:callable`, your own parser with the signature `parse(data: bytes, name: str, *, mode: str)
-> ParseOutcome`. If it is unset, the native parser is used if it was built, else the reference.
"""

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from ck3parse.config import read_setting
from ck3parse.errors import UsageError
from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_MAX_DEPTH, DialectName, Mode
from ck3parse.parser.grammar_tables import CK3, CK3RAVEN
from ck3parse.parser.outcome import ParseOutcome, checked

__all__ = [
    "DEFAULT_MAX_DEPTH",
    "ParseOutcome",
    "parse_bytes",
    "parse_text",
    "parser_in_use",
]


class Parser(NamedTuple):
    """A parser that `CK3PARSE_PARSER` can select.

    Attributes:
        name: `native`, `python` or `module:callable`.
        versions: for each dialect that it parses, the version that its results are stored under,
            the same for parsers with the same output.
        parse_bytes: parses the content of a file.
        parse_text: parses a text without decoding it.
    """

    name: str
    versions: Mapping[str, str]
    parse_bytes: Callable[..., ParseOutcome]
    parse_text: Callable[..., ParseOutcome]

    def parse(
        self,
        source: bytes | str,
        name: str,
        *,
        mode: Mode,
        max_depth: int,
        dialect: DialectName = DEFAULT_DIALECT,
        comments: bool = False,
    ) -> ParseOutcome:
        """Parse the content of a file (`bytes`) or a text (`str`).

        Raises:
            UsageError: it does not parse that dialect.
        """
        parse = self.parse_bytes if isinstance(source, bytes) else self.parse_text
        if dialect == DEFAULT_DIALECT:  # a parser of the user's own takes no other
            return parse(source, name, mode=mode, max_depth=max_depth)
        self.version_of(dialect)
        return parse(
            source, name, mode=mode, max_depth=max_depth, dialect=dialect, comments=comments
        )

    @property
    def version(self) -> str:
        """The version for the default dialect."""
        return self.versions[DEFAULT_DIALECT]

    @property
    def newest_dialect(self) -> DialectName:
        """The dialect for tools: `ck3`, but for a parser of the user's own."""
        return "ck3" if "ck3" in self.versions else DEFAULT_DIALECT

    def version_of(self, dialect: DialectName) -> str:
        """Return the version that its results in a dialect are stored under.

        Args:
            dialect: the dialect.

        Raises:
            UsageError: it does not parse that dialect.
        """
        if dialect in self.versions:
            return self.versions[dialect]
        raise UsageError(
            f"the parser {self.name} does not parse the dialect {dialect!a}: use"
            f" {' or '.join(self.versions)}, or another CK3PARSE_PARSER"
        )


def parse_bytes(
    data: bytes,
    name: str,
    *,
    mode: Mode = "strict",
    max_depth: int = DEFAULT_MAX_DEPTH,
    dialect: DialectName = DEFAULT_DIALECT,
    comments: bool = False,
) -> ParseOutcome:
    """Parse the content of a file.

    Args:
        data: the file's bytes, with or without a byte order mark, with any line ends.
        name: the `filename` of the root node. In dialect `ck3`, the path of the file, which says
            whether the game reads it as Windows-1252.
        mode: `strict` stops at the first error; `recover` reports all and keeps what is sound.
            Dialect `ck3` always recovers.
        max_depth: how deep braces may nest.
        dialect: how to read the script.
        comments: whether the root lists the spans of comments, which only dialect `ck3` can.

    Raises:
        UsageError: the parser that `CK3PARSE_PARSER` selects does not parse this dialect.
    """
    return parser_in_use().parse(
        data, name, mode=mode, max_depth=max_depth, dialect=dialect, comments=comments
    )


def parse_text(
    text: str,
    name: str,
    *,
    mode: Mode = "strict",
    max_depth: int = DEFAULT_MAX_DEPTH,
    dialect: DialectName = DEFAULT_DIALECT,
    comments: bool = False,
) -> ParseOutcome:
    """Parse a text. In `ck3raven`, a byte order mark is an error, and line ends are kept.

    Args:
        text: the script; lone surrogates are allowed. In dialect `ck3`, spans count the bytes of
            its UTF-8.
        name: as for `parse_bytes`.
        mode: as for `parse_bytes`.
        max_depth: how deep braces may nest.
        dialect: how to read the script.
        comments: whether the root lists the spans of comments, which only dialect `ck3` can.

    Raises:
        UsageError: the parser that `CK3PARSE_PARSER` selects does not parse this dialect.
    """
    return parser_in_use().parse(
        text, name, mode=mode, max_depth=max_depth, dialect=dialect, comments=comments
    )


def parser_in_use() -> Parser:
    """Return the parser that `CK3PARSE_PARSER` selects.

    Raises:
        UsageError: that parser does not exist.
    """
    return _parser(read_setting("parser"))


_VERSIONS: Mapping[str, str] = {"ck3raven": CK3RAVEN.version, "ck3": CK3.version}


@cache
def _parser(choice: str) -> Parser:
    if choice in ("", "native"):
        try:
            from ck3parse.parser import native
        except ModuleNotFoundError as error:
            # Fall back only if the native parser was not built. A broken one must raise.
            if error.name != "ck3parse.parser._native":
                raise
            if choice == "native":
                raise UsageError(
                    "CK3PARSE_PARSER is native, but the native parser is not built: install with"
                    " CK3PARSE_NATIVE=1 and a Rust toolchain, or unset CK3PARSE_PARSER"
                ) from error
        else:
            return Parser("native", _VERSIONS, native.parse_bytes, native.parse_text)
    if choice in ("", "python"):
        from ck3parse.parser import reference

        return Parser("python", _VERSIONS, reference.parse_bytes, reference.parse_text)
    return _custom_parser(choice)


def _custom_parser(choice: str) -> Parser:
    module_name, _, attribute = choice.partition(":")
    try:
        custom = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"CK3PARSE_PARSER is {choice!r}, which is not native, python or a module:callable"
            f" that can be imported ({error})"
        ) from error

    def custom_bytes(
        data: bytes, name: str, *, mode: Mode = "strict", max_depth: int = DEFAULT_MAX_DEPTH
    ) -> ParseOutcome:
        del max_depth  # a custom parser does not take it
        return checked(custom(data, name, mode=mode))

    def custom_text(
        text: str, name: str, *, mode: Mode = "strict", max_depth: int = DEFAULT_MAX_DEPTH
    ) -> ParseOutcome:
        return custom_bytes(text.encode("utf-8", "replace"), name, mode=mode, max_depth=max_depth)

    return Parser(choice, {DEFAULT_DIALECT: choice}, custom_bytes, custom_text)
