"""Reaching a broker and its workers, with errors that say what to start."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from celery import Celery

from ck3parse.application import make_app
from ck3parse.cluster import REFUSAL, is_cluster
from ck3parse.config import Settings
from ck3parse.errors import BrokerError, UsageError
from ck3parse.urls import masked, without_passwords

_REPLIES_WINDOW_S = 0.3
"""Workers answer within milliseconds; this is how long to listen for more after the first."""
_REPLIES_ROUNDS = 8
_RETRY_INTERVAL_S = 0.5


class Connected(NamedTuple):
    """A broker with workers.

    Attributes:
        app: the application to send with.
        workers: how many worker processes listen there.
        nodes: how many workers they belong to.
    """

    app: Celery
    workers: int
    nodes: int


def connect(
    of: Settings,
    *,
    first_is_enough: bool = False,
    wait: bool = False,
    check: Callable[[], None] = lambda: None,
    say: Callable[[str | None], None] = lambda _: None,
) -> Connected:
    """Connect to a broker that others run.

    Args:
        of: settings with its URL.
        first_is_enough: go on with the worker that answers first, as if there were no more: they
            may be, and take tasks too, but to count them takes a third of a second.
        wait: wait until there are broker and worker, for as long as it takes.
        check: called while waiting; raises to end it.
        say: told what is being waited for, in a few words, and `None` when it is over.

    Raises:
        BrokerError: nothing answers there, or no worker does.
        UsageError: as `reach`.
    """
    while True:
        check()
        try:
            connected = _connect(of, 1 if first_is_enough else None)
        except BrokerError:
            if not wait:
                raise
            say("there is no broker or no worker yet; waiting")
            time.sleep(_RETRY_INTERVAL_S)
        else:
            say(None)
            return connected


def _connect(of: Settings, limit: int | None) -> Connected:
    app = reach(of)
    try:
        stats = worker_stats(app, limit)
    except Exception as error:
        app.close()
        raise BrokerError(
            f"the broker {masked(of.broker_url)} cannot be used ({_one_line(error, of)}): if it is"
            " full, make room or raise its limit, and run again"
        ) from error
    if not stats:
        app.close()
        raise no_worker(of.broker_url)
    return Connected(app, sum(map(process_count, stats.values())), len(stats))


def reach(of: Settings) -> Celery:
    """Return an application whose broker and result backend have answered.

    Args:
        of: settings with the broker's URL.

    Raises:
        BrokerError: nothing answers there.
        UsageError: the URL cannot be used, or a Redis Cluster answers there.
    """
    app = make_app(of)
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            clustered = False
            if of.result_backend:  # else it is the same server
                clustered = is_cluster(getattr(connection.default_channel, "client", None))
        if client := getattr(app.backend, "client", None):
            client.ping()
            clustered = clustered or is_cluster(client)
    except Exception as error:
        # Each transport has its own errors, and an URL can be wrong in as many ways.
        raise BrokerError(
            f"the broker {masked(of.broker_url)} cannot be reached ({_one_line(error, of)}): check"
            " the URL, start one with `ck3parse serve`, or leave --broker out to use an embedded"
            " one"
        ) from error
    if clustered:
        app.close()
        raise UsageError(REFUSAL)
    return app


def process_count(stats: dict[str, Any]) -> int:
    """Return how many processes a worker has, by its statistics."""
    return int(stats.get("pool", {}).get("max-concurrency", 1))


def worker_stats(app: Celery, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """Return each worker's statistics by its name, as `celery inspect stats` has them.

    Empty if none answers within three seconds.

    Args:
        app: the application to ask with.
        limit: how many workers to hear, at once; default: all that answer, and that there are no
            more takes `_REPLIES_WINDOW_S` to know.
    """
    for _ in range(_REPLIES_ROUNDS):
        replies: dict[str, dict[str, Any]] | None = app.control.inspect(
            timeout=_REPLIES_WINDOW_S, limit=limit
        ).stats()
        if replies:
            return replies
    return {}


def no_worker(url: str) -> BrokerError:
    """Return the error that a broker without workers is."""
    return BrokerError(
        f"the broker {masked(url)} has no worker: start one with"
        f" `CK3PARSE_BROKER_URL={masked(url)} celery -A ck3parse worker`, or leave"
        " --broker out to use an embedded one"
    )


def _one_line(error: Exception, of: Settings) -> str:
    text = without_passwords(str(error), of.broker_url, of.result_backend)
    return " ".join(text.split()) or type(error).__name__
