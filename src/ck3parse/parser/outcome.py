"""The outcome of a parse."""

from typing import TYPE_CHECKING

import msgspec

from ck3parse.errors import ErrorType
from ck3parse.messages import Count, Diagnostic, ParseResult
from ck3parse.parser.diagnostics import Recovered, diagnostics_of, recovery_message
from ck3parse.parser.grammar_tables import ERROR_TYPES

if TYPE_CHECKING:
    from ck3parse.tree import Tree


class ParseOutcome(msgspec.Struct, frozen=True, gc=False):
    """What `parse_bytes` and `parse_text` return.

    Attributes:
        success: whether the whole text parsed.
        ast_json: the AST as compact ASCII JSON, or `None`. In recover mode, a broken text has one
            too: the AST of its sound parts.
        node_count: the number of nodes in the AST, with the root; 0 without an AST.
        error_type: the type of the first error, `LexerError` or `ParseError`, or `None`.
        error: the message of the first error, one sentence, or `None`.
        line: the line of the first error, from 1, or `None`.
        column: the column of the first error in code points, from 1, or `None`.
        diagnostics: all errors and warnings, in order of place. Empty in the strict mode of
            dialect `ck3raven`.
    """

    success: bool
    ast_json: bytes | None = None
    node_count: Count = 0
    error_type: ErrorType | None = None
    error: str | None = None
    line: Count | None = None
    column: Count | None = None
    diagnostics: list[Diagnostic] = []

    @property
    def tree(self) -> "Tree | None":
        """The AST as typed nodes, decoded anew at each use, or `None` if there is none.

        Raises:
            TreeError: its braces are nested too deeply.
        """
        if self.ast_json is None:
            return None
        from ck3parse.tree import decode  # most programs need no nodes

        return decode(self.ast_json)


def fill_result(result: ParseResult, outcome: ParseOutcome, ast: bytes | None) -> None:
    """Copy an outcome into the result of its file.

    Args:
        result: takes the fields of the outcome; its id, path, hash, size and time stay.
        outcome: what the parser returned.
        ast: the outcome's AST as a zstd frame, or `None`.
    """
    result.ok, result.ast, result.node_count = outcome.success, ast, outcome.node_count
    result.error_type, result.error = outcome.error_type, outcome.error
    result.line, result.column = outcome.line, outcome.column
    result.diagnostics = outcome.diagnostics


def checked(given: object) -> ParseOutcome:
    """Return the outcome of a custom parser, if it is valid.

    Args:
        given: what the parser returned.

    Raises:
        TypeError: it is not an outcome, or a field has the wrong type.
        ValueError: its fields contradict each other.
    """
    if not isinstance(given, ParseOutcome):
        raise TypeError(f"the parser returned a {type(given).__name__}, and not a ParseOutcome")
    try:
        outcome = msgspec.convert(msgspec.structs.asdict(given), ParseOutcome)
    except msgspec.ValidationError as error:
        raise TypeError(f"the parser's outcome is none: {error}") from error
    if outcome.success and (outcome.ast_json is None or outcome.error_type is not None):
        raise ValueError("the parser's outcome is a success without a tree, or with an error")
    if not outcome.success and not (outcome.error_type and outcome.error_type.of_the_content):
        raise ValueError(
            f"the parser's outcome has the error type {outcome.error_type}, and not"
            f" {' or '.join(each for each in ErrorType if each.of_the_content)}"
        )
    if outcome.ast_json is not None and not is_object(outcome.ast_json):
        raise ValueError("the parser's tree is no JSON object")
    return outcome


def is_object(json: bytes) -> bool:
    """Return whether a text starts and ends like a JSON object."""
    return json.startswith(b"{") and json.endswith(b"}")


def recovered_outcome(recovered: Recovered, max_depth: int) -> ParseOutcome:
    """Return the outcome of a recovering parser. Without an error, it is a success.

    Args:
        recovered: what the parser returned.
        max_depth: how deep braces may nest.
    """
    diagnostics = diagnostics_of(recovered, max_depth)
    first = recovered.first_error
    if first is None:
        return ParseOutcome(True, recovered.ast_json, recovered.node_count, diagnostics=diagnostics)
    return ParseOutcome(
        False,
        recovered.ast_json,
        recovered.node_count,
        ERROR_TYPES[first.kind],
        recovery_message(first, max_depth),
        first.line,
        first.column,
        diagnostics,
    )
