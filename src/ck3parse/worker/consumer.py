"""What keeps a worker alive, whatever its broker does and whatever lies in its queues.

Whoever sent what the worker refuses is told so, by a failure of that task.

Celery takes a lost connection for something to recover from, and any other error for its own end.
But a Redis that is full answers with an error, what cannot be decoded raises one, and closing a
connection of which nothing is left does too. All of these leave the worker as they find it: it
connects anew and goes on. What it had taken by then is lost to it, and clients send that again.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError, WorkerShutdown
from celery.worker.consumer import Consumer
from kombu.exceptions import ContentDisallowed
from kombu.message import Message

from ck3parse.celery_compat.broker import redis_client
from ck3parse.celery_compat.results import store_refusal
from ck3parse.errors import ExitCode
from ck3parse.messaging.redis_cluster import REFUSAL, is_cluster

log = logging.getLogger(__name__)

_WRONG_SHAPE = (AttributeError, KeyError, TypeError, ValueError)
"""What Celery raises if it looks for a task in a message that is none: no broker's errors."""


class BrokerTroubleError(ConnectionError):
    """An error while taking from the broker, in a form that Celery recovers from."""


class LastingConsumer(Consumer):
    """Celery's consumer, which takes every error of its loop for a lost connection."""

    loop: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        loop = self.loop

        def lasting(*args: Any) -> None:
            try:
                loop(*args)
            except self.connection_errors:
                raise
            except Exception as error:
                log.exception("the broker or what it sent is not as it should be: connecting anew")
                raise BrokerTroubleError(f"{type(error).__name__}: {error}") from error

        self.loop = lasting

    def connect(self) -> Any:
        """Connect, and end the worker if what answers can never be used."""
        connection = super().connect()
        if is_cluster(redis_client(connection)):
            log.critical("the worker ends: %s", REFUSAL)
            raise WorkerShutdown(ExitCode.USAGE)
        return connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close what is left of the connection, which has errors of its own."""
        with contextlib.suppress(Exception):
            super().on_connection_error_after_connected(exc)

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], None]:
        """Return what takes a message, and refuses one in which Celery finds no task."""
        handle = super().create_task_handler(*args, **options)

        def handle_or_refuse(message: Message) -> None:
            try:
                handle(message)
            except _WRONG_SHAPE as error:
                wrong = InvalidTaskError(f"it has not the shape of a task ({error})")
                self.on_invalid_task(None, message, wrong)

        return handle_or_refuse

    def on_invalid_task(self, body: object, message: Message, exc: Exception) -> None:
        """Refuse a task that is none, or whose content is not accepted, and tell its sender."""
        super().on_invalid_task(body, message, exc)
        if isinstance(exc, ContentDisallowed):
            self._tell_sender(
                message,
                f"its content is {message.content_type}, and a ck3parse worker takes"
                " application/x-msgpack only: send it with serializer='msgpack'",
            )
        else:
            self._tell_sender(message, str(exc))

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Refuse a message that cannot be decoded, and tell its sender."""
        super().on_decode_error(message, exc)
        self._tell_sender(message, f"it cannot be decoded: {exc}")

    def _tell_sender(self, message: Message, why: str) -> None:
        headers = message.headers or {}
        task_id = headers.get("id")
        if not isinstance(task_id, str) or headers.get("ignore_result"):
            return
        try:
            refusal = InvalidTaskError(f"the task was refused: {why}")
            store_refusal(self.app, message, task_id, refusal)
        except Exception:  # the backend may be gone, or the id not one that it takes
            log.exception("the sender of %s cannot be told that it was refused", task_id)
