"""The thread that sends the requests of a process and delivers their results.

Any thread may submit a request. Requests that are submitted shortly after each other share a batch:
it stays open for `LINGER_S`, until it is full, or until a caller waits for one of its results. If
the broker or its workers are gone, requests that have waited for `patience_s` fail and the others
keep waiting; while there are no requests, the thread does not try to reconnect.
"""

import contextlib
import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import msgspec

from ck3parse.bridge import forking
from ck3parse.bridge.future import deliver
from ck3parse.bridge.protocols import Sink
from ck3parse.bridge.result_lookup import ResultLookup
from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE
from ck3parse.errors import BrokerError, ErrorType
from ck3parse.files.reading import CannotReadError
from ck3parse.files.transport import Give
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.pipeline.batch import Batch, limit_within
from ck3parse.pipeline.broker_calls import BrokerCallError
from ck3parse.pipeline.window import Answer, Window

MAX_CALLS = 512
"""Requests in a batch: fewer than in a run, so that a thousand occupy several processes."""
LINGER_S = 0.002
"""Seconds that a batch stays open. A loop of calls fills it sooner; a waiting caller closes it."""
TICK_S = 0.002
"""Seconds to wait for results before looking for new requests."""
_STOP_LIMIT_S = 3.0

log = logging.getLogger(__name__)


class _Key(NamedTuple):
    """What the requests of one batch have in common."""

    queue: str
    timeout_ms: int
    keep: bool


class _Open(msgspec.Struct):
    """A batch that can still take requests."""

    key: _Key
    task_id: str
    since: float
    requests: list[ParseRequest]
    size: int = 0


class _Waiting(NamedTuple):
    """A request without a result yet."""

    name: str
    keep: bool
    sink: Sink
    asked: float
    unread: CannotReadError | None = None
    """Why its file could not be put into the request."""


