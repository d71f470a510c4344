"""Reaching a broker and its workers, with errors that say what to start."""

from celery import Celery
from kombu.utils.url import maybe_sanitize_url

from ck3parse.config import Settings
from ck3parse.errors import BrokerError
from ck3parse.tasks import make_app

_REPLIES_WINDOW_S = 0.3
"""Workers answer within milliseconds; this is how long to listen for more after the first."""
_REPLIES_ROUNDS = 8


def connect(of: Settings) -> tuple[Celery, int]:
    """Connect to a broker that others run.

    Args:
        of: settings with its URL.

    Returns:
        The application to send with, and how many worker processes listen there.

    Raises:
        BrokerError: the URL cannot be used, nothing answers there, or no worker does.
    """
    app = make_app(of)
    _check_broker(app, of)
    return app, _count_workers(app, of)


def _check_broker(app: Celery, of: Settings) -> None:
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        if client := getattr(app.backend, "client", None):
            client.ping()
    except Exception as error:
        # Each transport has its own errors, and an URL can be wrong in as many ways.
        raise BrokerError(
            f"the broker {_masked(of.broker_url)} cannot be reached ({_one_line(error)}): check"
            " the URL, start one with `ck3parse serve`, or leave --broker out to use an embedded"
            " one"
        ) from error


def _count_workers(app: Celery, of: Settings) -> int:
    for _ in range(_REPLIES_ROUNDS):
        replies = app.control.inspect(timeout=_REPLIES_WINDOW_S).stats()
        if replies:
            return sum(int(stats["pool"].get("max-concurrency", 1)) for stats in replies.values())
    raise BrokerError(
        f"the broker {_masked(of.broker_url)} has no worker: start one with"
        f" `CK3PARSE_BROKER_URL={_masked(of.broker_url)} celery -A ck3parse worker`, or leave"
        " --broker out to use an embedded one"
    )


def _masked(url: str) -> str:
    return str(maybe_sanitize_url(url))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
