"""Answering one request, in a worker process or in the bridge's process for each file."""

import hashlib
import logging
from collections.abc import Callable
from time import perf_counter

from ck3parse import parser
from ck3parse.config import Settings
from ck3parse.errors import ErrorType, UsageError
from ck3parse.extractors import CK3, LOCALIZATION
from ck3parse.extractors.stage import Extraction, fill_rows, parse_and_extract
from ck3parse.files.reading import (
    CannotReadError,
    Roots,
    read_script,
    real_roots,
    text_too_large,
    too_large,
)
from ck3parse.messages import (
    DEFAULT_DIALECT,
    FILED_ROWS_ZSTD_LEVEL,
    ROWS_ZSTD_LEVEL,
    ParseRequest,
    ParseResult,
)
from ck3parse.messaging.acceptance import max_json_bytes
from ck3parse.messaging.compression import compressor
from ck3parse.parser.outcome import fill_result

log = logging.getLogger(__name__)


def request_handler(settings: Settings) -> Callable[[ParseRequest], ParseResult]:
    """Return a function that answers requests within the limits of these settings.

    The function never raises: each failure, short of the end of the process, is a result.

    Raises:
        UsageError: `CK3PARSE_PARSER` names a parser that does not exist.
    """
    in_use = parser.parser_in_use()
    roots = real_roots(settings.root_folders)
    rows_level = FILED_ROWS_ZSTD_LEVEL if settings.spool_dir else ROWS_ZSTD_LEVEL
    compress, compress_rows = compressor(), compressor(rows_level)

    def handle(request: ParseRequest) -> ParseResult:
        started = perf_counter()
        result = ParseResult(request.id, request.path or request.name)
        try:
            if request.dialect != DEFAULT_DIALECT:
                result.parser_version = _version(request, in_use)
            source = _source(request, result, settings, roots)
            max_depth = settings.max_depth
            if request.max_depth is not None:
                max_depth = min(max_depth, request.max_depth)
            if LOCALIZATION in request.extract:
                most = max_json_bytes(result.size or settings.max_file_bytes)
                fill_rows(result, _texts(request, source, result), most, compress_rows)
                return result
            if request.extract:
                outcome, extraction = parse_and_extract(in_use, source, request, max_depth)
                most = max_json_bytes(result.size or settings.max_file_bytes)
                fill_rows(result, extraction, most, compress_rows)
            else:
                outcome = in_use.parse(
                    source,
                    request.name,
                    mode=request.mode,
                    max_depth=max_depth,
                    dialect=request.dialect,
                )
            json = outcome.ast_json if request.want_ast else None
            fill_result(result, outcome, None if json is None else compress(json))
        except CannotReadError as reason:
            result.error_type, result.error = reason.error_type, reason.message
        except MemoryError:
            result.error_type = ErrorType.MEMORY
            result.error = "parsing it takes more memory than the worker may use"
        except Exception as error:  # the other files of the batch must not fail with it
            log.exception("a bug of ck3parse met %s", result.path)
            result.error_type = ErrorType.INTERNAL
            result.error = (
                f"{type(error).__name__}: {error}; the worker's log has the traceback"
                " (`ck3parse run --verbose` shows it)"
            )
        finally:
            result.duration_ms = (perf_counter() - started) * 1000
        return result

    return handle


def _version(request: ParseRequest, in_use: parser.Parser) -> str:
    """Return the version of the parser for the dialect of a request.

    Raises:
        CannotReadError: the worker's parser does not have the dialect, or extractors do not.
    """
    unavailable = ErrorType.WORKER_UNAVAILABLE
    if any(name != CK3 for name in request.extract):
        raise CannotReadError(
            unavailable,
            f"all extractors but {CK3} read trees of the dialect {DEFAULT_DIALECT!a}: leave out the"
            " dialect or the extractors",
        )
    try:
        return in_use.version_of(request.dialect)
    except UsageError as error:
        raise CannotReadError(unavailable, f"its worker cannot parse it: {error}") from None


def _texts(request: ParseRequest, source: bytes | str, result: ParseResult) -> Extraction:
    """Read a localization file, note what is wrong in its result, and return its texts.

    Raises:
        CannotReadError: the request wants what such a file does not have.
    """
    if request.want_ast or request.extract != [LOCALIZATION]:
        raise CannotReadError(
            ErrorType.WORKER_UNAVAILABLE,
            f"localization files have no syntax tree: ask for {LOCALIZATION} alone, with"
            " want_ast=False",
        )
    # Most batches are script, and its tables take milliseconds.
    from ck3parse.extractors.localization import read

    texts = read(source)
    result.ok, result.node_count, result.diagnostics = True, texts.count, texts.diagnostics
    return Extraction({LOCALIZATION: texts.rows}, {})


def _source(
    request: ParseRequest, result: ParseResult, settings: Settings, roots: Roots
) -> bytes | str:
    """Return what to parse; note the size and hash of a file in its result.

    Raises:
        CannotReadError: it cannot be read, or exceeds a limit of the worker.
    """
    if request.timeout_ms > settings.max_timeout_ms:
        raise CannotReadError(
            ErrorType.WORKER_UNAVAILABLE,
            f"its worker allows a time limit of {settings.max_timeout_ms:,} ms, not of"
            f" {request.timeout_ms:,}: set CK3PARSE_MAX_TIMEOUT_MS to the same for the worker",
        )
    if request.path is not None:
        data = read_script(request.path, max_bytes=settings.max_file_bytes, roots=roots)
    elif request.content is not None:
        data = request.content
        if len(data) > settings.max_file_bytes:
            raise too_large(len(data), settings.max_file_bytes)
    else:
        text = request.text or ""
        if reason := text_too_large(text, settings.max_file_bytes):
            raise reason
        return text
    result.size = len(data)
    result.content_hash = hashlib.sha256(data).hexdigest()
    return data
