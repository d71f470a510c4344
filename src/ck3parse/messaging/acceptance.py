"""Which answers a client accepts: anything may stand on a result backend under the id of a task.

An answer is accepted as a whole or not at all. It is checked for each file of a run, and so by what
costs little: types and ranges, by msgspec, and the headers of each tree's frame, which say whether
it is whole. Unpacking trees takes longer than anything else that a client does with them. It is
left out where nobody but a worker of this process's own can have answered.
"""

from collections.abc import Sequence

import msgspec
import zstandard

from ck3parse.errors import Ck3parseError, ErrorType
from ck3parse.files.reading import too_large
from ck3parse.messages import Origin, ParseRequest, ParseResult
from ck3parse.parser.outcome import is_object

_MAX_EXPANSION = 64
"""Bytes of tree for each of script. Values of one letter each have 48, in a file of 64 MB."""
_MAX_HEAD_BYTES = 64 * 1024
"""Bytes of tree that an empty file may have: its name is in there."""
_DEFAULT_MAX_FILE_BYTES = 64 * 1024 * 1024
_BLOCK_HEADER_BYTES = 3
_RLE_BLOCK = 1
_CHECKSUM_BYTES = 4


class NotAcceptedError(Ck3parseError):
    """An answer that is not one to what was asked."""


class OtherOriginError(Ck3parseError):
    """An answer from a worker that parses otherwise than this process would."""


class Acceptance(msgspec.Struct, frozen=True):
    """What answers must be like.

    Attributes:
        origin: what they must have been made under, whichever the worker; `None`: anything.
        own_worker: whether nobody but a worker that this process started can have answered.
    """

    origin: Origin | None = None
    own_worker: bool = False

    def results(self, requests: Sequence[ParseRequest], answer: object) -> list[ParseResult]:
        """Return the results of an answer, one for each request.

        Args:
            requests: what was asked.
            answer: what came, of any shape.

        Raises:
            NotAcceptedError: it is not an answer to that.
            OtherOriginError: it is one, and cannot be used.
        """
        results = _converted(answer)
        if [result.id for result in results] != [request.id for request in requests]:
            raise NotAcceptedError("it answers other requests")
        unpack = self._unpack()
        for request, result in zip(requests, results, strict=True):
            if fault := _misfit(request, result) or self._fault(result, unpack):
                raise NotAcceptedError(f"{fault} ({result.path!a})")
        self._check_origin(results)
        return results

    def result(self, answer: object, index: int) -> ParseResult | None:
        """Return one result of an answer to requests that are not known here, or `None`.

        Args:
            answer: what came, of any shape.
            index: the request's place among those of its task.

        Raises:
            NotAcceptedError: it is no answer.
            OtherOriginError: it is one, and cannot be used.
        """
        results = _converted(answer)
        if index >= len(results):
            return None
        result = results[index]
        if fault := self._fault(result, self._unpack()):
            raise NotAcceptedError(fault)
        self._check_origin(results)
        return result

    def _check_origin(self, results: Sequence[ParseResult]) -> None:
        if self.origin is None or not results:
            return
        theirs = results[0].origin
        if theirs is None:
            raise OtherOriginError(
                "a worker of an older ck3parse answers, which does not say how it parses, and its"
                " results are not used: upgrade it and start it again"
            )
        if differences := _differences(theirs, self.origin):
            raise OtherOriginError(
                f"the worker {theirs.worker!a} parses otherwise than this client, and its results"
                f" are not used: give both the same {' and '.join(differences)}, and start the"
                " worker again"
            )
        if theirs.max_file_bytes != self.origin.max_file_bytes:
            for result in results:
                _limit_size(result, theirs, self.origin.max_file_bytes)

    def _unpack(self) -> zstandard.ZstdDecompressor | None:
        return None if self.own_worker else zstandard.ZstdDecompressor()

    def _fault(self, result: ParseResult, unpack: zstandard.ZstdDecompressor | None) -> str | None:
        """Return what is wrong with a result in itself, or `None`."""
        if result.ok:
            if result.ast is None:
                return "a file that was parsed has no tree"
            if result.error_type is not None:
                return "a file that was parsed has an error"
        elif result.error_type is None:
            return "a file that was not parsed has no error"
        if result.ast is None:
            return None
        # Of a text the size is not told.
        source = result.size or (self.origin.max_file_bytes if self.origin else 0)
        limit = _MAX_HEAD_BYTES + _MAX_EXPANSION * (source or _DEFAULT_MAX_FILE_BYTES)
        return _fault_of_frame(result.ast, limit) or (
            _fault_of_tree(result.ast, unpack) if unpack else None
        )


