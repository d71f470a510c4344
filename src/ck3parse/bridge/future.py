"""Futures: parses that were asked for and may not be done."""

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
    """A parse that was asked for: a `concurrent.futures.Future` that can be awaited.

    It is done once there is a result, whether the file parsed or not: look at the result's
    `success`. It never stays undone for ever: where no worker answers, the result says so with the
    error type `WorkerUnavailable`.

    Attributes:
        id: `TASK:INDEX`, the Celery task that parses it and its place there. `from_id` finds the
            result by it, from another process too.
        finder: what `from_id` calls; `ck3parse.bridge.requests` sets it.
    """

    finder: ClassVar[Callable[[str], "ParseFuture"]]

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self.id = ""
        self._keeper = keeper
        self._pid = os.getpid()

    @classmethod
    def from_id(cls, future_id: str) -> "ParseFuture":
        """Find a future again, in this process or another that uses the same broker.

        A result stays on the result backend until each future of its task has been asked for its
        result in the process that made it, or else for `CK3PARSE_RESULT_EXPIRES_S` seconds: so
        either process may ask, but the other one first.

        Args:
            future_id: the `id` of a future.

        Returns:
            A future for the same result. If none has come after `CK3PARSE_RESULT_EXPIRES_S`
            seconds, it is done with the error type `WorkerUnavailable`.

        Raises:
            UsageError: it is not the id of a future, or no broker is configured.
            BrokerError: the broker cannot be reached.
        """
        return cls.finder(future_id)

    def result(self, timeout: float | None = None) -> ParseResult:
        """Wait for the result and return it.

        Args:
            timeout: seconds to wait at most; `None`: until it is there, which is bounded by the
                file's own limit and the limits of sending it again.

        Raises:
            TimeoutError: the time is over.
            concurrent.futures.CancelledError: it was cancelled.
            BrokerError: it belongs to the process that this one was forked from.
            UsageError: this is the thread that brings results, which calls callbacks: it would
                wait for itself.
        """
        self.prepare_wait(timeout)
        result = super().result(timeout)
        self._keeper.taken(self.id)
        return result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait until it is done, and return `None`: what went wrong is in the result.

        Args:
            timeout: as that of `result`.

        Raises:
            TimeoutError, CancelledError: as `result`.
        """
        self.prepare_wait(timeout)
        return super().exception(timeout)

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Have a function called with this future once it is done.

        It is called in the thread that brings results, or at once if it is done already. There it
        must not wait for other results, and what it raises is logged.

        Args:
            fn: the function.
        """

        def guarded(done: concurrent.futures.Future[ParseResult]) -> None:
            try:
                fn(done)
            except Exception:
                raise  # who calls callbacks logs these, and goes on
            except BaseException:
                if not self._keeper.is_answering():
                    raise
                log.exception("a callback of a future was to end the thread that brings results")

        super().add_done_callback(guarded)

    def flush(self) -> None:
        """Send it at once, if it was held back for others to travel with it."""
        self._check_process()
        if not self.done():
            self._keeper.flush()

    def cancel(self) -> bool:
        """Ask for the result no more, unless it has come.

        A task that nobody waits for any more is revoked: a worker that has not begun it passes it
        over.

        Returns:
            Whether it is cancelled.
        """
        with self._condition:
            if self.cancelled():
                return True
            if not super().cancel():
                return False
            # Otherwise who waits for several futures would wait on.
            self.set_running_or_notify_cancel()
        self._keeper.drop(self.id)
        return True

    def settle(self, answer: messages.ParseResult) -> None:
        """Be done with this answer, unless it was cancelled. For whoever parses only."""
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
        """Send it at once, and see that to wait for it can end; as `result` does first."""
        self.flush()
        # Who only looks does not wait.
        if timeout != 0 and not self.done() and self._keeper.is_answering():
            raise endless_wait()

    def _check_process(self) -> None:
        if self._pid == os.getpid():
            return
        # A thread that only the parent has may have held it.
        self._condition = threading.Condition()
        if not self.done():
            raise BrokerError(
                "this future belongs to the process that this one was forked from: find it with"
                " ParseFuture.from_id, or ask for the file again"
            )


def hand_over(sink: Sink, answer: messages.ParseResult) -> None:
    """Hand an answer over. Nothing that is done with it ends the thread that brings them all."""
    try:
        sink(answer)
    except BaseException:
        log.exception("a result could not be handed over")


def endless_wait() -> UsageError:
    """Return the error that it is to wait for a result in the thread that would bring it."""
    return UsageError(
        "a callback cannot wait for another result, as all come by its thread: add a callback to"
        " that one too, or hand the work to a thread of your own"
    )


def gather(futures: Iterable[ParseFuture], timeout: float | None = None) -> list[ParseResult]:
    """Wait for futures and return their results in the order given.

    Args:
        futures: what was asked for.
        timeout: seconds to wait at most for each; `None`: until it is there.

    Raises:
        TimeoutError: the time is over.
        concurrent.futures.CancelledError: one was cancelled.
    """
    return [future.result(timeout) for future in futures]


def as_completed(
    futures: Iterable[ParseFuture], timeout: float | None = None
) -> Iterator[ParseFuture]:
    """Yield futures as they are done.

    Args:
        futures: what was asked for.
        timeout: seconds to wait at most for all of them; `None`: until they are done.

    Returns:
        An iterator; a future that was given twice comes twice.

    Raises:
        TimeoutError: the time is over.
        UsageError: as `ParseFuture.result`.
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
