"""The parser: bytes or text in, the AST's JSON or an error with its place out.

`CK3PARSE_PARSER` chooses who does it: `native` (the compiled core), `python` (the reference), or
`module:callable`, a parser of one's own with the signature `parse(data: bytes, name: str, *,
mode: str) -> ParseOutcome`. Unset, it is the native one where it was built, else the reference.
"""

import importlib
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from ck3parse.config import read_setting
from ck3parse.errors import UsageError
from ck3parse.messages import DEFAULT_MAX_DEPTH, Mode
from ck3parse.parser.grammar_tables import CK3RAVEN
from ck3parse.parser.outcome import ParseOutcome, checked

__all__ = [
    "DEFAULT_MAX_DEPTH",
    "ParseOutcome",
    "parse_bytes",
    "parse_text",
    "parser_in_use",
]


class Parser(NamedTuple):
    """A parser that can be chosen.

    Attributes:
        name: `native`, `python` or `module:callable`.
        version: what its results are stored under; parsers with the same output share it.
        parse_bytes: parses a file's content.
        parse_text: parses a text as it is.
    """

    name: str
    version: str
    parse_bytes: Callable[..., ParseOutcome]
    parse_text: Callable[..., ParseOutcome]


def parse_bytes(
    data: bytes, name: str, *, mode: Mode = "strict", max_depth: int = DEFAULT_MAX_DEPTH
) -> ParseOutcome:
    """Parse a file's content, as section 1 of the AST contract decodes it. Never raises.

    Args:
        data: the file's bytes, with or without a byte order mark, of any line ends.
        name: what the root node's `filename` says.
        mode: `strict` or `recover`.
        max_depth: how deep braces may nest.
    """
    return _parser(read_setting("parser")).parse_bytes(data, name, mode=mode, max_depth=max_depth)


def parse_text(
    text: str, name: str, *, mode: Mode = "strict", max_depth: int = DEFAULT_MAX_DEPTH
) -> ParseOutcome:
    """Parse a text as it is: no byte order mark removed, no line ends changed. Never raises.

    Args:
        text: the script; lone surrogates are allowed.
        name: what the root node's `filename` says.
        mode: `strict` or `recover`.
        max_depth: how deep braces may nest.
    """
    return _parser(read_setting("parser")).parse_text(text, name, mode=mode, max_depth=max_depth)


def parser_in_use() -> Parser:
    """Return the parser that `CK3PARSE_PARSER` chooses.

    Raises:
        UsageError: there is no such parser.
    """
    return _parser(read_setting("parser"))


@cache
def _parser(choice: str) -> Parser:
    if choice in ("", "native"):
        try:
            from ck3parse.parser import native
        except ModuleNotFoundError as error:
            # Only an absent build means Python; one that is there and broken must be heard of.
            if error.name != "ck3parse.parser._native":
                raise
            if choice == "native":
                raise UsageError(
                    "CK3PARSE_PARSER is native, but the native parser is not built: install with"
                    " CK3PARSE_NATIVE=1 and a Rust toolchain, or unset CK3PARSE_PARSER"
                ) from error
        else:
            return Parser("native", CK3RAVEN.version, native.parse_bytes, native.parse_text)
    if choice in ("", "python"):
        from ck3parse.parser import reference

        return Parser("python", CK3RAVEN.version, reference.parse_bytes, reference.parse_text)
    return _own_parser(choice)


def _own_parser(choice: str) -> Parser:
    module_name, _, attribute = choice.partition(":")
    try:
        own = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"CK3PARSE_PARSER is {choice!r}, which is not native, python or a module:callable"
            f" that can be imported ({error})"
        ) from error

    def own_bytes(
        data: bytes, name: str, *, mode: Mode = "strict", max_depth: int = DEFAULT_MAX_DEPTH
    ) -> ParseOutcome:
        del max_depth  # the signature asked of an own parser has none
        return checked(own(data, name, mode=mode))

    def own_text(
        text: str, name: str, *, mode: Mode = "strict", max_depth: int = DEFAULT_MAX_DEPTH
    ) -> ParseOutcome:
        return own_bytes(text.encode("utf-8", "replace"), name, mode=mode, max_depth=max_depth)

    return Parser(choice, choice, own_bytes, own_text)
