"""The thread that sends what a process asks for, and hands out what comes back.

Any thread may ask. Requests that come close together travel in one batch: a batch is held open for
`LINGER_S`, or until it is full or somebody waits for one of its results. The window sees to it that
each is answered. If broker or workers are gone, whoever has waited for `patience_s` is answered
with that, and all others wait on; while nobody waits, nothing is tried.
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
from ck3parse.bridge.future import hand_over
from ck3parse.bridge.protocols import Sink
from ck3parse.bridge.result_lookup import Seeker
from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE
from ck3parse.errors import BrokerError, ErrorType
from ck3parse.files.reading import CannotReadError
from ck3parse.files.transport import Give
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.pipeline.batch import Batch, limit_within
from ck3parse.pipeline.broker_calls import BrokerCallError
from ck3parse.pipeline.window import Answer, Window

MAX_CALLS = 512
"""In a batch: how many more will come is not known, and a thousand are for several processes."""
LINGER_S = 0.002
"""A loop of single calls fills a batch in less; nobody who waits for a result waits for this."""
TICK_S = 0.002
"""How long to listen for results before looking for new requests."""
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
    """A request that was not answered yet."""

    name: str
    keep: bool
    sink: Sink
    asked: float
    unread: CannotReadError | None = None
    """Why its file could not be given."""


class Dispatcher:
    """Owns the window, in a thread of its own.

    Args:
        connect: called in that thread, returns the window once there are broker and workers. What
            it gets it calls now and then while there are none, and the window does so later: with
            what is wrong, when its caller may stop waiting.
        seeker: finds results by the ids of futures.
        give: how files are given to workers.
        patience_s: seconds that a request waits for a broker or workers that are gone.
    """

    _window: Window

    def __init__(
        self,
        connect: Callable[[Callable[[BrokerError], None]], Window],
        seeker: Seeker,
        give: Give,
        patience_s: float,
    ) -> None:
        self._connect = connect
        self._seeker = seeker
        self._give = give
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._open: dict[_Key, _Open] = {}
        self._full: deque[_Open] = deque()
        self._waiting: dict[str, _Waiting] = {}
        self._dropped = False
        """Whether a request was withdrawn since the window was told."""
        self._kept: dict[str, set[str]] = {}
        """By task whose result is kept: the requests whose results were not taken yet."""
        self._unwanted: deque[str] = deque()
        """Tasks whose results are kept no more."""
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
        """Take a request, to be sent soon.

        Args:
            request: what to parse; it gets a new id.
            size: bytes of it, as far as they are known.
            sink: called with the answer, once, in the dispatcher's thread.
            bulk: whether it goes behind what others wait for.
            urgent: whether somebody waits for it.
            keep: whether its result stays on the backend until `taken`.

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
        """Return whether the calling thread is the one that brings results."""
        return threading.get_ident() == self._thread.ident

    def flush(self) -> None:
        """Send at once what was held back for company."""
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
        """Note that the result of a request was handed over, and need not be kept."""
        task_id = request_id.partition(":")[0]
        with self._changed:
            if (left := self._kept.get(task_id)) is not None:
                left.discard(request_id)
                if not left:
                    del self._kept[task_id]
                    self._unwanted.append(task_id)
                    self._changed.notify()

    def seek(self, future_id: str, sink: Sink, limit_s: float) -> Callable[[], None]:
        """Look for the result of a future of any process; see `Seeker.seek`."""
        forget = self._seeker.seek(future_id, sink, limit_s)
        with self._changed:
            self._changed.notify()
        return forget

    def stop(self, reason: str) -> None:
        """Answer nothing any more, and hang up.

        Args:
            reason: what those who still wait are told, and who asks from now on.
        """
        with self._changed:
            self._stopped = self._stopped or reason
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_LIMIT_S)

    def forked(self) -> None:
        """Leave all to the parent: this is a forked copy, and copies of futures know it."""
        self._is_copy = True
        self._stopped = "it belongs to the process that this one was forked from"
        # Threads that only the parent has may have held them.
        self._changed = threading.Condition()
        self._seeker.forked()

    @property
    def stopped(self) -> bool:
        """Whether it answers nothing any more."""
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
        except BaseException as error:  # whoever waits must hear of it
            reason = (
                f"a bug of ck3parse: {type(error).__name__}: {error}; the log has the traceback"
            )
            log.exception("a bug of ck3parse ended the thread that talks to the broker")
        finally:
            with self._changed:
                reason = self._stopped = self._stopped or reason
            for request_id in list(self._waiting):
                self._give_up(request_id, reason)
            self._seeker.give_up(reason)
            if window and not self._is_copy:
                with forking.held():
                    window.close()

    def _outlast(self, error: BrokerError) -> None:
        """Answer who has waited for broker or workers for too long, and wait for who still wants.

        Args:
            error: what is wrong.
        """
        asked_before = monotonic() - self._patience_s
        with self._changed:
            waiting = list(self._waiting.items())
        for request_id, request in waiting:
            if request.asked < asked_before:
                self._give_up(request_id, str(error))
                self._dropped = True
        self._seeker.give_up(str(error), asked_before)
        with forking.let_go(), self._changed:
            # Not stopped: who asks again at once must not be refused.
            while not (self._waiting or self._stopped or self._seeker.interval_s):
                self._changed.wait()

    def _work(self) -> None:
        """Send what is due, and hand out what has come."""
        due = self._due(idle=not self._window.in_flight)
        with forking.held():
            for batch in due:
                self._publish(batch)
            answers = self._window.poll(TICK_S)
        for answer in answers:
            self._hand_out(answer)
        if self._is_copy:
            return  # a callback forked
        with forking.held():
            # Who must know that the broker is gone is the window.
            with contextlib.suppress(BrokerCallError):
                self._seeker.look()
                while self._unwanted:
                    self._seeker.drop(self._unwanted.popleft())
            if self._dropped:
                self._dropped = False
                # All that nobody waits for, as a batch's requests can be withdrawn one by one.
                self._window.discard(self._waiting.__contains__)

    def _due(self, *, idle: bool) -> list[_Open]:
        """Return batches to send now; with nothing in flight, wait for some."""
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
                self._changed.wait(self._seeker.interval_s if wait_s is None else wait_s)
                if self._seeker.interval_s is not None:
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
                # The place of each in the task's result is part of its id.
                requests = batch.requests
        if not requests:
            return
        given = list(map(self._given, requests))
        try:
            self._send(batch, given)
        except BrokerError:
            raise
        except Exception:
            log.exception("a batch could not be packed, and is sent without what cannot")
            self._send(batch, list(map(self._packable, given)))

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
            # By name no worker can read it either, but it keeps its place in the batch.
            self._note(request, reason)
            return request
        except Exception as error:
            log.exception("a bug of ck3parse met %s", request.name)
            return self._instead(request, error)

    def _packable(self, request: ParseRequest) -> ParseRequest:
        try:
            msgspec.msgpack.encode(request)
        except Exception as error:  # noqa: BLE001 - memory can be short too
            return self._instead(request, error)
        return request

    def _instead(self, request: ParseRequest, error: Exception) -> ParseRequest:
        """Return what keeps a request's place in its batch: a file that no worker finds."""
        message = f"it cannot be sent: {type(error).__name__}: {error}"
        self._note(request, CannotReadError(ErrorType.INTERNAL, message))
        return ParseRequest(request.id, "", timeout_ms=request.timeout_ms)

    def _note(self, request: ParseRequest, reason: CannotReadError) -> None:
        with self._changed:
            if waiting := self._waiting.get(request.id):
                self._waiting[request.id] = waiting._replace(unread=reason)

    def _hand_out(self, answer: Answer) -> None:
        for result in answer.results:
            with self._changed:
                waiting = self._waiting.pop(result.id, None)
            if waiting is None:
                continue
            result.path = waiting.name  # workers may call it otherwise, or know its bytes only
            if waiting.unread and not result.ok:
                result.error_type = waiting.unread.error_type
                result.error = waiting.unread.message
            hand_over(waiting.sink, result)
            if self._is_copy:
                return
            if waiting.keep and not result.id.startswith(answer.task_id):
                # It was sent again, as another task: who knows its id only looks here.
                with forking.held(), contextlib.suppress(BrokerCallError):
                    self._seeker.leave(result)
                self._unwanted.append(answer.task_id)

    def _give_up(self, request_id: str, reason: str) -> None:
        with self._changed:
            waiting = self._waiting.pop(request_id, None)
        if waiting is None:
            return
        result = ParseResult(request_id, waiting.name)
        result.error_type, result.error = ErrorType.WORKER_UNAVAILABLE, reason
        hand_over(waiting.sink, result)
