"""Deciding which answers a client accepts: a result backend may contain anything.

An answer is accepted as a whole or not at all. The checks run for each file, so they are cheap:
msgspec checks types and ranges, and the headers of each AST's zstd frame tell whether it is
complete. Decompressing the AST takes longer than anything else that a client does with it. If only
this process's own worker can have answered, ASTs are not looked at.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import zstandard

from ck3parse.config import Settings
from ck3parse.errors import Ck3parseError, ErrorType
from ck3parse.extractors import CK3
from ck3parse.files.reading import too_large
from ck3parse.messages import DEFAULT_DIALECT, Origin, ParseRequest, ParseResult
from ck3parse.parser.outcome import is_object

_MAX_EXPANSION = 80
"""Bytes of AST for each byte of script: `a""` without end has 68 in `ck3`, in a file of 64 MB."""
_MAX_HEAD_BYTES = 64 * 1024
"""Bytes of AST that an empty file may have: the AST contains the file's name."""
_DEFAULT_MAX_FILE_BYTES = Settings().max_file_bytes
_BLOCK_HEADER_BYTES = 3
_RLE_BLOCK = 1
_CHECKSUM_BYTES = 4
_NO_AST = "a parsed file has no AST"


def max_json_bytes(source_bytes: int) -> int:
    """Return how many bytes of AST, or of an extractor's rows, a file may have.

    Args:
        source_bytes: size of the file.
    """
    return _MAX_HEAD_BYTES + _MAX_EXPANSION * source_bytes


class NotAcceptedError(Ck3parseError):
    """An answer that does not match its requests."""


class OtherOriginError(Ck3parseError):
    """An answer from a worker whose parser or limits differ from this process's."""


