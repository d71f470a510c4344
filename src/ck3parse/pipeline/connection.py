"""Connecting to a broker and its workers, with errors that say what to start."""

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from celery import Celery

from ck3parse.celery_compat import broker, results
from ck3parse.celery_compat.unwaited import TaskSender
from ck3parse.config import QUEUE_BULK, Settings
from ck3parse.config.broker_url import masked, tls_files, without_passwords
from ck3parse.errors import BrokerError, UsageError
from ck3parse.messaging.app import make_app
from ck3parse.messaging.cluster_refusal import REFUSAL, is_cluster
from ck3parse.pipeline.broker_calls import GONE, BrokerCallError, calling_broker, one_line
from ck3parse.pipeline.broker_memory import LEAST, bytes_in_flight
from ck3parse.pipeline.census import Census
from ck3parse.pipeline.mailbox import PATIENCE_S, Mailbox
from ck3parse.pipeline.task_lookup import Roster

_WANTS_CERTIFICATE = (
    "CERTIFICATE_REQUIRED",
    "EOF occurred in violation of protocol",
    # The server has closed the connection before its reason was read.
    "Connection reset by peer",
    "Broken pipe",
)
"""What OpenSSL says of a server that ends the connection because of that. It says so with the next
read, or has no time to and notices that the connection has ended."""
_RETRY_INTERVAL_S = 0.5
_EARLY_S = 1.0
"""Seconds after which work is published although no worker has answered."""
COMING = 16
"""Processes to publish work for while there are none, so that an autoscaler starts some."""


class Connected(NamedTuple):
    """A broker that has workers.

    Attributes:
        app: the Celery application to send with.
        workers: how many worker processes there are.
        roster: the workers that they belong to, as far as they are known.
        mailbox: what they were asked with.
        sender: what tasks can be sent with.
        census: counts them again; `None` if their number cannot change.
        max_bytes: how many bytes of script may be in flight.
    """

    app: Celery
    workers: int
    roster: Roster
    mailbox: Mailbox | None = None
    sender: TaskSender | None = None
    census: Census | None = None
    max_bytes: int = LEAST


def connect(
    settings: Settings,
    *,
    first_is_enough: bool = False,
    wait: bool = False,
    check: Callable[[], None] = lambda: None,
    say: Callable[[str | None], None] = lambda _: None,
) -> Connected:
    """Connect to a broker that others run.

    Args:
        settings: with the broker's URL.
        first_is_enough: count only the worker that answers first. Others may take tasks too, but to
            count them takes a third of a second.
        wait: whether to wait for a broker, for as long as it takes, and to return although there
            is no worker yet.
        check: called while waiting; raises to stop.
        say: called with what is being waited for, in a few words, and with `None` afterwards.

    Raises:
        BrokerError: no broker or no worker answers.
        UsageError: as for `reach`.
    """
    while True:
        check()
        try:
            connected = _connect(settings, check, first_is_enough=first_is_enough, wait=wait)
        except BrokerError as error:
            if not wait:
                raise
            if isinstance(error, BrokerCallError) and error.trouble is not GONE:
                say(f"{error.trouble.who} is {error.trouble.state}; waiting")
            else:
                say("there is no broker yet; waiting")
            time.sleep(_RETRY_INTERVAL_S)
        else:
            say(None)
            return connected


def _connect(
    settings: Settings, check: Callable[[], None], *, first_is_enough: bool, wait: bool
) -> Connected:
    app = reach(settings)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as beside:
        stack.callback(app.close)
        try:
            # Both take as many round trips.
            opening = beside.submit(TaskSender, app, QUEUE_BULK)
            stack.callback(_close, opening)
            mailbox = Mailbox(app)
            stack.push(mailbox)
            max_bytes = bytes_in_flight(app, settings)
            replies = mailbox.replies_to(
                "stats",
                patience_s=_EARLY_S if wait else PATIENCE_S,
                first_is_enough=first_is_enough,
                check=check,
            )
            with calling_broker():
                sender = opening.result()
        except BrokerCallError as error:
            raise _not_served(settings, error) from error
        if not replies and not wait:
            raise no_worker(settings.broker_url)
        stack.pop_all()
    census = Census(replies)
    reply_s = max((reply.seconds for reply in replies.values()), default=0.0)
    roster = Roster(replies, reply_s=reply_s)
    return Connected(app, census.processes or COMING, roster, mailbox, sender, census, max_bytes)


