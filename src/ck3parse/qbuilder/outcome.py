"""What comes of an item: a tree and its rows, or a failure as qbuilder words it."""

import json
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import zstandard

from ck3parse.bridge.results import (
    ParseSubprocessError,
    ParseTimeoutError,
    raise_if_lost,
    result_of,
)
from ck3parse.errors import ErrorType
from ck3parse.extractors.ast_decoding import tree_of
from ck3parse.extractors.qbuilder import EXTRACTOR, QbuilderRows, decode, extract
from ck3parse.messages import ParseResult
from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.installed import REFS, SYMBOLS

_NO_ROWS = QbuilderRows([], [])
_decompress = zstandard.ZstdDecompressor().decompress


class Parsed(NamedTuple):
    """An item whose file was parsed.

    Attributes:
        item: the item.
        steps: the steps of its envelope.
        ast_json: the tree as JSON text, or `None` if the database has it.
        node_count: the number of its nodes.
        rows: its symbols and references.
    """

    item: Item
    steps: tuple[str, ...]
    ast_json: str | None
    node_count: int
    rows: QbuilderRows


class Failure(NamedTuple):
    """A failed attempt.

    Attributes:
        item: the item.
        message: the type and message of the exception that qbuilder would have caught.
        step: the step that failed, if qbuilder keeps it.
        final: whether it is not tried again.
    """

    item: Item
    message: str
    step: str | None = None
    final: bool = False


class Unavailable(NamedTuple):
    """An item that nobody parsed, for which it is not to blame.

    Attributes:
        item: the item.
        reason: what is wrong with the broker or its workers.
    """

    item: Item
    reason: str


class Postponed(NamedTuple):
    """An item whose turn at qbuilder's own functions has passed: it is to be claimed again.

    Attributes:
        item: the item.
    """

    item: Item


def failure(item: Item, error: Exception) -> Failure:
    """Return the failure of an item that raised an exception."""
    timeout = isinstance(error, ParseTimeoutError)
    step = "parse" if timeout else None
    return Failure(item, f"{type(error).__name__}: {error}", step, timeout)


def outcome_of(
    item: Item,
    steps: tuple[str, ...],
    answer: ParseResult,
    timeout_ms: int,
    between: Callable[[], None],
) -> Parsed | Failure | Unavailable:
    """Return what comes of an item whose file was parsed.

    Args:
        item: the item.
        steps: the steps of its envelope.
        answer: the result of its file.
        timeout_ms: the time limit that it had.
        between: called between the parts of the work, each of which may take 50 ms with a large
            file.
    """
    if answer.error_type is ErrorType.WORKER_UNAVAILABLE:
        return Unavailable(item, answer.error or "no worker answered")
    try:
        if not answer.ok:
            result = raise_if_lost(result_of(answer), timeout_ms)
            raise RuntimeError(
                f"{result.error_type or 'ParseError'}: {result.error or 'Unknown parse error'}"
            )
        ast_json = _decompress(answer.ast or b"")
        between()
        rows = _NO_ROWS
        if SYMBOLS in steps or REFS in steps:
            if why := answer.extract_errors.get(EXTRACTOR.full_name):
                raise RuntimeError(why)
            made = answer.rows_json(EXTRACTOR.full_name)
            rows = rows_of(ast_json, item.relpath) if made is None else decode(made)
            between()
        return Parsed(item, steps, ast_json.decode("ascii"), answer.node_count, rows)
    except (RuntimeError, ParseTimeoutError, ParseSubprocessError) as error:
        return failure(item, error)


def rows_of(ast_json: bytes, relpath: str) -> QbuilderRows:
    """Return the symbols and references of a tree, made in this process.

    Args:
        ast_json: the tree as JSON.
        relpath: the path of its file relative to its root.
    """
    return msgspec.convert(extract(tree_of(ast_json), relpath), QbuilderRows)


def rows_of_stored(ast_json: bytes, relpath: str) -> QbuilderRows:
    """Return the symbols and references of a tree that the database has.

    Args:
        ast_json: the tree as JSON; it may be anything.
        relpath: the path of its file relative to its root.

    Raises:
        Exception: what qbuilder's own worker raises if it is no tree.
    """
    return msgspec.convert(extract(json.loads(ast_json), relpath), QbuilderRows)
