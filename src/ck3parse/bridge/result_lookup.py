"""Results by the ids of futures, on the result backend.

A task's result is under the task's own id, as Celery keeps it. Where a file's result came from
another task, because the first was lost, whoever sent it leaves it under the future's id, as the
result of a task of that name with this one result in it.
"""

import math
import threading
from collections.abc import Callable
from time import monotonic

import msgspec
from celery import states
from celery.result import AsyncResult

from ck3parse.bridge.future import hand_over
from ck3parse.bridge.protocols import Sink
from ck3parse.celery_compat.results import store_result
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseResult
from ck3parse.messaging.acceptance import Acceptance, NotAcceptedError, OtherOriginError
from ck3parse.pipeline.broker_calls import calling_broker
from ck3parse.pipeline.window import Window

LOOK_INTERVAL_S = 0.05
LOST_PATIENCE_S = 60.0
"""How long a lost task's sender has to leave what became of each file."""


class Sought(msgspec.Struct):
    """A result that somebody waits for, and when to give up on it."""

    future_id: str
    sink: Sink
    deadline: float
    asked: float
    lost_since: float | None = None


class Seeker:
    """Finds results by the ids of futures; all but `seek` is for the dispatcher's thread.

    Args:
        acceptance: what answers must be like.

    Attributes:
        window: whose result backend to use; set before anything but `seek` is called.
    """

    window: Window

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance
        self._lock = threading.Lock()
        self._sought: list[Sought] = []
        self._looked = 0.0

    @property
    def interval_s(self) -> float | None:
        """Seconds until there is something to do, or `None` if nothing is sought."""
        return LOOK_INTERVAL_S if self._sought else None

    def seek(self, future_id: str, sink: Sink, limit_s: float) -> Callable[[], None]:
        """Look for a result until it is there.

        Args:
            future_id: `TASK:INDEX`.
            sink: called with the result, once.
            limit_s: seconds after which it is given up.

        Returns:
            A function that ends the search.
        """
        now = monotonic()
        sought = Sought(future_id, sink, now + limit_s, now)
        with self._lock:
            self._sought.append(sought)
            self._looked = 0.0
        return lambda: self._forget(sought)

    def leave(self, result: ParseResult) -> None:
        """Leave a result under its request's id.

        Raises:
            BrokerCallError: the backend does not serve.
        """
        result.origin = self._acceptance.origin
        answers = msgspec.to_builtins([result], builtin_types=(bytes,))
        with calling_broker():
            store_result(self.window.app, result.id, answers)

    def drop(self, task_id: str) -> None:
        """Remove a task's result.

        Raises:
            BrokerCallError: the backend does not serve.
        """
        with calling_broker():
            AsyncResult(task_id, app=self.window.app).forget()

    def look(self) -> None:
        """Hand out what has come, if it is time to look.

        Raises:
            BrokerCallError: the backend does not serve.
        """
        if not self._sought or monotonic() - self._looked < LOOK_INTERVAL_S:
            return
        for sought in list(self._sought):
            if result := self._find(sought):
                self._forget(sought)
                hand_over(sought.sink, result)
        self._looked = monotonic()

    def give_up(self, reason: str, asked_before: float = math.inf) -> None:
        """Tell those who have waited since before a time that nothing will come."""
        for sought in list(self._sought):
            if sought.asked < asked_before:
                self._forget(sought)
                hand_over(sought.sink, _unavailable(sought.future_id, reason))

    def forked(self) -> None:
        """Leave all to the parent: this is a forked copy."""
        self._lock = threading.Lock()

    def _forget(self, sought: Sought) -> None:
        with self._lock:
            self._sought = [other for other in self._sought if other is not sought]

    def _result(self, task_id: str) -> tuple[str, object]:
        """Return a task's state, and its result if it succeeded."""
        with calling_broker():
            reply = AsyncResult(task_id, app=self.window.app)
            state = str(reply.state)
            return state, reply.result if state == states.SUCCESS else None

    def _find(self, sought: Sought) -> ParseResult | None:
        future_id = sought.future_id
        task_id, _, index = future_id.partition(":")
        state, answer = self._result(task_id)
        lost: object = state if state in (states.FAILURE, states.REVOKED) else None
        if state == states.SUCCESS:
            try:
                return self._nth(answer, int(index), future_id)
            except (NotAcceptedError, OtherOriginError) as reason:
                lost = reason
        if lost is not None:
            own_state, own_answer = self._result(future_id)
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
