"""Requests for one file, one text or many files, and their futures."""

import errno
import itertools
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TypeVar, get_args

from ck3parse.bridge import engine as engines
from ck3parse.bridge.future import ParseFuture, endless_wait
from ck3parse.bridge.json_depth import max_braces
from ck3parse.bridge.protocols import Engine, Sink
from ck3parse.bridge.results import ParseResult, result_of
from ck3parse.config import checked_timeout_ms, read_setting, read_settings
from ck3parse.errors import ErrorType, UsageError
from ck3parse.event_log import EventLog, event_log
from ck3parse.files.names import NOT_UTF8, is_utf8
from ck3parse.files.reading import CannotReadError, failure_of, text_too_large
from ck3parse.messages import DEFAULT_DIALECT, DialectName, Mode, ParseRequest
from ck3parse.messages import ParseResult as Answer

StrPath = str | os.PathLike[str]

MANY_IN_FLIGHT = 4096
"""Files that `enqueue_many` has in flight ahead of the caller that takes its results."""

_DIALECTS: tuple[DialectName, ...] = get_args(DialectName)
_MODES: tuple[Mode, ...] = get_args(Mode)
_Name = TypeVar("_Name", bound=str)

_MAX_NAME = 32_767
"""Characters: Windows has the longest paths. A batch of such names still fits into a message."""


