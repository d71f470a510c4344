"""How many bytes of script may be in flight: as many as the broker's memory allows."""

from typing import Any

from celery import Celery

from ck3parse.celery_compat.results import redis_client
from ck3parse.config import Settings
from ck3parse.pipeline.broker_calls import BrokerCallError, calling_broker

MIB = 1024 * 1024
LEAST = 64 * MIB
"""Enough for eight processes. A broker holds about half as much, as compressed ASTs."""
MOST = 256 * MIB
"""With files sent as content, a client holds what is in flight."""
_SHARE = 4
"""Other clients, and messages on their way to a slow client, need memory, too."""


def bytes_in_flight(app: Celery, settings: Settings) -> int:
    """Return how many bytes of script a client may have in flight on a broker of others.

    Args:
        app: the application; its result backend is asked if it is a Redis server.
        settings: with `window_mb`.

    Raises:
        BrokerCallError: the server does not serve.
    """
    if settings.window_mb:
        return settings.window_mb * MIB
    client = redis_client(app)
    if client is None:
        return LEAST
    try:
        with calling_broker():
            memory: dict[str, Any] = client.info("memory")
            limit, used = int(memory["maxmemory"]), int(memory["used_memory"])
    except (BrokerCallError, KeyError, ValueError):  # its user may not ask for it
        return LEAST
    return min(max((limit - used) // _SHARE, LEAST), MOST) if limit else MOST
