"""Results on the result backend: wait for them, stop waiting, store them."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery, Task, states
from celery.app.task import Context
from celery.result import AsyncResult
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.message import Message

from ck3parse.celery_compat.unwaited import UnwaitedCommands

log = logging.getLogger(__name__)

_MOST_UNCONFIRMED = 4
"""Results that may be on their way to the server."""
_MESSAGE_LIMIT_S = 10.0
"""How long the rest of a message may take once its beginning is there."""


def wait_for_result(app: Celery, timeout_s: float) -> None:
    """Take in one result, if one comes in time; its `AsyncResult` is ready then.

    Assumes:
        `backend.result_consumer.drain_events(timeout)` takes in one message and calls what
        `AsyncResult.then` was given. With Redis, `result_consumer._pubsub.connection` is the
        redis-py connection that it listens on, and its `can_read` waits without reading.
        If a message is not complete within its timeout, redis-py closes the connection and opens
        another one, and that message is lost. So `can_read` waits for the beginning, and the rest
        has ten seconds.
    Read in:
        celery 5.7.0, redis-py 8.1.0.
    Otherwise:
        Without `_pubsub`, `drain_events` gets the short timeout: large results can be lost, and
        their batches are sent again. Without `result_consumer` no result comes (AttributeError).
    Public way:
        `AsyncResult.get` waits for one result. `ResultSet.join_native` and `iter_native` wait for
        a fixed set. Neither can wait for any result of a set that changes, with a timeout.

    Args:
        app: the application whose results to take.
        timeout_s: seconds to wait for the beginning of one.

    Raises:
        Exception: any error of the libraries, if the backend does not serve.
    """
    consumer = app.backend.result_consumer
    connection = getattr(getattr(consumer, "_pubsub", None), "connection", None)
    if connection is not None:
        if not connection.can_read(timeout=timeout_s):
            return
        timeout_s = _MESSAGE_LIMIT_S
    # A message that cannot be decoded belongs to nobody: its batch is found to be lost.
    with contextlib.suppress(TimeoutError, ContentDisallowed, DecodeError):
        consumer.drain_events(timeout=timeout_s)


def stop_waiting(result: AsyncResult) -> None:
    """Unsubscribe from a result, and leave it on the backend.

    Assumes:
        `backend.remove_pending_result(result)` undoes what `AsyncResult.then` did.
    Read in:
        celery 5.7.0.
    Otherwise:
        AttributeError as the bridge takes the result of a future whose id was given away.
    Public way:
        `AsyncResult.forget` unsubscribes, and deletes the result too.

    Raises:
        Exception: any error of the libraries, if the backend does not serve.
    """
    result.backend.remove_pending_result(result)


def detach(results: Iterable[AsyncResult]) -> None:
    """Detach results without unsubscribing, as their broker may be gone.

    Assumes:
        `AsyncResult.__del__` unsubscribes unless the attribute `backend` is `None`.
    Read in:
        celery 5.7.0.
    Otherwise:
        The garbage collector unsubscribes, in any thread, and tries for twenty seconds if the
        broker is gone.
    Public way:
        None.
    """
    for result in results:
        result.backend = None


def store_result(app: Celery, task_id: str, value: object) -> None:
    """Store a value as the result of a task that succeeded, whether or not there was such a task.

    Assumes:
        `backend.store_result(task_id, value, state)` does that outside of a worker.
    Read in:
        celery 5.7.0.
    Otherwise:
        AttributeError or TypeError in the bridge's thread: results of lost tasks are not found by
        other processes.
    Public way:
        Only a worker that runs a task of that id stores a result.

    Raises:
        Exception: any error of the libraries, if the backend does not serve.
    """
    app.backend.store_result(task_id, value, states.SUCCESS)


def store_refusal(app: Celery, message: Message, task_id: str, reason: Exception) -> None:
    """Store a failure for a message from which no task could be made.

    Assumes:
        `backend.mark_as_failure(task_id, exception, request=...)` stores a failure that
        `AsyncResult.get` raises, if the request is a `Context` without chord, chain and errbacks.
        The `rpc://` backend sends it to the request's `reply_to` with its `correlation_id`.
    Read in:
        celery 5.7.0.
    Otherwise:
        The worker logs the error. The sender of the message waits for its own timeout.
    Public way:
        `Task.backend` and the `task_failure` signal exist for tasks that started.

    Raises:
        Exception: any error of the libraries, if the backend does not serve.
    """
    request = Context(
        id=task_id,
        task=(message.headers or {}).get("task"),
        correlation_id=message.properties.get("correlation_id"),
        reply_to=message.properties.get("reply_to"),
    )
    app.backend.mark_as_failure(task_id, reason, request=request)


def expire_next_result(task: Task, seconds: int) -> None:
    """Set how long the backend keeps the result that the running task returns next.

    Assumes:
        The backend reads its attribute `expires` whenever it stores a result.
    Read in:
        celery 5.7.0.
    Otherwise:
        All results are kept for `result_expires`: the backend needs more memory if clients are
        killed, and nothing else changes.
    Public way:
        The setting `result_expires` is for all results of an application. `expires` of
        `apply_async` is for the task, not for its result.
    """
    task.backend.expires = seconds


class ResultStore:
    """Stores the results of this process without waiting for a Redis server.

    A result is kept until the server has confirmed it, and stored once more, this time waiting, if
    that fails or if the connection is lost. It is lost if this process dies before, although its
    message may be acknowledged by then. So this is for clients that send a lost task again.

    Assumes:
        `backend._store_result(task_id, result, state, traceback, request)` looks whether there is a
        successful result already, and stores `encode(_get_result_meta(...))`, with `task_id`, by
        `_set_with_state(key, value, state)`, which calls `set(key, value)`. That stores for
        `expires` seconds and publishes the same bytes under the key. Clients listen there.
    Read in:
        celery 5.7.0.
    Otherwise:
        Each result takes two round trips, or clients do not hear of it.
    Public way:
        None.

    Args:
        app: the worker's application, in a process that runs tasks.
        may_be_lost: returns whether the result of the running task is for such a client.
    """

    def __init__(self, app: Celery, may_be_lost: Callable[[], bool]) -> None:
        self._backend = app.backend
        self._may_be_lost = may_be_lost
        self._unconfirmed: deque[tuple[str, bytes, int]] = deque()
        client = redis_client(app)
        if client is None:
            return
        self._commands = UnwaitedCommands(client.connection_pool)
        self._store_any, self._set_waiting = app.backend._store_result, app.backend.set  # noqa: SLF001
        app.backend._store_result, app.backend.set = self._store, self._set  # noqa: SLF001

    def confirm(self) -> None:
        """Wait until the server has all results; before the process ends."""
        if self._unconfirmed:
            try:
                self._commands.settle(wait_for=0)
            except Exception as error:  # noqa: BLE001 - each library has its own
                self._store_again(error)

    def _store(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **options: Any,
    ) -> Any:
        if state != states.SUCCESS:
            return self._store_any(task_id, result, state, traceback, request, **options)
        # It replaces nothing but the same result, so there is no need to look for one.
        backend = self._backend
        meta = backend._get_result_meta(  # noqa: SLF001
            result=result, state=state, traceback=traceback, request=request
        )
        meta["task_id"] = task_id
        backend._set_with_state(backend.get_key_for_task(task_id), backend.encode(meta), state)  # noqa: SLF001
        return result

    def _set(self, key: str, value: bytes, expires: int | None = None, **policy: Any) -> Any:
        seconds = self._backend.expires if expires is None else expires
        if not (seconds and self._may_be_lost()):
            return self._set_waiting(key, value, expires, **policy)
        try:
            self._commands.settle(wait_for=2 * (_MOST_UNCONFIRMED - 1))
            self._commands.send(("SETEX", key, seconds, value))
            self._commands.send(("PUBLISH", key, value), on_reply=self._note_confirmed)
        except Exception as error:  # noqa: BLE001 - each library has its own
            self._store_again(error)
            return self._set_waiting(key, value, seconds, **policy)
        self._unconfirmed.append((key, value, seconds))
        return None

    def _note_confirmed(self, _: object) -> None:
        self._unconfirmed.popleft()

    def _store_again(self, reason: Exception) -> None:
        log.warning("a result was not stored at once (%s)", reason)
        while self._unconfirmed:
            key, value, seconds = self._unconfirmed.popleft()
            try:
                self._set_waiting(key, value, seconds)
            except Exception:
                log.exception("a result is lost; its client sends the task again")


def redis_client(app: Celery) -> Any:
    """Return the redis-py client of the result backend, or `None` if it is no Redis.

    Assumes:
        A Redis backend has it as `client`, and no other backend has an attribute of that name.
    Read in:
        celery 5.7.0.
    Otherwise:
        A backend that is gone, or a Redis Cluster, is noticed with the first result only.
    Public way:
        None. A client made from the URL would have to repeat how Celery treats TLS options,
        Sentinel and sockets.
    """
    return getattr(app.backend, "client", None)