def _close(opening: Future[TaskSender]) -> None:
    with contextlib.suppress(Exception):  # the broker may be what is wrong
        opening.result().close()


def reach(settings: Settings) -> Celery:
    """Return a Celery application whose broker and result backend answer.

    Args:
        settings: with the broker's URL.

    Raises:
        BrokerError: the broker or the result backend does not answer.
        UsageError: the URL cannot be used, or it is that of a Redis Cluster.
    """
    app = make_app(settings)
    try:
        with calling_broker(), ThreadPoolExecutor(1) as beside:
            backend = beside.submit(_is_cluster, results.redis_client(app))
            # It stays open in its pool, for the first one who needs it.
            with app.pool.acquire(block=True) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
                clustered = False
                if settings.result_backend:  # otherwise it is the same server, checked below
                    clustered = is_cluster(broker.redis_client(connection))
            clustered = backend.result() or clustered
    except BrokerCallError as error:
        app.close()
        raise _not_served(settings, error) from error
    except Exception as error:
        # For a wrong URL, each transport raises errors of its own.
        app.close()
        raise BrokerError(_unreachable(settings, one_line(error))) from error
    if clustered:
        app.close()
        raise UsageError(REFUSAL)
    return app


def _is_cluster(client: Any) -> bool:
    """Return whether a result backend that answers is a Redis Cluster."""
    if client is None:
        return False
    client.ping()
    return is_cluster(client)


def _not_served(settings: Settings, error: BrokerCallError) -> BrokerCallError:
    """Return the error with a message that names the broker."""
    who, state, remedy = error.trouble
    reason = without_passwords(error.reason, settings.broker_url, settings.result_backend)
    if error.trouble is GONE:
        message = _unreachable(settings, reason)
    elif who == GONE.who:
        message = f"the broker {masked(settings.broker_url)} is {state} ({reason}): {remedy}"
    else:
        message = (
            f"the broker {masked(settings.broker_url)} cannot be reached, as {who} is {state}"
            f" ({reason}): {remedy}"
        )
    return BrokerCallError(error.trouble, reason, message)


def _unreachable(settings: Settings, reason: str) -> str:
    reason = without_passwords(reason, settings.broker_url, settings.result_backend)
    remedy = "check the URL, or start one with `ck3parse serve`"
    for url in (settings.broker_url, settings.result_backend):
        files = tls_files(url)
        if files is None:
            continue
        if missing := [name for name, path in files.items() if not os.path.exists(path)]:
            remedy = f"there is no file at the path that {' and '.join(missing)} in its URL names"
        elif "ssl_certfile" not in files and any(each in reason for each in _WANTS_CERTIFICATE):
            remedy = (
                "it ends the connection when a client shows no certificate: name yours with"
                " ssl_certfile and ssl_keyfile in its URL"
            )
    return f"the broker {masked(settings.broker_url)} cannot be reached ({reason}): {remedy}"


def worker_stats(app: Celery) -> dict[str, dict[str, Any]]:
    """Return the statistics of `celery inspect stats` by worker name; empty if none answers.

    Args:
        app: the Celery application to ask with.

    Raises:
        BrokerCallError: the broker does not serve.
    """
    with Mailbox(app) as mailbox:
        return {worker: reply.body for worker, reply in mailbox.replies_to("stats").items()}


def no_worker(url: str) -> BrokerError:
    """Return the error to raise for a broker that has no workers."""
    return BrokerError(
        f"the broker {masked(url)} has no worker: start one with"
        f" `CK3PARSE_BROKER_URL={masked(url)} celery -A ck3parse worker`, or leave"
        " --broker out to use an embedded one"
    )
