"""Listening for results with a short patience, and without losing any."""

import contextlib

from celery import Celery
from kombu.exceptions import ContentDisallowed, DecodeError

from ck3parse.pipeline.broker_calls import calling_broker

_MESSAGE_LIMIT_S = 10.0
"""How long the rest of a message may take whose beginning is there."""


def listen(app: Celery, timeout_s: float) -> None:
    """Take in one result, if there is one; its `AsyncResult` is ready then.

    A large result comes in pieces. If there is a pause between them that is longer than its
    timeout, redis-py takes the connection for dead and makes another, without a word, and what was
    on its way is never heard of. So the timeout here is for the beginning of a result only.

    Args:
        app: the application whose results to take.
        timeout_s: seconds to wait for one.

    Raises:
        BrokerCallError: the backend does not serve.
    """
    with calling_broker():
        _listen(app, timeout_s)


def _listen(app: Celery, timeout_s: float) -> None:
    consumer = app.backend.result_consumer
    # Celery has no name for others to use for this connection; without it, it waits as it does.
    connection = getattr(getattr(consumer, "_pubsub", None), "connection", None)
    if connection is not None:
        if not connection.can_read(timeout=timeout_s):
            return
        timeout_s = _MESSAGE_LIMIT_S
    # What cannot be read is nobody's result: its batch is found to be lost.
    with contextlib.suppress(TimeoutError, ContentDisallowed, DecodeError):
        consumer.drain_events(timeout=timeout_s)
