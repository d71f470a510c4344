"""Celery's consumer, made to outlast errors that would end the worker."""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker import state
from celery.worker.consumer import Consumer
from kombu.connection import Connection
from kombu.message import Message

from ck3parse.celery_compat.fetching import FetchingChannel, fetch_ahead

log = logging.getLogger(__name__)

_NO_TASK = (AttributeError, KeyError, TypeError, ValueError)
"""What Celery raises if it looks for a task in a message that is none; no broker raises these."""


class BrokerTroubleError(ConnectionError):
    """An error while taking messages, in a form that Celery recovers from."""


def ends_at_once() -> bool:
    """Return whether this worker was told to end without waiting for its tasks.

    Assumes:
        Celery's handler of SIGQUIT, and of a second SIGINT, sets `celery.worker.state`'s
        `should_terminate` to the exit code, which is not 0.
    Read in:
        celery 5.7.0.
    Otherwise:
        A worker that hangs while it ends at once stays until it is killed.
    Public way:
        The signal `worker_shutting_down` is sent at the end of the handler only, which may hang.
    """
    return bool(state.should_terminate)


def fetching_channel(consumer: Any) -> FetchingChannel | None:
    """Return what takes the messages of a worker, if its broker is a Redis server.

    Args:
        consumer: what a consumer's bootstep gets as its parent, once it takes messages.
    """
    channel = consumer.task_consumer.channel
    return channel if isinstance(channel, FetchingChannel) else None


class LastingLoopConsumer(Consumer):
    """Base of a class for the setting `worker_consumer`.

    Assumes:
        `self.loop` is the function that takes messages until it raises, and after an error of
        `self.connection_errors` the worker connects anew; `ConnectionError` is among them.
        `connect` returns the connection that the worker takes messages from. `ensure_connected`
        opens it, and those that events go through; `task_consumer.channel` is what takes messages.
        `on_connection_error_after_connected` closes what is left of a connection.
        `create_task_handler` returns a function that is called with each message, and
        `on_invalid_task(body, message, error)` refuses one, as `on_decode_error(message, error)`
        does.
    Read in:
        celery 5.7.0.
    Otherwise:
        A Redis that is full, or a message that is no task, ends the worker, and whatever started it
        starts it again.
    Public way:
        `worker_consumer` is public. The signals `task_rejected` and `task_unknown` report messages
        that were refused, except those that cannot be decoded. A bootstep cannot catch what the
        loop raises. `broker_channel_error_retry` covers errors of a channel, not all of the loop's.
    """

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
                log.exception("the broker or a message made the worker fail: it connects anew")
                raise BrokerTroubleError(f"{type(error).__name__}: {error}") from error

        self.loop = lasting

    def connected(self, connection: Connection) -> None:
        """Check a new connection; may raise `WorkerShutdown`."""

    def refused(self, message: Message, error: Exception) -> None:
        """Note that a message was refused, and why."""

    def ensure_connected(self, conn: Connection) -> Any:
        """Open a connection, over which nothing waits for a distant broker."""
        fetch_ahead(conn)
        return super().ensure_connected(conn)

    def connect(self) -> Any:
        """Connect to the broker."""
        connection = super().connect()
        self.connected(connection)
        return connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close what is left of the connection, which may raise errors of its own."""
        with contextlib.suppress(Exception):
            super().on_connection_error_after_connected(exc)

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], None]:
        """Return what takes a message, and refuses one in which Celery finds no task."""
        handle = super().create_task_handler(*args, **options)

        def handle_or_refuse(message: Message) -> None:
            try:
                handle(message)
            except _NO_TASK as error:
                wrong = InvalidTaskError(f"it has not the shape of a task ({error})")
                self.on_invalid_task(None, message, wrong)

        return handle_or_refuse

    def on_invalid_task(self, body: object, message: Message, exc: Exception) -> None:
        """Refuse a message that is no task, or whose content type is not accepted."""
        super().on_invalid_task(body, message, exc)
        self.refused(message, exc)

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Refuse a message that cannot be decoded."""
        super().on_decode_error(message, exc)
        self.refused(message, InvalidTaskError(f"it cannot be decoded: {exc}"))
