"""Asking for one file, one text or many."""

import errno
import itertools
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import cast, get_args

from ck3parse.bridge import engine as engines
from ck3parse.bridge.future import ParseFuture, endless_wait
from ck3parse.bridge.json_depth import max_braces
from ck3parse.bridge.protocols import Engine, Sink
from ck3parse.bridge.results import ParseResult, result_of
from ck3parse.config import checked_timeout_ms, read_settings
from ck3parse.errors import ErrorType, UsageError
from ck3parse.event_log import EventLog, event_log
from ck3parse.files.names import NOT_UTF8, is_utf8
from ck3parse.files.reading import CannotReadError, failure_of, text_too_large
from ck3parse.messages import Mode, ParseRequest
from ck3parse.messages import ParseResult as Answer

StrPath = str | os.PathLike[str]

MANY_IN_FLIGHT = 4096
"""Files that `enqueue_many` sends ahead of who takes its results."""


_MAX_NAME = 32_767
"""Characters: Windows has the longest paths. With a batch of these a message has its size still."""


class _Nobody:
    """Keeps nothing: for futures that are done from the start."""

    def is_answering(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def drop(self, request_id: str) -> None:
        pass

    def taken(self, request_id: str) -> None:
        pass


def file_request(path: StrPath, timeout_ms: float, mode: Mode) -> ParseRequest:
    """Return the request for a file: the one that its name means now, by the name as it was given.

    Raises:
        TypeError: it is no path.
        UsageError: the path is one of bytes, the time limit is too short or too long, or there is
            no such mode.
    """
    name = _str(
        os.fspath(path), "a path is a str, or an object that stands for one: use os.fsdecode"
    )
    limit, mode, depth = checked_timeout_ms(timeout_ms), _mode(mode), max_braces()
    path = full_path(name)
    return ParseRequest("", path, name=name, timeout_ms=limit, mode=mode, max_depth=depth)


def full_path(name: str) -> str:
    """Return which file a name means now, whatever folder this process changes to later."""
    if os.path.isabs(name) or not name:
        return name
    try:
        return os.path.join(os.getcwd(), name)
    except OSError:  # the folder was removed, and all in it
        return name


def text_request(content: str, filename: str, timeout_ms: float, mode: Mode) -> ParseRequest:
    """Return the request for a text.

    Raises:
        UsageError: the text or its name is no str, or no Unicode text, the name is too long, the
            time limit is too short or too long, or there is no such mode.
    """
    content = _str(content, "a text to parse is a str: decode it first")
    filename = _str(filename, "the name of a text is a str: use os.fsdecode or str")
    if len(filename) > _MAX_NAME:
        raise UsageError(f"the name of a text has at most {_MAX_NAME:,} characters: shorten it")
    for text in (content, filename):
        if not is_utf8(text):
            raise UsageError("a text or name with lone surrogates cannot be sent to a worker")
    limit, mode, depth = checked_timeout_ms(timeout_ms), _mode(mode), max_braces()
    return ParseRequest(
        "", text=content, name=filename, timeout_ms=limit, mode=mode, max_depth=depth
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
        engine: who parses it.
        bulk: whether it goes behind what others wait for.
        urgent: whether somebody waits for it already.
        keep: whether the future can be found by its id.

    Raises:
        BrokerError: the engine was stopped.
        UsageError: it is urgent, and this is the thread that would answer it.
    """
    if urgent and engine.is_answering():
        raise endless_wait()
    if answer := unsendable(request, engine.max_file_bytes):
        future = ParseFuture(_Nobody())
        future.settle(answer)
        return future
    future = ParseFuture(engine)
    sink = logged(future.settle, request)
    size = size_of(request)
    future.id = engine.submit(request, size, sink, bulk=bulk, urgent=urgent, keep=keep)
    return future


def ask_many(requests: Iterable[ParseRequest], engine: Engine) -> Iterator[ParseResult]:
    """Ask an engine for many files, and yield results as they come, one for each.

    The first of them are sent at once, the others as results are taken. What the requests raise is
    raised here; once there are results, it waits for those of what was sent before.
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
                    except Exception as error:  # noqa: BLE001 - whatever a program of the caller's raises
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
    """Return a future for the result that has this id; see `ParseFuture.from_id`."""
    task_id, _, index = future_id.partition(":")
    if not task_id or not index.isdecimal():
        raise UsageError(f"{future_id!r} is not the id of a future")
    pipeline = engines.running_pipeline()
    if pipeline is None:
        if not read_settings().broker_url or engines.switched_off():
            raise UsageError(
                "a future is found through the broker that it was sent to: set"
                " CK3PARSE_BROKER_URL to it"
            )
        pipeline = engines.pipeline()
    finder = _Finder(pipeline)
    future = ParseFuture(finder)
    future.id = future_id
    finder.end = pipeline.seek(future_id, future.settle, read_settings().result_expires_s)
    return future


ParseFuture.finder = staticmethod(find)


class _Finder(_Nobody):
    """Looks for the result of a future that was made elsewhere."""

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
    """Return a sink that also writes what came to the event log, if there is one."""
    log = event_log()
    if log is None:
        return sink
    log.write("item_claimed", relpath=_printable(request.name))
    began = perf_counter()

    def write_and_hand_over(answer: Answer) -> None:
        write_outcome(log, answer, (perf_counter() - began) * 1000)
        sink(answer)

    return write_and_hand_over


def write_outcome(log: EventLog, answer: Answer, duration_ms: float) -> None:
    """Write what came of a file to the event log."""
    error = None if answer.ok else f"{answer.error_type}: {answer.error}"
    log.write(
        "item_complete" if answer.ok else "item_error",
        relpath=_printable(answer.path),
        step="parse",
        duration_ms=round(duration_ms, 3),
        error=error,
    )


def size_of(request: ParseRequest) -> int:
    """Return how many bytes there are to parse, 0 if that is not known."""
    if request.path is None:
        return len(request.text or "")
    try:
        return os.stat(request.path).st_size
    except (OSError, ValueError):
        return 0


def unsendable(request: ParseRequest, max_file_bytes: int) -> Answer | None:
    """Return the answer to a request that is not for a message.

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


def _str(given: object, what_to_do: str) -> str:
    """Return a plain `str`: those of a class of its own cannot be packed."""
    if type(given) is str:
        return given
    if isinstance(given, str):
        return str.__str__(given)
    raise UsageError(what_to_do)


def _mode(mode: str) -> Mode:
    for known in get_args(Mode):
        if mode == known:
            return cast("Mode", known)
    raise UsageError(f"there is no such mode: it is one of {', '.join(get_args(Mode))}")


def _printable(name: str) -> str:
    return name if is_utf8(name) else ascii(name)[1:-1]
