"""The stage after parsing: the rows of one file, by each extractor that its request names."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from ck3parse.errors import UsageError
from ck3parse.extractors import CK3, QBUILDER, extractor
from ck3parse.extractors.ast_decoding import tree_of
from ck3parse.messages import DEFAULT_DIALECT, DEFAULT_MAX_DEPTH, ParseRequest, ParseResult
from ck3parse.parser import ParseOutcome, Parser

if TYPE_CHECKING:
    from ck3parse.parser.native import RowsOptions

_MAX_ERROR = 1000
"""Characters of an extractor's error that are kept."""


class Extraction(msgspec.Struct, frozen=True, gc=False):
    """What the extractors made of a file.

    Attributes:
        rows: by extractor, compact ASCII JSON of an object.
        errors: by extractor that made none, why, in one sentence.
    """

    rows: dict[str, bytes]
    errors: dict[str, str]


def parse_and_extract(
    parser: Parser, source: bytes | str, request: ParseRequest, max_depth: int
) -> tuple[ParseOutcome, Extraction]:
    """Parse a file or text, and return what the extractors of its request make of it.

    Args:
        parser: parses it.
        source: the content of a file, or a text.
        request: names the extractors.
        max_depth: how deep braces may nest.

    Returns:
        The outcome, and the rows of a file that parses. Of others there are those of `ck3/1` only.
    """
    names, relpath = request.extract, request.relpath or request.name
    native = parser.name == "native"
    if (
        native
        and names == [CK3]
        and isinstance(source, bytes)
        and request.dialect == DEFAULT_DIALECT
    ):
        parse = _with_index_rows(_folder_of(relpath))
        outcome, index = parse(source, request.name, mode=request.mode, max_depth=max_depth)
        return outcome, Extraction({CK3: index}, {})
    made = Extraction({}, {})
    if CK3 in names:
        names = [name for name in names if name != CK3]
        try:
            made.rows[CK3] = index_rows(source, relpath, native=native, max_depth=max_depth)
        except Exception as error:  # noqa: BLE001 - a bug must not cost the tree
            made.errors[CK3] = _failure(CK3, error)
    if native and QBUILDER in names:
        from ck3parse.extractors import qbuilder  # its tables take milliseconds

        names = [name for name in names if name != QBUILDER]
        outcome, rows = qbuilder.parse_and_extract(
            source,
            request.name,
            relpath,
            want_ast=request.want_ast or bool(names),
            max_depth=max_depth,
        )
        if rows is not None:
            made.rows[QBUILDER] = rows
        elif request.mode == "recover":
            outcome = parser.parse(source, request.name, mode="recover", max_depth=max_depth)
    else:
        outcome = parser.parse(
            source,
            request.name,
            mode=request.mode,
            max_depth=max_depth,
            dialect=request.dialect,
        )
    if outcome.success and outcome.ast_json is not None:
        extract(names, outcome.ast_json, relpath, made)
    return outcome, made


def index_rows(
    source: bytes | str, relpath: str, *, native: bool, max_depth: int = DEFAULT_MAX_DEPTH
) -> bytes:
    """Return the rows of `ck3/1` of a file, whether it parses or not, as compact ASCII JSON.

    Args:
        source: the content of a file, or a text.
        relpath: the path of the file relative to the root of its mod.
        native: whether the native parser makes them, or Python. Both make the same.
        max_depth: how deep braces may nest. Anything deeper is left out.
    """
    # Neither is needed by requests for other rows, and both take milliseconds.
    if native:
        from ck3parse.parser.native import ck3_rows

        return ck3_rows(source, _options_of(_folder_of(relpath)), max_depth=max_depth)
    from ck3parse.extractors import ck3_tree

    return encoded(ck3_tree.rows_of(source, relpath, max_depth=max_depth))


def _folder_of(relpath: str) -> str:
    return relpath.replace("\\", "/").rpartition("/")[0]


@lru_cache(maxsize=1 << 12)
def _with_index_rows(folder: str) -> Callable[..., tuple[ParseOutcome, bytes]]:
    """Return the function that parses the files of a folder and makes the rows of `ck3/1`."""
    from ck3parse.parser.native import parse_with_ck3_rows

    return partial(parse_with_ck3_rows, _options_of(folder))


@lru_cache(maxsize=1 << 12)
def _options_of(folder: str) -> "RowsOptions":
    """Return how the rows of the files of a folder are made."""
    from ck3parse.extractors.ck3 import encoding_name, rule_of
    from ck3parse.parser.native import rows_options

    rule = rule_of(f"{folder}/")
    return rows_options(encoding_name(rule), rule.find, rule.kind)


def fill_rows(
    result: ParseResult,
    extraction: Extraction,
    max_bytes: int,
    compress: Callable[[bytes], bytes],
) -> None:
    """Put rows into the result of their file.

    Args:
        result: takes the rows and errors.
        extraction: what the extractors made.
        max_bytes: bytes of the JSON of an extractor above which its rows are an error.
        compress: makes a zstd frame.
    """
    made = result.rows
    result.extract_errors = extraction.errors
    for name, rows in extraction.rows.items():
        if len(rows) <= max_bytes:
            made[name] = compress(rows)
        else:
            result.extract_errors[name] = (
                f"the rows of the extractor {name} are {len(rows):,} bytes of JSON: a file of this"
                f" size may have {max_bytes:,}"
            )


def extract(names: Sequence[str], ast_json: bytes, relpath: str, made: Extraction) -> None:
    """Add what extractors make of a file. An extractor that fails costs its own rows only.

    Args:
        names: full names of extractors.
        ast_json: the AST of the file.
        relpath: the path of the file relative to its mod.
        made: takes the rows and errors.
    """
    for name in names:
        try:
            # Each gets a tree of its own, which it may change.
            rows = extractor(name).extract(tree_of(ast_json), relpath)
            made.rows[name] = encoded(rows)
        except UsageError as error:
            made.errors[name] = _printable(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it may come from anywhere
            made.errors[name] = _failure(name, error)


def _failure(name: str, error: BaseException) -> str:
    return f"the extractor {name} failed with {type(error).__name__}: {_printable(error)}"


def _printable(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception may have any `__str__`
        text = "it has no message"
    # A message can have no lone surrogates.
    return text.encode("utf-8", "backslashreplace").decode()[:_MAX_ERROR]


def encoded(rows: object) -> bytes:
    """Return rows as compact ASCII JSON.

    Raises:
        TypeError: they are not a mapping, or have a value that JSON does not.
        ValueError: they have a number that JSON does not.
    """
    if not isinstance(rows, dict):
        raise TypeError(f"its rows are a {type(rows).__name__}, and not a dict")
    text = json.dumps(rows, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")
