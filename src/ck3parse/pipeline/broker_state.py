"""What a Redis broker says about itself and its queues."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from celery import Celery
from redis.exceptions import ResponseError

from ck3parse.celery_compat.broker import oldest_headers, redis_client
from ck3parse.messaging.app import SENT_HEADER
from ck3parse.pipeline.broker_calls import calling_broker


class Memory(NamedTuple):
    """Memory of a broker, in bytes.

    Attributes:
        used: for its data.
        limit: its `maxmemory`, or 0 if it has none.
    """

    used: int
    limit: int


def memory(app: Celery) -> Memory | None:
    """Return how much memory the broker uses, or `None` if it is no Redis or does not say.

    Args:
        app: the application with the broker.

    Raises:
        BrokerCallError: the broker does not serve.
    """
    with calling_broker(), app.pool.acquire(block=True) as connection:
        client = redis_client(connection)
        if client is None:
            return None
        try:
            info = client.info("memory")
            return Memory(int(info["used_memory"]), int(info.get("maxmemory", 0)))
        except ResponseError:  # the user lacks the permission
            return None


def oldest_ages_s(app: Celery, queues: Iterable[str], now: float) -> dict[str, float]:
    """Return for how many seconds the oldest batch of each queue has been waiting.

    Args:
        app: the application with the broker.
        queues: names of queues.
        now: the time, in seconds since 1970.

    Returns:
        Seconds by queue; 0 for an empty one. Queues of which that is not known are left out.

    Raises:
        BrokerCallError: the broker does not serve.
    """
    ages: dict[str, float] = {}
    with calling_broker(), app.pool.acquire(block=True) as connection:
        client = redis_client(connection)
        if client is None:
            return ages
        for queue in queues:
            try:
                headers = oldest_headers(client, queue)
            except ResponseError:  # the user lacks the permission
                continue
            sent: Any = now if headers is None else headers.get(SENT_HEADER)
            if isinstance(sent, int | float):
                ages[queue] = max(0.0, now - sent)
    return ages