class Acceptance(msgspec.Struct, frozen=True):
    """Decides which answers to accept.

    Attributes:
        origin: the parser version and limits that answers must have; `None`: any.
        own_worker: whether only a worker that this process started can have answered.
        versions: the parser version that results in each dialect must have. Those of the default
            dialect are in the origin.
        dispensable: extractors that a worker may lack. The trees of its answers are accepted, but
            no answers that were to have rows only.
    """

    origin: Origin | None = None
    own_worker: bool = False
    versions: Mapping[str, str] = {}
    dispensable: frozenset[str] = frozenset()

    def results(self, requests: Sequence[ParseRequest], answer: object) -> list[ParseResult]:
        """Return the results of an answer, one for each request.

        Args:
            requests: the requests of the task.
            answer: the task's result, of any type.

        Raises:
            NotAcceptedError: it does not match the requests.
            OtherOriginError: the worker's parser or limits differ from this process's.
        """
        results = _converted(answer)
        if [result.id for result in results] != [request.id for request in requests]:
            raise NotAcceptedError("its ids are not those of the requests")
        lacking = self._check_extractors(requests, results)
        for result in results if lacking else ():
            for name in lacking:  # older workers answer that they do not know it
                result.extract_errors.pop(name, None)
        decompressor = zstandard.ZstdDecompressor()
        for request, result in zip(requests, results, strict=True):
            fault = _mismatch(request, result, lacking)
            if not self.own_worker:
                fault = fault or self._fault(result, decompressor)
            if fault:
                raise NotAcceptedError(f"{fault} ({result.path!a})")
        self._check_origin(results)
        for request, result in zip(requests, results, strict=True):
            if result.parser_version or request.dialect != DEFAULT_DIALECT:
                self._check_dialect(request.dialect, result)
        return results

    def result(self, answer: object, index: int) -> ParseResult | None:
        """Return one result of an answer whose requests are not known here.

        Args:
            answer: the task's result, of any type.
            index: the request's index in the task.

        Returns:
            The result, or `None` if the answer has fewer.

        Raises:
            NotAcceptedError: it is not an answer.
            OtherOriginError: the worker's parser or limits differ from this process's.
        """
        results = _converted(answer)
        if index >= len(results):
            return None
        result = results[index]
        if result.ok and result.ast is None and not (result.rows or result.extract_errors):
            raise NotAcceptedError(_NO_AST)
        if not self.own_worker and (fault := self._fault(result, zstandard.ZstdDecompressor())):
            raise NotAcceptedError(fault)
        self._check_origin(results)
        if theirs := result.parser_version:
            self._check_dialect(theirs.partition("/")[0], result)
        return result

    def _check_origin(self, results: Sequence[ParseResult]) -> None:
        if self.origin is None or not results:
            return
        theirs = results[0].origin
        if theirs is None:
            raise OtherOriginError(
                "a worker of an older version of ck3parse does not name its parser and limits, so"
                " its results are not used: upgrade and restart it"
            )
        if differences := _differences(theirs, self.origin):
            raise OtherOriginError(
                f"the worker {theirs.worker!a} has another parser or other limits than this client,"
                f" so its results are not used: give both the same {' and '.join(differences)}, and"
                " restart the worker"
            )
        if theirs.max_file_bytes != self.origin.max_file_bytes:
            for result in results:
                _limit_size(result, theirs, self.origin.max_file_bytes)

    def _check_extractors(
        self, requests: Sequence[ParseRequest], results: Sequence[ParseResult]
    ) -> frozenset[str]:
        """Return which of the requested extractors a worker does not have, but may lack.

        Raises:
            OtherOriginError: it lacks others, in the requested version.
        """
        if self.origin is None or not results or (theirs := results[0].origin) is None:
            return frozenset()
        asked = {name for request in requests for name in request.extract}
        missing = asked.difference(theirs.extractors)
        if not missing:
            return frozenset()
        if missing <= self.dispensable and all(request.want_ast for request in requests):
            return frozenset(missing)
        raise OtherOriginError(lacks_extractors(theirs.worker, missing, "results"))

    def _check_dialect(self, dialect: str, result: ParseResult) -> None:
        """Refuse a result whose tree is of another dialect than the one asked for."""
        theirs = result.parser_version
        if dialect == DEFAULT_DIALECT:
            is_right = not theirs
        elif dialect in self.versions:
            is_right = theirs == self.versions[dialect]
        else:
            is_right = theirs.startswith(f"{dialect}/")
        if not is_right and (result.ast is not None or result.of_the_content):
            raise OtherOriginError(
                f"a worker answers in the dialect {theirs or DEFAULT_DIALECT!a}, and not in"
                f" {self.versions.get(dialect, dialect)!a} as it was asked to, so its results are"
                " not used: give it the same version of ck3parse as this client, and restart it"
            )

    def _fault(self, result: ParseResult, decompressor: zstandard.ZstdDecompressor) -> str | None:
        """Return what is wrong with a result, whatever was requested; or `None`."""
        if result.ok:
            if result.error_type is not None:
                return "a parsed file has an error type"
        elif result.error_type is None:
            return "a failed file has no error type"
        elif {*result.rows, *result.extract_errors} - {CK3}:
            return "a failed file has rows"
        # The result of a text has no size.
        source = result.size or (self.origin.max_file_bytes if self.origin else 0)
        limit = max_json_bytes(source or _DEFAULT_MAX_FILE_BYTES)
        if result.ast is not None and (fault := _fault_of(result.ast, limit, decompressor)):
            return f"an AST {fault}"
        for name, frame in result.rows.items():
            fault = _fault_of(frame, limit, decompressor)
            if fault is None and name == CK3 and not _are_rows_of_ck3(frame, decompressor):
                fault = "does not have the form of its rows"
            if fault:
                return f"an extractor's JSON {fault}"
        return None


ANY = Acceptance()
"""Accepts answers of any worker."""


def lacks_extractors(worker: str, missing: Iterable[str], unused: str) -> str:
    """Return a sentence about a worker that lacks extractors.

    Args:
        worker: its name.
        missing: names of extractors.
        unused: what its answers are not used as, or for.
    """
    return (
        f"the worker {worker!a} does not have the extractor {', '.join(sorted(missing))}, so its"
        f" {unused} are not used: install it there, in this version, and restart the worker"
    )


def _converted(answer: object) -> list[ParseResult]:
    try:
        return msgspec.convert(answer, list[ParseResult])
    except (msgspec.ValidationError, RecursionError) as error:
        raise NotAcceptedError(f"it is not a list of results: {error}") from error


def _differences(theirs: Origin, ours: Origin) -> list[str]:
    """Return the names of settings that differ, with both values."""
    names = {"parser_version": "ck3parse and CK3PARSE_PARSER", "max_depth": "CK3PARSE_MAX_DEPTH"}
    return [
        f"{name} ({there} there, {here} here)"
        for field, name in names.items()
        if (there := ascii(getattr(theirs, field))) != (here := ascii(getattr(ours, field)))
    ]