class Dispatcher:
    """Owns a window, in a thread of its own.

    Args:
        connect: called in that thread; returns the window once the broker and its workers answer.
            Its argument is a function that it calls with what is wrong while they do not; the
            window calls it later too.
        lookup: finds results by the ids of futures.
        give: puts a file into its request.
        patience_s: seconds that a request waits for a broker or workers that are gone.
    """

    _window: Window

    def __init__(
        self,
        connect: Callable[[Callable[[BrokerError], None]], Window],
        lookup: ResultLookup,
        give: Give,
        patience_s: float,
    ) -> None:
        self._connect = connect
        self._lookup = lookup
        self._give = give
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._open: dict[_Key, _Open] = {}
        self._full: deque[_Open] = deque()
        self._waiting: dict[str, _Waiting] = {}
        self._dropped = False
        """Whether a request was withdrawn since the window last discarded batches."""
        self._kept: dict[str, set[str]] = {}
        """By task whose result is kept: ids of the requests whose results were not taken yet."""
        self._unwanted: deque[str] = deque()
        """Tasks whose results are not needed any more."""
        self._hurry = False
        self._stopped: str | None = None
        self._is_copy = False
        self._thread = threading.Thread(target=self._run, name="ck3parse", daemon=True)
        self._thread.start()

    def submit(
        self,
        request: ParseRequest,
        size: int,
        sink: Sink,
        *,
        bulk: bool = False,
        urgent: bool = False,
        keep: bool = False,
    ) -> str:
        """Accept a request, to be sent soon.

        Args:
            request: what to parse; it gets a new id.
            size: its size in bytes, as far as it is known.
            sink: called once with the result, in the dispatcher's thread.
            bulk: whether interactive requests go before it.
            urgent: whether the caller waits for it, so that its batch is sent at once.
            keep: whether its result stays on the result backend until `taken` is called.

        Returns:
            The request's id.

        Raises:
            BrokerError: the dispatcher was stopped.
        """
        key = _Key(QUEUE_BULK if bulk else QUEUE_INTERACTIVE, request.timeout_ms, keep)
        with self._changed:
            if self._stopped:
                raise BrokerError(self._stopped)
            limit = limit_within(request.timeout_ms)
            batch = self._open.get(key)
            if batch and batch.size + size > limit.size:
                self._seal(batch)
                batch = None
            if batch is None:
                batch = _Open(key, str(uuid.uuid4()), monotonic(), [])
                self._open[key] = batch
                self._changed.notify()
            request_id = f"{batch.task_id}:{len(batch.requests)}"
            request = msgspec.structs.replace(request, id=request_id)
            batch.requests.append(request)
            batch.size += size
            self._waiting[request_id] = _Waiting(request.name, keep, sink, monotonic())
            if urgent or len(batch.requests) >= min(limit.files, MAX_CALLS):
                self._seal(batch)
                self._changed.notify()
        return request_id

    def is_answering(self) -> bool:
        """Return whether the calling thread is the one that delivers results."""
        return threading.get_ident() == self._thread.ident

    def flush(self) -> None:
        """Send all open batches at once."""
        with self._changed:
            if self._open:
                self._hurry = True
                self._changed.notify()

    def drop(self, request_id: str) -> None:
        """Withdraw a request that nobody waits for any more."""
        with self._changed:
            if self._waiting.pop(request_id, None):
                self._dropped = True
                self._changed.notify()
        self.taken(request_id)

    def taken(self, request_id: str) -> None:
        """Note that the result of a request was delivered and need not be kept."""
        task_id = request_id.partition(":")[0]
        with self._changed:
            if (left := self._kept.get(task_id)) is not None:
                left.discard(request_id)
                if not left:
                    del self._kept[task_id]
                    self._unwanted.append(task_id)
                    self._changed.notify()

    def seek(self, future_id: str, sink: Sink, limit_s: float) -> Callable[[], None]:
        """Look for the result of a future of any process; see `ResultLookup.seek`."""
        forget = self._lookup.seek(future_id, sink, limit_s)
        with self._changed:
            self._changed.notify()
        return forget

    def stop(self, reason: str) -> None:
        """Stop the thread, and close the window.

        Args:
            reason: the error of requests that still wait, and of those submitted from now on.
        """
        with self._changed:
            self._stopped = self._stopped or reason
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_LIMIT_S)

    def forked(self) -> None:
        """Become unusable in a forked child: everything belongs to the parent."""
        self._is_copy = True
        self._stopped = "it belongs to the process that this one was forked from"
        # Threads that only the parent has may have held the locks.
        self._changed = threading.Condition()
        self._lookup.forked()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped is not None

    def _seal(self, batch: _Open) -> None:
        del self._open[batch.key]
        self._full.append(batch)

    def _run(self) -> None:
        reason = ""
        window = None
        try:
            window = self._window = self._connect(self._outlast)
            while not self._stopped:
                self._work()
        except BrokerError as error:
            reason = str(error)
        except BaseException as error:  # callers that wait need a result
            reason = (
                f"a bug of ck3parse: {type(error).__name__}: {error}; the log has the traceback"
            )
            log.exception("a bug of ck3parse ended the thread that talks to the broker")
        finally:
            with self._changed:
                reason = self._stopped = self._stopped or reason
            for request_id in list(self._waiting):
                self._give_up(request_id, reason)
            self._lookup.give_up(reason)
            if window and not self._is_copy:
                with forking.held():
                    window.close()

    def _outlast(self, error: BrokerError) -> None:
        """Fail the requests that have waited for too long; without any others, wait for one.

        Args:
            error: what is wrong with the broker or its workers.
        """
        asked_before = monotonic() - self._patience_s
        with self._changed:
            waiting = list(self._waiting.items())
        for request_id, request in waiting:
            if request.asked < asked_before:
                self._give_up(request_id, str(error))
                self._dropped = True
        self._lookup.give_up(str(error), asked_before)
        with forking.let_go(), self._changed:
            # Do not stop instead: a new request must not be refused.
            while not (self._waiting or self._stopped or self._lookup.interval_s):
                self._changed.wait()

    def _work(self) -> None:
        """Send batches that are due, and deliver results that have come."""
        due = self._due(idle=not self._window.in_flight)
        with forking.held():
            for batch in due:
                self._publish(batch)
            answers = self._window.poll(TICK_S)
        for answer in answers:
            self._deliver_results(answer)
        if self._is_copy:
            return  # a callback forked
        with forking.held():
            # If the broker is gone, the window notices too and reconnects.
            with contextlib.suppress(BrokerCallError):
                self._lookup.look(self._window.app)
                while self._unwanted:
                    self._lookup.drop(self._window.app, self._unwanted.popleft())
            if self._dropped:
                self._dropped = False
                # Look at all batches: the last request of one may be withdrawn after the others.
                self._window.discard(self._waiting.__contains__)

    def _due(self, *, idle: bool) -> list[_Open]:
        """Return batches to send now.

        Args:
            idle: whether nothing is in flight, so that it may wait for something to do.
        """
        with self._changed:
            while True:
                now = monotonic()
                oldest = min((batch.since for batch in self._open.values()), default=None)
                for batch in list(self._open.values()):
                    if self._hurry or now - batch.since >= LINGER_S:
                        self._seal(batch)
                self._hurry = False
                if self._full or self._stopped or not idle or self._dropped or self._unwanted:
                    break
                wait_s = None if oldest is None else max(0.0, oldest + LINGER_S - now)
                self._changed.wait(self._lookup.interval_s if wait_s is None else wait_s)
                if self._lookup.interval_s is not None:
                    break
            due: list[_Open] = []
            held: deque[_Open] = deque()
            room = self._window.has_room()
            for batch in self._full:
                bulk = batch.key.queue == QUEUE_BULK
                (due if room or not bulk else held).append(batch)
                room = room and not bulk
            self._full = held
            return due

    def _publish(self, batch: _Open) -> None:
        with self._changed:
            requests = [request for request in batch.requests if request.id in self._waiting]
            if requests and batch.key.keep:
                self._kept[batch.task_id] = {request.id for request in requests}
                # Send withdrawn ones too: a request's index in the batch is part of its id.
                requests = batch.requests
        if not requests:
            return
        given = list(map(self._given, requests))
        try:
            self._send(batch, given)
        except BrokerError:
            raise
        except Exception:
            log.exception("a batch cannot be serialized; it is sent without the faulty requests")
            self._send(batch, list(map(self._serializable, given)))

    def _send(self, batch: _Open, requests: list[ParseRequest]) -> None:
        self._window.submit(
            Batch(requests, batch.size),
            queue=batch.key.queue,
            task_id=batch.task_id,
            keep=batch.key.keep,
        )

    def _given(self, request: ParseRequest) -> ParseRequest:
        try:
            return self._give(request)
        except CannotReadError as reason:
            # Send it by path: it keeps its index in the batch, and no worker can read it either.
            self._note(request, reason)
            return request
        except Exception as error:
            log.exception("a bug of ck3parse met %s", request.name)
            return self._instead(request, error)

    def _serializable(self, request: ParseRequest) -> ParseRequest:
        try:
            msgspec.msgpack.encode(request)
        except Exception as error:  # noqa: BLE001 - memory can be short too
            return self._instead(request, error)
        return request

    def _instead(self, request: ParseRequest, error: Exception) -> ParseRequest:
        """Return a request to send in place of one that cannot be sent, to keep its index."""
        message = f"it cannot be sent: {type(error).__name__}: {error}"
        self._note(request, CannotReadError(ErrorType.INTERNAL, message))
        return ParseRequest(request.id, "", timeout_ms=request.timeout_ms)

    def _note(self, request: ParseRequest, reason: CannotReadError) -> None:
        with self._changed:
            if waiting := self._waiting.get(request.id):
                self._waiting[request.id] = waiting._replace(unread=reason)

    def _deliver_results(self, answer: Answer) -> None:
        for result in answer.results:
            with self._changed:
                waiting = self._waiting.pop(result.id, None)
            if waiting is None:
                continue
            result.path = waiting.name  # workers may see it elsewhere, or only its bytes
            if waiting.unread and not result.ok:
                result.error_type = waiting.unread.error_type
                result.error = waiting.unread.message
            deliver(waiting.sink, result)
            if self._is_copy:
                return
            if waiting.keep and not result.id.startswith(answer.task_id):
                # It was sent again as another task; `from_id` looks for it under its own id.
                with forking.held(), contextlib.suppress(BrokerCallError):
                    self._lookup.store(self._window.app, result)
                self._unwanted.append(answer.task_id)

    def _give_up(self, request_id: str, reason: str) -> None:
        with self._changed:
            waiting = self._waiting.pop(request_id, None)
        if waiting is None:
            return
        result = ParseResult(request_id, waiting.name)
        result.error_type, result.error = ErrorType.WORKER_UNAVAILABLE, reason
        deliver(waiting.sink, result)
