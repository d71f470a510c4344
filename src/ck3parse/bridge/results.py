"""What the bridge gives back and raises."""

import msgspec
import zstandard

from ck3parse import messages
from ck3parse.errors import Ck3parseError, ErrorType
from ck3parse.messages import Diagnostic

_NOT_THE_FILE = frozenset({ErrorType.WORKER_CRASHED, ErrorType.WORKER_UNAVAILABLE})


class ParseTimeoutError(Ck3parseError):
    """Parsing took longer than its limit, and its process was killed.

    Args:
        source: the file's path, or the text's name.
        timeout: the limit in seconds.

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
        returncode: the process's exit code, -1 if it is not known.

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


class ParseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one file or text.

    Attributes:
        success: whether there is a syntax tree of the whole file.
        path: the file's path as it was given, or the text's name.
        node_count: nodes in the syntax tree, the root included.
        error: one sentence on what is wrong, or `None`.
        error_type: `None`, or one of the names in `ck3parse.errors.ErrorType`, such as
            `ParseError`, `FileNotFoundError`, `ParseTimeout` or `WorkerUnavailable`.
        line: line of the error, from 1, or `None` where it has no place.
        column: column of the error in code points, from 1, or `None`.
        diagnostics: each thing found wrong, in order of place.
        content_hash: SHA-256 of the file's bytes in hex, or `None` if it was not read.
        duration_ms: milliseconds that the worker needed for it.
        ast: the syntax tree's JSON as a zstd frame, or `None`; see `ast_json`.
    """

    success: bool
    path: str
    node_count: int = 0
    error: str | None = None
    error_type: str | None = None
    line: int | None = None
    column: int | None = None
    diagnostics: list[Diagnostic] = []
    content_hash: str | None = None
    duration_ms: float = 0.0
    ast: bytes | None = None

    @property
    def ast_json(self) -> str | None:
        """The syntax tree as JSON text (ASCII only), or `None` if there is none."""
        if self.ast is None:
            return None
        return zstandard.decompress(self.ast).decode("ascii")


def result_of(answer: messages.ParseResult) -> ParseResult:
    """Return a worker's answer as the bridge gives it back."""
    diagnostics = answer.diagnostics
    if not diagnostics and answer.line is not None and answer.column is not None:
        place = (answer.line, answer.column)
        code, message = answer.error_type or "", answer.error or ""
        diagnostics = [Diagnostic(*place, *place, "error", code, message)]
    return ParseResult(
        success=answer.ok,
        path=answer.path,
        node_count=answer.node_count,
        error=answer.error,
        error_type=answer.error_type,
        line=answer.line,
        column=answer.column,
        diagnostics=diagnostics,
        content_hash=answer.content_hash,
        duration_ms=answer.duration_ms,
        ast=answer.ast,
    )


def failed(path: str, error_type: ErrorType, error: str) -> ParseResult:
    """Return the result of a file that has none."""
    return ParseResult(success=False, path=path, error_type=error_type, error=error)


def raise_if_lost(result: ParseResult, timeout_s: float) -> ParseResult:
    """Return a result, unless what it tells of is not the file's fault.

    Args:
        result: what came of a file.
        timeout_s: the limit that it had, in seconds.

    Raises:
        ParseTimeoutError: it was killed at its limit.
        ParseSubprocessError: its process died, or no worker answered for it.
    """
    if result.error_type == ErrorType.PARSE_TIMEOUT:
        raise ParseTimeoutError(result.path, timeout_s)
    if result.error_type in _NOT_THE_FILE:
        raise ParseSubprocessError(result.path, result.error or "")
    return result
