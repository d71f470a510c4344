"""The client's side of the broker: a bounded window of batches in flight, each answered once."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

import msgspec
from billiard.exceptions import TimeLimitExceeded
from celery import Celery
from celery.exceptions import TimeoutError as NotYet
from celery.result import AsyncResult

from ck3parse.config import QUEUE_BULK
from ck3parse.errors import BrokerError, ErrorType
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.pipeline.batch import Batch
from ck3parse.tasks import TASK_NAME

BATCHES_PER_WORKER = 4
"""In flight for each worker process: one in hand, the rest so that it never waits for the next."""
MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
"""Of source. What the broker holds until it is taken is about half of that: compressed ASTs."""
HEAD_PATIENCE_S = 0.05
"""How long to wait for the oldest batch before looking whether younger ones are done."""


class InFlight(msgspec.Struct):
    """A batch that was published and not answered yet."""

    batch: Batch
    reply: AsyncResult


class Window:
    """Sends batches as tasks and gives back their results, each request answered exactly once.

    A context manager that withdraws what is still in flight at its end.

    Args:
        app: the Celery application to send with.
        workers: worker processes there are, which bounds what is in flight.
        queue: the queue to send to.
        check: called whenever nothing has come for a while; raises to end the run.
    """

    def __init__(
        self,
        app: Celery,
        *,
        workers: int,
        queue: str = QUEUE_BULK,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._limit = max(2, workers * BATCHES_PER_WORKER)
        self._queue = queue
        self._check = check
        self._in_flight: deque[InFlight] = deque()
        self._bytes = 0

    def results(self, batches: Iterable[Batch]) -> Iterator[list[ParseResult]]:
        """Yield the results of each batch as one list, in order of publishing where all goes well.

        A batch that was lost comes back as several lists, one for each of its requests.

        Raises:
            BrokerError: what `check` raises, or an answer does not fit its requests.
        """
        coming = iter(batches)
        more = True
        while more or self._in_flight:
            while more and self._has_room():
                batch = next(coming, None)
                if batch is None:
                    more = False
                else:
                    self._publish(batch)
            if self._in_flight:
                yield from self._take()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Withdraw what is in flight, as nobody waits for it any more, and hang up."""
        if self._in_flight:
            with contextlib.suppress(Exception):  # the broker may be what ended the run
                self._app.control.revoke([waiting.reply.id for waiting in self._in_flight])
                for waiting in self._in_flight:
                    waiting.reply.forget()
            self._in_flight.clear()
        # Before the interpreter ends: a connection closed later than that complains.
        self._app.close()

    def _has_room(self) -> bool:
        return len(self._in_flight) < self._limit and (
            not self._in_flight or self._bytes < MAX_BYTES_IN_FLIGHT
        )

    def _publish(self, batch: Batch) -> None:
        first = batch.requests[0]
        reply = self._app.send_task(
            TASK_NAME,
            args=(msgspec.to_builtins(batch.requests),),
            queue=self._queue,
            time_limit=first.timeout_ms / 1000,
            argsrepr=f"({len(batch.requests)} files, {first.path or first.name!r})",
        )
        self._in_flight.append(InFlight(batch, reply))
        self._bytes += batch.size

    def _take(self) -> Iterator[list[ParseResult]]:
        """Yield the results of at least one batch, the oldest if it is done soon."""
        head = self._in_flight[0]
        while True:
            try:
                answer = head.reply.get(timeout=HEAD_PATIENCE_S, propagate=False)
            except NotYet:
                done = [waiting for waiting in self._in_flight if waiting.reply.ready()]
                if done:
                    for waiting in done:
                        answer = waiting.reply.get(propagate=False)
                        yield from self._answered(waiting, answer)
                    return
                self._check()
            else:
                yield from self._answered(head, answer)
                return

    def _answered(self, which: InFlight, answer: object) -> Iterator[list[ParseResult]]:
        self._in_flight.remove(which)
        self._bytes -= which.batch.size
        which.reply.forget()
        requests = which.batch.requests
        if isinstance(answer, Exception):
            if len(requests) == 1:
                yield [_failed(requests[0], answer)]
            else:
                # One of them took its neighbours' process with it. Alone, each fails for itself.
                for request in requests:
                    self._publish(Batch([request], which.batch.size // len(requests)))
            return
        results = msgspec.convert(answer, list[ParseResult])
        if [result.id for result in results] != [request.id for request in requests]:
            raise BrokerError(
                "a worker answered what it was not asked: another program uses this broker's"
                f" task {TASK_NAME}, or the worker runs another version of ck3parse"
            )
        yield results


def _failed(request: ParseRequest, reason: Exception) -> ParseResult:
    """Return the result of a request whose task, all alone, did not return."""
    result = ParseResult(request.id, request.path or request.name)
    if isinstance(reason, TimeLimitExceeded):
        result.error_type = ErrorType.PARSE_TIMEOUT
        result.error = f"parsing it took longer than the limit of {request.timeout_ms:,} ms"
    else:
        result.error_type = ErrorType.WORKER_CRASHED
        result.error = f"the process that parsed it died: {reason}"
    return result