def _limit_size(result: ParseResult, theirs: Origin, limit: int) -> None:
    """Apply this process's size limit to a result of a worker with another limit.

    A file that is too large for this process only becomes a failure. For one that is too large for
    the worker only, the error says so. Such failures are not stored, and leave the other results of
    the batch usable.
    """
    if result.size > limit:
        reason = too_large(result.size, limit)
        result.ok, result.ast, result.node_count, result.content_hash = False, None, 0, None
        result.line, result.column, result.diagnostics = None, None, []
        result.rows, result.extract_errors = {}, {}
        result.error_type, result.error = reason.error_type, reason.message
    elif result.error_type == ErrorType.FILE_TOO_LARGE and theirs.max_file_bytes < limit:
        result.error = (
            f"{result.error}; that is the limit of the worker {theirs.worker!a}, and the one here"
            f" is {limit:,}: give both the same, and restart the worker"
        )


def _has_rows(request: ParseRequest, result: ParseResult, lacking: frozenset[str]) -> bool:
    """Return whether a result has rows, or an error, of each extractor that makes some for it."""
    if result.ok and not (result.extract_errors or lacking) and [*result.rows] == request.extract:
        return True  # as nearly all have
    asked = set(request.extract) - lacking
    if not result.ok:
        asked &= {CK3} if result.of_the_content else set()
    return sorted([*result.rows, *result.extract_errors]) == sorted(asked)


def _mismatch(request: ParseRequest, result: ParseResult, lacking: frozenset[str]) -> str | None:
    """Return how a result does not match its request, or `None`.

    Args:
        request: the request.
        result: the result.
        lacking: extractors that its worker does not have, and need not have.
    """
    if result.path != (request.path or request.name):
        return "a result is for another file"
    if result.ok and (result.ast is None) is request.want_ast:
        return _NO_AST if request.want_ast else "a result has an AST that was not requested"
    if not _has_rows(request, result, lacking):
        return "a result does not have the rows that were requested"
    if request.text is not None:
        return None
    if result.content_hash is None:
        # The store keeps the result under this hash.
        return "a result has no hash of the content" if result.of_the_content else None
    if request.content is not None and result.size != len(request.content):
        return "a result has another size than the content that was sent"
    return None


def _are_rows_of_ck3(frame: bytes, decompressor: zstandard.ZstdDecompressor) -> bool:
    """Return whether a frame of JSON has rows of `ck3/1`, which a client puts into its index."""
    from ck3parse.extractors.ck3 import decode  # only those who ask for its rows need it

    try:
        decode(decompressor.decompress(frame))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _fault_of(frame: bytes, limit: int, decompressor: zstandard.ZstdDecompressor) -> str | None:
    """Return what is wrong with a zstd frame of JSON, or `None`."""
    return _fault_of_frame(frame, limit) or _fault_of_json(frame, decompressor)


def _fault_of_frame(frame: bytes, limit: int) -> str | None:
    """Return why this is not exactly one complete zstd frame, or `None`."""
    try:
        parameters = zstandard.get_frame_parameters(frame)
        place = zstandard.frame_header_size(frame)
    except zstandard.ZstdError:
        return "is not a zstd frame"
    if parameters.content_size > limit:
        return "is too large for its file, or its frame does not state the size"
    last = False
    while not last:
        if place + _BLOCK_HEADER_BYTES > len(frame):
            return "is truncated"
        header = int.from_bytes(frame[place : place + _BLOCK_HEADER_BYTES], "little")
        last = bool(header & 1)
        size = 1 if header >> 1 & 3 == _RLE_BLOCK else header >> 3
        place += _BLOCK_HEADER_BYTES + size
    if place + _CHECKSUM_BYTES * parameters.has_checksum != len(frame):
        return "is truncated, or followed by other bytes"
    return None


def _fault_of_json(frame: bytes, decompressor: zstandard.ZstdDecompressor) -> str | None:
    """Return why a frame does not contain a JSON object, or `None`."""
    try:
        json = decompressor.decompress(frame)
    except (zstandard.ZstdError, MemoryError):
        return "cannot be decompressed"
    return None if is_object(json) else "is not a JSON object"
