"""What a process does with one request, in a worker or in a fresh process for each file."""

import hashlib
import logging
from collections.abc import Callable
from time import perf_counter

import zstandard

from ck3parse import parser
from ck3parse.config import Settings
from ck3parse.errors import ErrorType
from ck3parse.files.reading import (
    CannotReadError,
    Roots,
    read_script,
    real_roots,
    text_too_large,
    too_large,
)
from ck3parse.messages import ZSTD_LEVEL, ParseRequest, ParseResult
from ck3parse.parser.outcome import fill_result

log = logging.getLogger(__name__)


def answerer(of: Settings) -> Callable[[ParseRequest], ParseResult]:
    """Return a function that answers requests within these settings' limits.

    Every failure but the process's end is an answer of it: it never raises.

    Raises:
        UsageError: `CK3PARSE_PARSER` chooses a parser that there is not.
    """
    in_use = parser.parser_in_use()
    roots = real_roots(of.root_folders)
    compress = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress

    def answer(request: ParseRequest) -> ParseResult:
        started = perf_counter()
        result = ParseResult(request.id, request.path or request.name)
        try:
            outcome = _parse(request, result, of, roots, in_use)
            json = outcome.ast_json
            fill_result(result, outcome, None if json is None else compress(json))
        except CannotReadError as reason:
            result.error_type, result.error = reason.error_type, reason.message
        except MemoryError:
            result.error_type = ErrorType.MEMORY
            result.error = "parsing it takes more memory than the worker may use"
        except Exception as error:  # it must not cost its neighbours their answers
            log.exception("a bug of ck3parse met %s", result.path)
            result.error_type = ErrorType.INTERNAL
            result.error = (
                f"{type(error).__name__}: {error}; the worker's log has the traceback"
                " (`ck3parse run --verbose` shows it)"
            )
        result.duration_ms = (perf_counter() - started) * 1000
        return result

    return answer


def _parse(
    request: ParseRequest,
    result: ParseResult,
    of: Settings,
    roots: Roots,
    in_use: parser.Parser,
) -> parser.ParseOutcome:
    mode, max_depth = request.mode, of.max_depth
    if request.max_depth is not None:
        max_depth = min(max_depth, request.max_depth)
    if request.timeout_ms > of.max_timeout_ms:
        raise CannotReadError(
            ErrorType.WORKER_UNAVAILABLE,
            f"its worker allows a time limit of {of.max_timeout_ms:,} ms, not of"
            f" {request.timeout_ms:,}: set CK3PARSE_MAX_TIMEOUT_MS to the same for the worker",
        )
    if request.path is not None:
        data = read_script(request.path, max_bytes=of.max_file_bytes, roots=roots)
    elif request.content is not None:
        data = request.content
        if len(data) > of.max_file_bytes:
            raise too_large(len(data), of.max_file_bytes)
    else:
        text = request.text or ""
        if reason := text_too_large(text, of.max_file_bytes):
            raise reason
        return in_use.parse_text(text, request.name, mode=mode, max_depth=max_depth)
    result.size = len(data)
    result.content_hash = hashlib.sha256(data).hexdigest()
    return in_use.parse_bytes(data, request.name, mode=mode, max_depth=max_depth)
