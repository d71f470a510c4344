"""The native parser, with the same functions as the reference parser."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import ck3parse.parser._native as _native  # "from" would hide which module is missing
from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_MAX_DEPTH, DialectName, Mode
from ck3parse.parser.diagnostics import (
    MAX_FAULTS,
    Recovered,
    ReportedFault,
    message_of,
)
from ck3parse.parser.grammar_tables import ERROR_TYPES
from ck3parse.parser.outcome import ParseOutcome, recovered_outcome

WordLists = _native.WordLists
"""Collects the words of many contents; see `rust/core/src/index/word_lists.rs`."""

DefinitionRows = _native.DefinitionRows
"""Collects the definitions of many contents; see `rust/core/src/index/table_file.rs`."""

table_database = _native.table_database
"""Writes rows as an SQLite database with one table; see there, too."""


def parse_bytes(
    data: bytes,
    name: str,
    *,
    mode: Mode = "strict",
    max_depth: int = DEFAULT_MAX_DEPTH,
    dialect: DialectName = DEFAULT_DIALECT,
    comments: bool = False,
) -> ParseOutcome:
    """Parse the content of a file; see `ck3parse.parser.parse_bytes`."""
    if dialect == "ck3":
        from ck3parse.parser.ck3.source import is_windows_1252

        parsed = _native.parse_ck3(data, is_windows_1252(name), max_depth, MAX_FAULTS, comments)
        return _recovered(*parsed, max_depth)
    outcome = _outcome(*_native.parse_bytes(data, name, max_depth))
    if mode == "strict" or outcome.success:
        return outcome
    return _recovered(*_native.recover_bytes(data, name, max_depth, MAX_FAULTS), max_depth)


def parse_text(
    text: str,
    name: str,
    *,
    mode: Mode = "strict",
    max_depth: int = DEFAULT_MAX_DEPTH,
    dialect: DialectName = DEFAULT_DIALECT,
    comments: bool = False,
) -> ParseOutcome:
    """Parse a text; see `ck3parse.parser.parse_text`."""
    if dialect == "ck3":
        data = text.encode("utf-8", "surrogatepass")
        return parse_bytes(data, name, max_depth=max_depth, dialect=dialect, comments=comments)
    outcome = _outcome(*_native.parse_text(text, name, max_depth))
    if mode == "strict" or outcome.success:
        return outcome
    return _recovered(*_native.recover_text(text, name, max_depth, MAX_FAULTS), max_depth)


def qbuilder_rows(
    source: bytes | str,
    name: str,
    symbol_type: str | None,
    *,
    want_ast: bool = True,
    max_depth: int = DEFAULT_MAX_DEPTH,
) -> tuple[ParseOutcome, bytes | None]:
    """Parse strictly, and make the rows of the extractor `qbuilder/1` meanwhile.

    Args:
        source: the content of a file (`bytes`) or a text (`str`).
        name: the `filename` of the root node.
        symbol_type: the type of the symbols in the file, or `None` if it has none.
        want_ast: whether the outcome of a source that parses has its AST.
        max_depth: how deep braces may nest.

    Returns:
        The outcome, and the rows as compact ASCII JSON, or `None` if it does not parse.
    """
    if isinstance(source, bytes):
        fields, rows = _native.qbuilder_bytes(source, name, max_depth, symbol_type, want_ast)
    else:
        fields, rows = _native.qbuilder_text(source, name, max_depth, symbol_type, want_ast)
    if rows is None:
        return _outcome(*fields), None
    ast_json, node_count, *_ = fields
    return ParseOutcome(True, ast_json, node_count), rows


class RowsOptions(NamedTuple):
    """How the rows of `ck3/1` are made.

    Attributes:
        find: the name of the table of `ck3.toml` that says how definitions are found.
        kind: the kind of definitions that have none of their own, as it is written in JSON.
        windows_1252: whether the game reads a file that is not UTF-8 as Windows-1252.
    """

    find: str
    kind: str
    windows_1252: bool


def rows_options(name: str, find: str, kind: str) -> RowsOptions:
    """Return how the rows of a file are made.

    Args:
        name: the path of the file, which says whether the game reads it as Windows-1252.
        find: as in `RowsOptions`.
        kind: the kind of definitions that have none of their own.
    """
    from ck3parse.parser.ck3.source import is_windows_1252

    return RowsOptions(find, json.dumps(kind)[1:-1], is_windows_1252(name))


def ck3_rows(
    source: bytes | str, options: RowsOptions, *, max_depth: int = DEFAULT_MAX_DEPTH
) -> bytes:
    """Return the rows of the extractor `ck3/1` of a file, as compact ASCII JSON.

    Args:
        source: the content of a file (`bytes`) or a text (`str`).
        options: how they are made.
        max_depth: how deep braces may nest.
    """
    return _native.ck3_rows(_utf_8(source), *options, max_depth)


def parse_with_ck3_rows(
    options: RowsOptions,
    data: bytes,
    name: str,
    *,
    mode: Mode = "strict",
    max_depth: int = DEFAULT_MAX_DEPTH,
) -> tuple[ParseOutcome, bytes]:
    """Parse the content of a file, and return the rows of `ck3/1` too, in one pass for most files.

    Args:
        options: how the rows are made.
        data: the content.
        name: the `filename` of the root node.
        mode: what is done with a file with errors.
        max_depth: how deep braces may nest.
    """
    fields, rows = _native.parse_with_ck3_rows(data, name, *options, max_depth)
    outcome = _outcome(*fields)
    if mode == "recover" and not outcome.success:
        outcome = _recovered(*_native.recover_bytes(data, name, max_depth, MAX_FAULTS), max_depth)
    return outcome, rows


def ck3_places(
    source: bytes | str, name: str, word: str, *, max_depth: int = DEFAULT_MAX_DEPTH
) -> list[tuple[int, int, int, int, int]]:
    """Return the places where a file uses a name, as `ck3parse.extractors.places` does.

    Args:
        source: the content of a file (`bytes`) or a text (`str`).
        name: its path, which says whether the game reads it as Windows-1252.
        word: the name.
        max_depth: how deep braces may nest.

    Returns:
        For each place its start, end, line, column and the number of its role.
    """
    from ck3parse.parser.ck3.source import is_windows_1252

    windows_1252 = is_windows_1252(name)
    return _native.ck3_places(_utf_8(source), _utf_8(word), max_depth, windows_1252)


def sound_ck3_nodes(data: bytes, name: str, *, max_depth: int = DEFAULT_MAX_DEPTH) -> int | None:
    """Return how many nodes a file has in dialect `ck3`, if nothing is to be reported in it.

    It takes a third of the time of `parse_bytes`, which makes the tree.

    Args:
        data: the content of the file.
        name: its path, which says whether the game reads it as Windows-1252.
        max_depth: how deep braces may nest.

    Returns:
        The number, or `None` if `parse_bytes` has to find out.
    """
    from ck3parse.parser.ck3.source import is_windows_1252

    return _native.sound_ck3_nodes(data, is_windows_1252(name), max_depth)


def signs(text: str, once: Sequence[str], blocks: Sequence[str]) -> int:
    r"""Return which signs of likely mistakes a text has, as the bits of `ck3parse.lint`'s `Sign`.

    Args:
        text: the text, with `\n` as the only line end, without lone surrogates.
        once: keys that the game reads once in a block.
        blocks: keys of blocks that hold keys with values.
    """
    return _native.signs(text, once, blocks)


def _utf_8(source: bytes | str) -> bytes:
    return source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")


def _outcome(
    ast_json: bytes | None, node_count: int, kind: int, found: str, line: int, column: int
) -> ParseOutcome:
    if ast_json is not None:
        return ParseOutcome(True, ast_json, node_count)
    return ParseOutcome(
        False,
        error_type=ERROR_TYPES[kind],
        error=message_of(kind, found),
        line=line,
        column=column,
    )


def _recovered(
    ast_json: bytes,
    node_count: int,
    faults: list[tuple[int, int, int, int, int, str, int]],
    fault_count: int,
    first_error: tuple[int, int, int, int, int, str, int] | None,
    max_depth: int,
) -> ParseOutcome:
    reported = [ReportedFault(*fault) for fault in faults]
    first = None if first_error is None else ReportedFault(*first_error)
    recovered = Recovered(ast_json, node_count, reported, fault_count, first)
    return recovered_outcome(recovered, max_depth)