ANY = Acceptance()
"""Whichever worker they are of."""


def _converted(answer: object) -> list[ParseResult]:
    try:
        return msgspec.convert(answer, list[ParseResult])
    except (msgspec.ValidationError, RecursionError) as error:
        raise NotAcceptedError(f"it is no list of results: {error}") from error


def _differences(theirs: Origin, ours: Origin) -> list[str]:
    """Return what has to be made the same, with both values."""
    names = {"parser_version": "ck3parse and CK3PARSE_PARSER", "max_depth": "CK3PARSE_MAX_DEPTH"}
    return [
        f"{name} ({there} there, {here} here)"
        for field, name in names.items()
        if (there := ascii(getattr(theirs, field))) != (here := ascii(getattr(ours, field)))
    ]


def _limit_size(result: ParseResult, theirs: Origin, limit: int) -> None:
    """Make a result that which a file of its size has here, or say why that cannot be.

    Whether a file is too large costs its neighbours nothing, and is never kept.
    """
    if result.size > limit:
        reason = too_large(result.size, limit)
        result.ok, result.ast, result.node_count, result.content_hash = False, None, 0, None
        result.line, result.column, result.diagnostics = None, None, []
        result.error_type, result.error = reason.error_type, reason.message
    elif result.error_type == ErrorType.FILE_TOO_LARGE and theirs.max_file_bytes < limit:
        result.error = (
            f"{result.error}; that is the limit of the worker {theirs.worker!a}, and the one here"
            f" is {limit:,}: give both the same, and start the worker again"
        )


def _misfit(request: ParseRequest, result: ParseResult) -> str | None:
    """Return what of a result is not to a request, or `None`."""
    if result.path != (request.path or request.name):
        return "a result is of another file"
    if request.text is not None:
        return None
    if result.content_hash is None:
        # It is what the outcome is kept under.
        return "the outcome of a content has no hash of it" if result.of_the_content else None
    if request.content is not None and result.size != len(request.content):
        return "a content has another size than was sent"
    return None


def _fault_of_frame(frame: bytes, limit: int) -> str | None:
    """Return why this is not one whole zstd frame, or `None`."""
    try:
        head = zstandard.get_frame_parameters(frame)
        place = zstandard.frame_header_size(frame)
    except zstandard.ZstdError:
        return "a tree is no zstd frame"
    if head.content_size > limit:
        return "a tree is too large for its file, or does not say how large it is"
    last = False
    while not last:
        if place + _BLOCK_HEADER_BYTES > len(frame):
            return "a tree is cut off"
        header = int.from_bytes(frame[place : place + _BLOCK_HEADER_BYTES], "little")
        last = bool(header & 1)
        size = 1 if header >> 1 & 3 == _RLE_BLOCK else header >> 3
        place += _BLOCK_HEADER_BYTES + size
    if place + _CHECKSUM_BYTES * head.has_checksum != len(frame):
        return "a tree is cut off, or something comes after it"
    return None


def _fault_of_tree(frame: bytes, unpack: zstandard.ZstdDecompressor) -> str | None:
    """Return why a frame holds no tree, or `None`."""
    try:
        json = unpack.decompress(frame)
    except (zstandard.ZstdError, MemoryError):
        return "a tree cannot be unpacked"
    return None if is_object(json) else "a tree is no JSON object"
