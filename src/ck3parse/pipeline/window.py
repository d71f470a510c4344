"""The client's side of the broker: a bounded window of batches in flight, each answered once."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

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


SILENCE_S = 1.0
"""After so long without an answer, `poll` asks the backend itself, in case one went unheard."""


class InFlight(msgspec.Struct):
    """A batch that was published and not answered yet.

    Attributes:
        batch: what was sent.
        reply: the task.
        queue: where it was sent.
        keep: whether the task and its result are left to others, as its id is known elsewhere.
    """

    batch: Batch
    reply: AsyncResult
    queue: str
    keep: bool = False


class Answer(NamedTuple):
    """What came of a task: its id, and a result for each of its requests."""

    task_id: str
    results: list[ParseResult]


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
        self._came: deque[AsyncResult] = deque()
        self._last_came = 0.0

    def results(self, batches: Iterable[Batch]) -> Iterator[list[ParseResult]]:
        """Yield the results of each batch as one list, in order of publishing where all goes well.

        A batch that was lost comes back as several lists, one for each of its requests.

        Raises:
            BrokerError: what `check` raises, or an answer does not fit its requests.
        """
        coming = iter(batches)
        more = True
        while more or self._in_flight:
            while more and self.has_room():
                batch = next(coming, None)
                if batch is None:
                    more = False
                else:
                    self._publish(batch, self._queue)
            if self._in_flight:
                yield from self._take()

    def submit(
        self,
        batch: Batch,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        keep: bool = False,
    ) -> None:
        """Publish a batch at once, for its answer to come from `poll`.

        For callers that have not all batches beforehand; `results` is not for them. One thread may
        call `submit` and `poll`.

        Args:
            batch: what to send, whether or not there `has_room` for it.
            queue: where to; default: the window's.
            task_id: the task's id; default: a new one.
            keep: leave the task and its result on the broker, for others who know its id.
        """
        if not self._in_flight:
            self._last_came = monotonic()
        self._publish(batch, queue or self._queue, task_id, keep=keep)

    def poll(self, timeout_s: float) -> list[Answer]:
        """Return what has come of the batches submitted.

        A batch that was lost comes back as several answers, one for each of its requests.

        Args:
            timeout_s: seconds to wait if nothing has come yet.

        Raises:
            BrokerError: what `check` raises, or an answer does not fit its requests.
        """
        if self._in_flight and not self._came:
            self._listen(timeout_s)
        answers: list[Answer] = []
        while self._came:
            reply = self._came.popleft()
            which = next((sent for sent in self._in_flight if sent.reply.id == reply.id), None)
            if which:
                self._last_came = monotonic()
                came = self._answered(which, reply.result)
                answers += [Answer(reply.id, results) for results in came]
        return answers

    def discard(self, request_ids: set[str]) -> None:
        """Withdraw the batches submitted of which no request is wanted any more."""
        for which in list(self._in_flight):
            if all(request.id in request_ids for request in which.batch.requests):
                self._in_flight.remove(which)
                self._bytes -= which.batch.size
                which.reply.revoke()
                which.reply.forget()

    def _listen(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            self._app.backend.result_consumer.drain_events(timeout=timeout_s)
        if not self._came and monotonic() - self._last_came > SILENCE_S:
            self._last_came = monotonic()
            self._came.extend(sent.reply for sent in self._in_flight if sent.reply.ready())
            self._check()

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
        unwanted = [waiting.reply for waiting in self._in_flight if not waiting.keep]
        if unwanted:
            with contextlib.suppress(Exception):  # the broker may be what ended the run
                self._app.control.revoke([reply.id for reply in unwanted])
                for reply in unwanted:
                    reply.forget()
            self._in_flight.clear()
        # Before the interpreter ends: a connection closed later than that complains.
        self._app.close()

    @property
    def in_flight(self) -> int:
        """How many batches are published and not answered yet."""
        return len(self._in_flight)

    def has_room(self) -> bool:
        """Return whether workers can use more batches than are in flight."""
        return len(self._in_flight) < self._limit and (
            not self._in_flight or self._bytes < MAX_BYTES_IN_FLIGHT
        )

    def _publish(
        self, batch: Batch, queue: str, task_id: str | None = None, *, keep: bool = False
    ) -> None:
        first = batch.requests[0]
        reply = self._app.send_task(
            TASK_NAME,
            args=(msgspec.to_builtins(batch.requests),),
            queue=queue,
            task_id=task_id,
            time_limit=first.timeout_ms / 1000,
            argsrepr=f"({len(batch.requests)} files, {first.path or first.name!r})",
        )
        reply.then(self._came.append)
        self._in_flight.append(InFlight(batch, reply, queue, keep))
        self._bytes += batch.size

    def _take(self) -> Iterator[list[ParseResult]]:
        """Yield the results of at least one batch, the oldest if it is done soon."""
        self._came.clear()
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
        if not which.keep:
            which.reply.forget()
        requests = which.batch.requests
        if isinstance(answer, Exception):
            if len(requests) == 1:
                yield [_failed(requests[0], answer)]
            else:
                # One of them took its neighbours' process with it. Alone, each fails for itself.
                for request in requests:
                    alone = Batch([request], which.batch.size // len(requests))
                    self._publish(alone, which.queue)
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
