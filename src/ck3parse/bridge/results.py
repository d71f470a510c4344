"""Results and errors of the bridge, in the form that qbuilder expects."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import zstandard

from ck3parse import messages
from ck3parse.errors import Ck3parseError, ErrorType

if TYPE_CHECKING:
    from ck3parse.tree import Tree

TIMEOUT = "ParseTimeoutError"
"""The `error_type` of a file that took longer than its time limit, as qbuilder names it."""

_WITH_PLACE = {
    ErrorType.LEXER_ERROR: "Lexer error",
    ErrorType.PARSE_ERROR: "Parse error",
}


class ParseTimeoutError(Ck3parseError):
    """Parsing took longer than the time limit, and its process was killed.

    Args:
        source: the file's path, or the text's name.
        timeout: the time limit in seconds.

    Attributes:
        source: as above; `filepath` is the same.
        timeout: as above.
    """

    def __init__(self, source: str, timeout: float) -> None:
        super().__init__(source, timeout)
        self.source = self.filepath = source
        self.timeout = timeout

    def __str__(self) -> str:
        return f"Parse timeout after {self.timeout:g}s: {self.source}"


class ParseSubprocessError(Ck3parseError):
    """The process that parsed a file died, or no worker answered for it.

    Args:
        source: the file's path, or the text's name.
        error: one sentence on what happened.
        returncode: the process's exit code; -1 if unknown.

    Attributes:
        source: as above; `filepath` is the same.
        error: as above.
        returncode: as above.
    """

    def __init__(self, source: str, error: str, returncode: int = -1) -> None:
        super().__init__(source, error, returncode)
        self.source = self.filepath = source
        self.error = error
        self.returncode = returncode

    def __str__(self) -> str:
        return f"Parse subprocess failed ({self.returncode}): {self.error}"


@dataclass
class ParseDiagnostic:
    """An error or warning at one place of a file; lines and columns count from 1."""

    line: int
    column: int
    end_line: int
    end_column: int
    message: str
    code: str = "PARSE_ERROR"
    severity: str = "error"


class _AstJson:
    """The attribute `ast_json`: keeps a zstd frame, and decompresses it on each access.

    A result takes a fifteenth of the memory that way.
    """

    def __get__(self, result: "ParseResult | None", owner: type | None = None) -> str | None:
        if result is None:
            return None  # the field's default
        kept: str | bytes | None = vars(result)["ast_json"]
        return zstandard.decompress(kept).decode() if isinstance(kept, bytes) else kept

    def __set__(self, result: "ParseResult", given: str | bytes | None) -> None:
        vars(result)["ast_json"] = given


@dataclass
class ParseResult:
    """The result of one file or text.

    Attributes:
        success: whether there is an AST of the whole file.
        ast_json: the AST as JSON text, of the dialect `ck3raven` in ASCII; or `None` if there is
            none.
        node_count: number of nodes in the AST, the root included.
        error: what is wrong, in one sentence, with its place if it has one; or `None`.
        error_type: `None`, `ParseTimeoutError` if the file took too long, or else a value of
            `ck3parse.errors.ErrorType`, such as `ParseError`, `FileNotFoundError` or
            `WorkerUnavailable`.
        diagnostics: errors, in order of place.
        path: the file's path as given, or the text's name.
        line: line of the error, from 1; `None` if it has no place.
        column: column of the error in code points, from 1; or `None`.
        content_hash: SHA-256 of the file's bytes in hex; `None` if the file was not read.
        duration_ms: milliseconds that the worker took for it.
    """

    success: bool
    ast_json: _AstJson = _AstJson()
    node_count: int = 0
    error: str | None = None
    error_type: str | None = None
    diagnostics: list[ParseDiagnostic] = field(default_factory=list)
    path: str = ""
    line: int | None = None
    column: int | None = None
    content_hash: str | None = None
    duration_ms: float = 0.0

    @property
    def tree(self) -> "Tree | None":
        """The AST as typed nodes, decoded anew at each use, or `None` if there is none.

        Raises:
            TreeError: its braces are nested too deeply.
        """
        ast_json = self.ast_json
        if ast_json is None:
            return None
        from ck3parse.tree import decode  # most programs need no nodes

        return decode(ast_json)


def result_of(answer: messages.ParseResult) -> ParseResult:
    """Return a worker's result in the form of the bridge."""
    result = ParseResult(
        answer.ok,
        answer.ast,
        answer.node_count,
        path=answer.path,
        content_hash=answer.content_hash,
        duration_ms=answer.duration_ms,
    )
    if not answer.ok:
        _fill_failure(result, answer)
    return result


def _fill_failure(result: ParseResult, answer: messages.ParseResult) -> None:
    error_type, error = answer.error_type, answer.error
    result.line, result.column = answer.line, answer.column
    result.error_type = TIMEOUT if error_type is ErrorType.PARSE_TIMEOUT else _text(error_type)
    result.error = error
    if answer.line is None or answer.column is None:
        return
    if error_type and (kind := _WITH_PLACE.get(error_type)):
        result.error = f"{kind} at line {answer.line}, column {answer.column}: {error}"
    result.diagnostics = [
        ParseDiagnostic(
            found.line,
            found.column,
            found.end_line,
            found.end_column,
            found.message,
            found.code,
            found.severity,
        )
        for found in answer.diagnostics
    ] or [ParseDiagnostic(*(answer.line, answer.column) * 2, error or "", _text(error_type) or "")]


def _text(error_type: ErrorType | None) -> str | None:
    return None if error_type is None else error_type.value


def error_type_of(result: ParseResult) -> ErrorType | None:
    """Return the `ErrorType` of a result, or `None` if it has no error."""
    if result.error_type is None:
        return None
    return ErrorType.PARSE_TIMEOUT if result.error_type == TIMEOUT else ErrorType(result.error_type)


def failed(path: str, error_type: str, error: str) -> ParseResult:
    """Return a failed result for a file that no worker has a result for."""
    return ParseResult(False, error=error, error_type=str(error_type), path=path)


def raise_if_lost(result: ParseResult, timeout_ms: int) -> ParseResult:
    """Return a result, or raise its failure if that is not an error in the file.

    Args:
        result: the result of a file or text.
        timeout_ms: the time limit that it had.

    Raises:
        ParseTimeoutError: it took longer than its time limit.
        ParseSubprocessError: its process died, or no worker answered for it.
    """
    error_type = error_type_of(result)
    if error_type is ErrorType.PARSE_TIMEOUT:
        raise ParseTimeoutError(result.path, timeout_ms / 1000)
    if error_type and error_type.of_the_infrastructure:
        raise ParseSubprocessError(result.path, result.error or "")
    return result
