"""Futures: results that were asked for and may not have come yet."""

import asyncio
import concurrent.futures
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import repeat
from typing import Any, ClassVar, cast

from ck3parse import messages
from ck3parse.bridge.protocols import Keeper, Sink
from ck3parse.bridge.results import ParseResult, result_of
from ck3parse.errors import BrokerError, UsageError

log = logging.getLogger(__name__)


class ParseFuture(concurrent.futures.Future[ParseResult]):
    """The result of a file or text, to come: a `concurrent.futures.Future` that can be awaited.

    It is done once there is a result, whether or not the file was parsed: see the result's
    `success`. It always gets done: if no worker answers, the result has the error type
    `WorkerUnavailable`.

    Args:
        keeper: the engine that was asked.

    Attributes:
        id: `TASK:INDEX`: the Celery task that parses it, and its index in that task. `from_id`
            finds the result by it, in other processes too.
        finder: implements `from_id`; set by `ck3parse.bridge.requests`.
    """

    finder: ClassVar[Callable[[str], "ParseFuture"]]

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self.id = ""
        self._keeper = keeper
        self._pid = os.getpid()

    @classmethod
    def from_id(cls, future_id: str) -> "ParseFuture":
        """Return a future for the same result as that of another process on the same broker.

        The result stays on the result backend for `CK3PARSE_RESULT_EXPIRES_S` seconds, but only
        until the process that made the future has taken the results of all futures of the same
        task. So if both processes need the result, this one must take it first.

        Args:
            future_id: the `id` of a future.

        Returns:
            A future. If no result comes within `CK3PARSE_RESULT_EXPIRES_S` seconds, its result has
            the error type `WorkerUnavailable`.

        Raises:
            UsageError: it is not the id of a future, or no broker is configured.
            BrokerError: the broker cannot be reached.
        """
        return cls.finder(future_id)

    def result(self, timeout: float | None = None) -> ParseResult:
        """Wait for the result and return it.

        Args:
            timeout: most seconds to wait; `None`: until it is done, which the file's time limit and
                the number of tries bound.

        Raises:
            TimeoutError: it is not done in time.
            concurrent.futures.CancelledError: it was cancelled.
            BrokerError: it belongs to the process that this one was forked from.
            UsageError: the calling thread is the one that delivers results and calls callbacks; it
                would wait for itself.
        """
        self.prepare_wait(timeout)
        result = super().result(timeout)
        self._keeper.taken(self.id)
        return result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait until it is done, and return `None`: errors are part of the result.

        Args:
            timeout: as for `result`.

        Raises:
            TimeoutError, CancelledError: as for `result`.
        """
        self.prepare_wait(timeout)
        return super().exception(timeout)

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Call a function with this future once it is done.

        The thread that delivers results calls it; if the future is done already, this call does. In
        that thread the function must not wait for other results. Its exceptions are logged.

        Args:
            fn: the function.
        """

        def guarded(done: concurrent.futures.Future[ParseResult]) -> None:
            try:
                fn(done)
            except Exception:
                raise  # the caller of callbacks logs these and continues
            except BaseException:
                if not self._keeper.is_answering():
                    raise
                log.exception("a future's callback tried to end the thread that delivers results")

        super().add_done_callback(guarded)

    def flush(self) -> None:
        """Send it at once if its batch is still open."""
        self._check_process()
        if not self.done():
            self._keeper.flush()

    def cancel(self) -> bool:
        """Cancel it, unless it is done.

        A task of which all futures are cancelled is withdrawn: a worker that has not begun it skips
        it.

        Returns:
            Whether it is cancelled.
        """
        with self._condition:
            if self.cancelled():
                return True
            if not super().cancel():
                return False
            # Without this, `wait` and `as_completed` would not notice.
            self.set_running_or_notify_cancel()
        self._keeper.drop(self.id)
        return True

    def settle(self, answer: messages.ParseResult) -> None:
        """Set the result, unless it was cancelled; for engines only."""
        with self._condition:
            if self.cancelled():
                return
            self.set_running_or_notify_cancel()
        self.set_result(result_of(answer))

    def __await__(self) -> Generator[Any, None, ParseResult]:
        self.prepare_wait(None)
        result = yield from asyncio.wrap_future(self).__await__()
        self._keeper.taken(self.id)
        return result

    def prepare_wait(self, timeout: float | None) -> None:
        """Send it at once, and check that this thread may wait for it; `result` does both first."""
        self.flush()
        # With a timeout of 0 there is no wait.
        if timeout != 0 and not self.done() and self._keeper.is_answering():
            raise endless_wait()

    def _check_process(self) -> None:
        if self._pid == os.getpid():
            return
        # A thread that only the parent has may hold the lock.
        self._condition = threading.Condition()
        if not self.done():
            raise BrokerError(
                "this future belongs to the process that this one was forked from: find it with"
                " ParseFuture.from_id, or ask for the file again"
            )


def deliver(sink: Sink, answer: messages.ParseResult) -> None:
    """Call a sink with a result; log its exceptions, so that they do not end this thread."""
    try:
        sink(answer)
    except BaseException:
        log.exception("a result could not be delivered")


def endless_wait() -> UsageError:
    """Return the error to raise if the thread that delivers results would wait for one."""
    return UsageError(
        "a callback cannot wait for another result, as its thread delivers all of them: add a"
        " callback to that one too, or do the work in a thread of your own"
    )


def gather(futures: Iterable[ParseFuture], timeout: float | None = None) -> list[ParseResult]:
    """Wait for futures and return their results in the order given.

    Args:
        futures: the futures.
        timeout: most seconds to wait for each; `None`: until it is done.

    Raises:
        TimeoutError: one is not done in time.
        concurrent.futures.CancelledError: one was cancelled.
    """
    return [future.result(timeout) for future in futures]


def as_completed(
    futures: Iterable[ParseFuture], timeout: float | None = None
) -> Iterator[ParseFuture]:
    """Return an iterator over futures in the order in which they are done.

    Args:
        futures: the futures.
        timeout: most seconds to wait for all of them; `None`: until they are done.

    Returns:
        An iterator; a future that was given twice comes twice.

    Raises:
        TimeoutError: they are not all done in time.
        UsageError: as for `ParseFuture.result`.
    """
    asked = list(futures)
    for future in asked:
        future.flush()
    return _done_of(asked, timeout)


def _done_of(asked: list[ParseFuture], timeout: float | None) -> Iterator[ParseFuture]:
    for future in asked:
        future.prepare_wait(timeout)
    times = Counter(asked)
    for done in concurrent.futures.as_completed(times, timeout):
        yield from repeat(cast("ParseFuture", done), times[cast("ParseFuture", done)])
