"""Finding results on the result backend by the ids of futures.

Celery stores the results of a batch under the id of its task. If that task was lost and a file's
result came from another one, the process that sent it stores this single result under the future's
id, as the result of a task with that id. The result backend has no other place for results that
every client can read and that expires; no worker ran such a task.
"""

import math
import threading
from collections.abc import Callable
from time import monotonic

import msgspec
from celery import Celery, states
from celery.result import AsyncResult

from ck3parse.bridge.future import deliver
from ck3parse.bridge.protocols import Sink
from ck3parse.celery_compat.results import store_result
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseResult
from ck3parse.messaging.acceptance import Acceptance, NotAcceptedError, OtherOriginError
from ck3parse.pipeline.broker_calls import calling_broker

LOOK_INTERVAL_S = 0.05
LOST_PATIENCE_S = 60.0
"""Seconds that the sender of a lost task has to store the results of its files."""


class Sought(msgspec.Struct):
    """A result that a future waits for.

    Attributes:
        future_id: `TASK:INDEX`.
        sink: called with the result.
        deadline: when to give up, in seconds of `time.monotonic`.
        asked: when the search began, likewise.
        lost_since: when the task was found to be lost, likewise.
    """

    future_id: str
    sink: Sink
    deadline: float
    asked: float
    lost_since: float | None = None


class ResultLookup:
    """Finds results by the ids of futures; all but `seek` is for the dispatcher's thread.

    Args:
        acceptance: decides which answers to accept.
    """

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance
        self._lock = threading.Lock()
        self._sought: list[Sought] = []
        self._looked = 0.0

    @property
    def interval_s(self) -> float | None:
        """Seconds between two looks, or `None` if there is nothing to look for."""
        return LOOK_INTERVAL_S if self._sought else None

    def seek(self, future_id: str, sink: Sink, limit_s: float) -> Callable[[], None]:
        """Look for a result until it comes.

        Args:
            future_id: `TASK:INDEX`.
            sink: called once with the result.
            limit_s: seconds after which to give up.

        Returns:
            A function that ends the search.
        """
        now = monotonic()
        sought = Sought(future_id, sink, now + limit_s, now)
        with self._lock:
            self._sought.append(sought)
            self._looked = 0.0
        return lambda: self._forget(sought)

    def store(self, app: Celery, result: ParseResult) -> None:
        """Store a result under its request's id.

        Args:
            app: the Celery application whose result backend to use.
            result: the result.

        Raises:
            BrokerCallError: the backend does not serve.
        """
        result.origin = self._acceptance.origin
        answers = msgspec.to_builtins([result], builtin_types=(bytes,))
        with calling_broker():
            store_result(app, result.id, answers)

    def drop(self, app: Celery, task_id: str) -> None:
        """Remove the result of a task.

        Args:
            app: the Celery application whose result backend to use.
            task_id: the task's id.

        Raises:
            BrokerCallError: the backend does not serve.
        """
        with calling_broker():
            AsyncResult(task_id, app=app).forget()

    def look(self, app: Celery) -> None:
        """Deliver the results that have come, if it is time to look.

        Args:
            app: the Celery application whose result backend to use.

        Raises:
            BrokerCallError: the backend does not serve.
        """
        if not self._sought or monotonic() - self._looked < LOOK_INTERVAL_S:
            return
        for sought in list(self._sought):
            if result := self._find(app, sought):
                self._forget(sought)
                deliver(sought.sink, result)
        self._looked = monotonic()

    def give_up(self, reason: str, asked_before: float = math.inf) -> None:
        """End searches without a result.

        Args:
            reason: the error of their results.
            asked_before: end those that began before then, in seconds of `time.monotonic`.
        """
        for sought in list(self._sought):
            if sought.asked < asked_before:
                self._forget(sought)
                deliver(sought.sink, _unavailable(sought.future_id, reason))

    def forked(self) -> None:
        """Replace the lock in a forked child: a thread that only the parent has may hold it."""
        self._lock = threading.Lock()

    def _forget(self, sought: Sought) -> None:
        with self._lock:
            self._sought = [other for other in self._sought if other is not sought]

    def _result(self, app: Celery, task_id: str) -> tuple[str, object]:
        """Return a task's state, and its result if it succeeded."""
        with calling_broker():
            reply = AsyncResult(task_id, app=app)
            state = str(reply.state)
            return state, reply.result if state == states.SUCCESS else None

    def _find(self, app: Celery, sought: Sought) -> ParseResult | None:
        future_id = sought.future_id
        task_id, _, index = future_id.partition(":")
        state, answer = self._result(app, task_id)
        lost: object = state if state in (states.FAILURE, states.REVOKED) else None
        if state == states.SUCCESS:
            try:
                return self._nth(answer, int(index), future_id)
            except (NotAcceptedError, OtherOriginError) as reason:
                lost = reason
        if lost is not None:
            own_state, own_answer = self._result(app, future_id)
            if own_state == states.SUCCESS:
                try:
                    return self._nth(own_answer, 0, future_id)
                except (NotAcceptedError, OtherOriginError) as reason:
                    return _unavailable(future_id, str(reason))
            sought.lost_since = sought.lost_since or monotonic()
            if monotonic() - sought.lost_since > LOST_PATIENCE_S:
                return _unavailable(future_id, f"its task was lost: {lost}")
        if monotonic() > sought.deadline:
            return _unavailable(future_id, "there is no such result: it was never sent, or expired")
        return None

    def _nth(self, answer: object, index: int, future_id: str) -> ParseResult:
        return self._acceptance.result(answer, index) or _unavailable(
            future_id, "the task of this id holds no such result"
        )


def _unavailable(future_id: str, reason: str) -> ParseResult:
    return ParseResult(future_id, "", error_type=ErrorType.WORKER_UNAVAILABLE, error=reason)
