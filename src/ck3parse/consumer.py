"""What keeps a worker alive, whatever its broker does and whatever lies in its queues.

Celery takes a lost connection for something to recover from, and any other error for its own end.
But a Redis that is full answers with an error, what cannot be decoded raises one, and closing a
connection of which nothing is left does too. All of these leave the worker as they find it: it
connects anew and goes on. What it had taken by then is lost to it, and clients send that again.
"""

import contextlib
import logging
from typing import Any

from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)


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

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close what is left of the connection, which has errors of its own."""
        with contextlib.suppress(Exception):
            super().on_connection_error_after_connected(exc)