class _NoEngine:
    """Stands for the engine in futures that are done from the start."""

    def is_answering(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def drop(self, request_id: str) -> None:
        pass

    def taken(self, request_id: str) -> None:
        pass


def file_request(
    path: StrPath, timeout_ms: float, mode: Mode, dialect: DialectName | None = DEFAULT_DIALECT
) -> ParseRequest:
    """Return the request for a file.

    Args:
        path: the file. A relative path is resolved now; the root's `filename` is the path as given.
        timeout_ms: the time limit in milliseconds.
        mode: `strict` or `recover`.
        dialect: how to read it; `None`: as `CK3PARSE_DIALECT` says.

    Raises:
        TypeError: it is not a path.
        UsageError: the path is bytes, the time limit is too short or too long, or there is no such
            mode or dialect.
    """
    name = _str(
        os.fspath(path), "a path must be a str or os.PathLike[str]: use os.fsdecode for bytes"
    )
    limit, mode, depth = checked_timeout_ms(timeout_ms), _known(mode, _MODES, "mode"), max_braces()
    return ParseRequest(
        "",
        full_path(name),
        name=name,
        timeout_ms=limit,
        mode=mode,
        max_depth=depth,
        dialect=_dialect(dialect),
    )


def full_path(name: str) -> str:
    """Return the absolute path of a file; it stays valid if this process changes folders."""
    if os.path.isabs(name) or not name:
        return name
    try:
        return os.path.join(os.getcwd(), name)
    except OSError:  # the current folder was removed
        return name


def text_request(
    content: str,
    filename: str,
    timeout_ms: float,
    mode: Mode,
    dialect: DialectName | None = DEFAULT_DIALECT,
) -> ParseRequest:
    """Return the request for a text.

    Args:
        content: the script.
        filename: the root's `filename`.
        timeout_ms: the time limit in milliseconds.
        mode: `strict` or `recover`.
        dialect: how to read it; `None`: as `CK3PARSE_DIALECT` says.

    Raises:
        UsageError: the text or its name is not a str or has lone surrogates, the name is too long,
            the time limit is too short or too long, or there is no such mode or dialect.
    """
    content = _str(content, "a text to parse must be a str: decode it first")
    filename = _str(filename, "the name of a text must be a str: use os.fsdecode or str")
    if len(filename) > _MAX_NAME:
        raise UsageError(f"the name of a text has at most {_MAX_NAME:,} characters: shorten it")
    for text in (content, filename):
        if not is_utf8(text):
            raise UsageError("a text or name with lone surrogates cannot be sent to a worker")
    limit, mode, depth = checked_timeout_ms(timeout_ms), _known(mode, _MODES, "mode"), max_braces()
    return ParseRequest(
        "",
        text=content,
        name=filename,
        timeout_ms=limit,
        mode=mode,
        max_depth=depth,
        dialect=_dialect(dialect),
    )


def ask(
    request: ParseRequest,
    engine: Engine,
    *,
    bulk: bool = False,
    urgent: bool = False,
    keep: bool = False,
) -> ParseFuture:
    """Ask an engine for one file or text.

    Args:
        request: what to parse.
        engine: parses it.
        bulk: whether interactive requests go before it.
        urgent: whether the caller waits for it, so that it is sent at once.
        keep: whether other processes can find the future by its id.

    Raises:
        BrokerError: the engine was closed or has failed.
        UsageError: it is urgent, and the calling thread is the one that delivers results.
    """
    if urgent and engine.is_answering():
        raise endless_wait()
    if answer := unsendable(request, engine.max_file_bytes):
        future = ParseFuture(_NoEngine())
        future.settle(answer)
        return future
    future = ParseFuture(engine)
    sink = logged(future.settle, request)
    size = size_of(request)
    future.id = engine.submit(request, size, sink, bulk=bulk, urgent=urgent, keep=keep)
    return future


def ask_many(requests: Iterable[ParseRequest], engine: Engine) -> Iterator[ParseResult]:
    """Ask an engine for many files, and return an iterator over their results as they come.

    The first requests are sent at once, the others as results are taken.

    Args:
        requests: the requests. An exception of the iterable is raised here or, once results have
            been taken, by the iterator after the results of all requests sent before.
        engine: parses them.
    """
    coming = iter(requests)
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    waiting: set[str] = set()
    unsent = itertools.count()

    def send(count: int) -> bool:
        for _ in range(count):
            request = next(coming, None)
            if request is None:
                engine.flush()
                return False
            if answer := unsendable(request, engine.max_file_bytes):
                answer.id = f"unsent:{next(unsent)}"
                waiting.add(answer.id)
                answers.put(answer)
                continue
            sink = logged(answers.put, request)
            waiting.add(engine.submit(request, size_of(request), sink, bulk=True))
        return True

    def withdraw() -> None:
        for request_id in waiting:
            engine.drop(request_id)

    def results(more: bool) -> Iterator[ParseResult]:
        failure: BaseException | None = None
        try:
            while waiting:
                if answers.empty() and engine.is_answering():
                    raise endless_wait()
                answer = answers.get()
                waiting.discard(answer.id)
                if more and len(waiting) <= MANY_IN_FLIGHT * 3 // 4:
                    try:
                        more = send(MANY_IN_FLIGHT - len(waiting))
                    except Exception as error:  # noqa: BLE001 - raised below
                        failure, more = error, False
                        engine.flush()
                yield result_of(answer)
        finally:
            withdraw()
        if failure:
            raise failure

    try:
        return results(send(MANY_IN_FLIGHT))
    except BaseException:
        withdraw()
        raise


def find(future_id: str) -> ParseFuture:
    """Return a future for the result with this id; see `ParseFuture.from_id`."""
    task_id, _, index = future_id.partition(":")
    if not task_id or not index.isdecimal():
        raise UsageError(f"{future_id!r} is not the id of a future")
    pipeline = engines.running_pipeline()
    if pipeline is None:
        if not read_settings().broker_url or engines.switched_off():
            raise UsageError(
                "a future is found through the broker that it was sent to: set"
                " CK3PARSE_BROKER_URL to that broker's URL"
            )
        pipeline = engines.pipeline()
    finder = _Finder(pipeline)
    future = ParseFuture(finder)
    future.id = future_id
    finder.end = pipeline.seek(future_id, future.settle, read_settings().result_expires_s)
    return future


ParseFuture.finder = staticmethod(find)


class _Finder(_NoEngine):
    """Stands for the engine in futures that were made elsewhere: `drop` ends the search."""

    end: Callable[[], None] | None = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def is_answering(self) -> bool:
        return self._engine.is_answering()

    def drop(self, request_id: str) -> None:
        del request_id
        if self.end:
            self.end()


def logged(sink: Sink, request: ParseRequest) -> Sink:
    """Return a sink that also writes the result to the event log, if there is one."""
    log = event_log()
    if log is None:
        return sink
    log.write("item_claimed", relpath=_printable(request.name))
    began = perf_counter()

    def write_and_deliver(answer: Answer) -> None:
        write_outcome(log, answer, (perf_counter() - began) * 1000)
        sink(answer)

    return write_and_deliver


def write_outcome(log: EventLog, answer: Answer, duration_ms: float) -> None:
    """Write the result of a file to the event log."""
    error = None if answer.ok else f"{answer.error_type}: {answer.error}"
    log.write(
        "item_complete" if answer.ok else "item_error",
        relpath=_printable(answer.path),
        step="parse",
        duration_ms=round(duration_ms, 3),
        error=error,
    )


def size_of(request: ParseRequest) -> int:
    """Return the size of a file or text in bytes, as far as it is known; else 0."""
    if request.path is None:
        return len(request.text or "")
    try:
        return os.stat(request.path).st_size
    except (OSError, ValueError):
        return 0


def unsendable(request: ParseRequest, max_file_bytes: int) -> Answer | None:
    """Return the failure of a request that cannot be sent, or `None` if it can.

    Args:
        request: what to parse.
        max_file_bytes: a larger text is not sent.
    """
    reason: CannotReadError | None = None
    if request.path is None:
        reason = text_too_large(request.text or "", max_file_bytes)
    elif not is_utf8(request.path):
        reason = CannotReadError(ErrorType.PATH_NOT_ALLOWED, NOT_UTF8)
    elif not os.path.isabs(request.path):
        reason = CannotReadError(*failure_of(FileNotFoundError()))
    elif len(request.path) > _MAX_NAME:
        reason = CannotReadError(*failure_of(OSError(errno.ENAMETOOLONG, "")))
    if reason is None:
        return None
    return Answer("", request.name, error_type=reason.error_type, error=reason.message)


def _str(given: object, remedy: str) -> str:
    """Return a plain `str`, as the serializer takes no subclasses of it."""
    if type(given) is str:
        return given
    if isinstance(given, str):
        return str.__str__(given)
    raise UsageError(remedy)


def _known(given: str, names: tuple[_Name, ...], what: str) -> _Name:
    """Return a known name, which is a plain `str`, if it equals the given one."""
    for name in names:
        if given == name:
            return name
    raise UsageError(f"there is no such {what}: it is one of {', '.join(names)}")


def _dialect(dialect: str | None) -> DialectName:
    return _known(dialect or read_setting("dialect") or DEFAULT_DIALECT, _DIALECTS, "dialect")


def _printable(name: str) -> str:
    return name if is_utf8(name) else ascii(name)[1:-1]
