"""Asking for one file, one text or many."""

import os
import queue
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter

from ck3parse.bridge import engine as engines
from ck3parse.bridge.engine import Engine, Sink
from ck3parse.bridge.future import ParseFuture
from ck3parse.bridge.results import ParseResult, result_of
from ck3parse.config import checked_timeout_ms, settings
from ck3parse.errors import ErrorType, UsageError
from ck3parse.log import EventLog, event_log
from ck3parse.messages import Mode, ParseRequest
from ck3parse.messages import ParseResult as Answer

StrPath = str | os.PathLike[str]

MANY_IN_FLIGHT = 4096
"""Files that `enqueue_many` sends ahead of who takes its results."""


class _Nobody:
    """Keeps nothing: for futures that are done from the start."""

    def flush(self) -> None:
        pass

    def drop(self, request_id: str) -> None:
        pass

    def taken(self, request_id: str) -> None:
        pass


def file_request(path: StrPath, timeout_ms: int, mode: Mode) -> ParseRequest:
    """Return the request for a file, with its name as the caller gave it.

    Raises:
        UsageError: the time limit is too short or too long.
    """
    name = os.fspath(path)
    return ParseRequest("", name, name=name, timeout_ms=checked_timeout_ms(timeout_ms), mode=mode)


def text_request(content: str, filename: str, timeout_ms: int, mode: Mode) -> ParseRequest:
    """Return the request for a text.

    Raises:
        UsageError: the time limit is too short or too long, or the text or its name is no
            Unicode text.
    """
    for text in (content, filename):
        if not _is_text(text):
            raise UsageError("a text or name with lone surrogates cannot be sent to a worker")
    return ParseRequest(
        "", text=content, name=filename, timeout_ms=checked_timeout_ms(timeout_ms), mode=mode
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
    """
    if answer := unsendable(request):
        future = ParseFuture(_Nobody())
        future.settle(answer)
        return future
    future = ParseFuture(engine)
    sink = logged(future.settle, request)
    size = size_of(request)
    future.id = engine.submit(request, size, sink, bulk=bulk, urgent=urgent, keep=keep)
    return future


def ask_many(requests: Iterable[ParseRequest], engine: Engine) -> Iterator[ParseResult]:
    """Ask an engine for many files, and yield results as they come.

    The first of them are sent at once, the others as results are taken.
    """
    coming = iter(requests)
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    waiting: set[str] = set()

    def send(count: int) -> bool:
        for _ in range(count):
            request = next(coming, None)
            if request is None:
                engine.flush()
                return False
            if answer := unsendable(request):
                waiting.add(answer.id)
                answers.put(answer)
                continue
            sink = logged(answers.put, request)
            waiting.add(engine.submit(request, size_of(request), sink, bulk=True))
        return True

    more = send(MANY_IN_FLIGHT)

    def results(more: bool) -> Iterator[ParseResult]:
        try:
            while waiting:
                answer = answers.get()
                waiting.discard(answer.id)
                if more and len(waiting) <= MANY_IN_FLIGHT * 3 // 4:
                    more = send(MANY_IN_FLIGHT - len(waiting))
                yield result_of(answer)
        finally:
            for request_id in waiting:
                engine.drop(request_id)

    return results(more)


def find(future_id: str) -> ParseFuture:
    """Return a future for the result that has this id; see `ParseFuture.from_id`."""
    task_id, _, index = future_id.partition(":")
    if not task_id or not index.isdecimal():
        raise UsageError(f"{future_id!r} is not the id of a future")
    pipeline = engines.running_pipeline()
    if pipeline is None:
        if not settings().broker_url or engines.switched_off():
            raise UsageError(
                "a future is found through the broker that it was sent to: set"
                " CK3PARSE_BROKER_URL to it"
            )
        pipeline = engines.pipeline()
    finder = _Finder()
    future = ParseFuture(finder)
    future.id = future_id
    finder.end = pipeline.seek(future_id, future.settle, settings().result_expires_s)
    return future


class _Finder(_Nobody):
    """Looks for the result of a future that was made elsewhere."""

    end: Callable[[], None] | None = None

    def drop(self, request_id: str) -> None:
        del request_id
        if self.end:
            self.end()


def logged(sink: Sink, request: ParseRequest) -> Sink:
    """Return a sink that also writes what came to the event log, if there is one."""
    log = event_log()
    if log is None:
        return sink
    log.write("item_claimed", relpath=request.path or request.name)
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
        relpath=answer.path,
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


def unsendable(request: ParseRequest) -> Answer | None:
    """Return the answer to a request that cannot be put into a message."""
    if request.path is None or _is_text(request.path):
        return None
    answer = Answer("", ascii(request.path)[1:-1], error_type=ErrorType.PATH_NOT_ALLOWED)
    answer.error = "its name is not UTF-8: rename it"
    return answer


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
