"""Reaching a broker and its workers, with errors that say what to start."""

import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from celery import Celery

from ck3parse.celery_compat import broker, results
from ck3parse.config import Settings
from ck3parse.config.broker_url import masked, without_passwords
from ck3parse.errors import BrokerError, UsageError
from ck3parse.messaging.app import make_app
from ck3parse.messaging.redis_cluster import REFUSAL, is_cluster
from ck3parse.pipeline.broker_calls import GONE, BrokerCallError, calling_broker, one_line
from ck3parse.pipeline.mailbox import Mailbox
from ck3parse.pipeline.task_lookup import Roster

_RETRY_INTERVAL_S = 0.5


class Connected(NamedTuple):
    """A broker with workers.

    Attributes:
        app: the application to send with.
        workers: how many worker processes listen there.
        roster: the workers that they belong to, as far as they are known.
    """

    app: Celery
    workers: int
    roster: Roster


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
            connected = _connect(of, check, first_is_enough=first_is_enough)
        except BrokerError as error:
            if not wait:
                raise
            if isinstance(error, BrokerCallError) and error.trouble is not GONE:
                say(f"{error.trouble.who} is {error.trouble.state}; waiting")
            else:
                say("there is no broker or no worker yet; waiting")
            time.sleep(_RETRY_INTERVAL_S)
        else:
            say(None)
            return connected


def _connect(of: Settings, check: Callable[[], None], *, first_is_enough: bool) -> Connected:
    app = reach(of)
    with contextlib.ExitStack() as stack:
        stack.callback(app.close)
        try:
            with Mailbox(app) as mailbox:
                replies = mailbox.replies_to("stats", first_is_enough=first_is_enough, check=check)
        except BrokerCallError as error:
            raise _not_served(of, error) from error
        if not replies:
            raise no_worker(of.broker_url)
        stack.pop_all()
    processes = sum(process_count(reply.body) for reply in replies.values())
    reply_s = max(reply.seconds for reply in replies.values())
    return Connected(app, processes, Roster(replies, reply_s=reply_s))


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
        with calling_broker():
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
                clustered = False
                if of.result_backend:  # else it is the same server
                    clustered = is_cluster(broker.redis_client(connection))
            if client := results.redis_client(app):
                client.ping()
                clustered = clustered or is_cluster(client)
    except BrokerCallError as error:
        app.close()
        raise _not_served(of, error) from error
    except Exception as error:
        # An URL can be wrong in as many ways as there are transports.
        app.close()
        raise BrokerError(_unreachable(of, one_line(error))) from error
    if clustered:
        app.close()
        raise UsageError(REFUSAL)
    return app


def _not_served(of: Settings, error: BrokerCallError) -> BrokerCallError:
    """Return an error that says which broker it is."""
    who, state, remedy = error.trouble
    reason = without_passwords(error.reason, of.broker_url, of.result_backend)
    if error.trouble is GONE:
        message = _unreachable(of, reason)
    elif who == GONE.who:
        message = f"the broker {masked(of.broker_url)} is {state} ({reason}): {remedy}"
    else:
        message = (
            f"the broker {masked(of.broker_url)} cannot be reached, as {who} is {state}"
            f" ({reason}): {remedy}"
        )
    return BrokerCallError(error.trouble, reason, message)


def _unreachable(of: Settings, reason: str) -> str:
    reason = without_passwords(reason, of.broker_url, of.result_backend)
    return (
        f"the broker {masked(of.broker_url)} cannot be reached ({reason}): check the URL, start"
        " one with `ck3parse serve`, or leave --broker out to use an embedded one"
    )


def process_count(stats: dict[str, Any]) -> int:
    """Return how many processes a worker has, by its statistics."""
    return int(stats.get("pool", {}).get("max-concurrency", 1))


def worker_stats(app: Celery) -> dict[str, dict[str, Any]]:
    """Return each worker's statistics by its name, as `celery inspect stats` has them.

    Empty if none answers.

    Args:
        app: the application to ask with.

    Raises:
        BrokerCallError: the broker does not serve.
    """
    with Mailbox(app) as mailbox:
        return {worker: reply.body for worker, reply in mailbox.replies_to("stats").items()}


def no_worker(url: str) -> BrokerError:
    """Return the error that a broker without workers is."""
    return BrokerError(
        f"the broker {masked(url)} has no worker: start one with"
        f" `CK3PARSE_BROKER_URL={masked(url)} celery -A ck3parse worker`, or leave"
        " --broker out to use an embedded one"
    )
