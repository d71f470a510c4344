"""Step D: the way of a request, function by function, with its queues and addresses."""

import inspect
from collections.abc import Callable, Collection
from typing import Any

from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings
from ck3parse.config.broker_url import masked
from ck3parse.diagnosis.report import Finding, Route, Stop
from ck3parse.files import reading
from ck3parse.messaging.app import TASK_NAME
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.mailbox import Mailbox
from ck3parse.pipeline.plan import make_plan
from ck3parse.pipeline.run import Run
from ck3parse.pipeline.window import Window
from ck3parse.store import Store
from ck3parse.tasks import parse_batch
from ck3parse.worker.handler import answerer

_QUEUES = (QUEUE_INTERACTIVE, QUEUE_BULK)


def route_of(settings: Settings) -> Route:
    """Return the way of a request with these settings' broker, as far as it is known without it."""
    broker, backend = masked(settings.broker_url), masked(settings.celery()["result_backend"])
    parser = parser_in_use()
    transport = "its path" if settings.transport == "path" else "its bytes"
    return Route(
        broker,
        backend,
        [
            Stop("client", "what is to be parsed", _place(make_plan)),
            Stop("client", f"{transport}, in batches", _place(Run.outcomes)),
            Stop("client", f"publishes {TASK_NAME}", _place(Window.submit)),
            Stop("broker", f"{QUEUE_BULK}; single calls: {QUEUE_INTERACTIVE}", broker),
            Stop("worker", "one task a batch", _place(parse_batch.run)),
            Stop("worker", "one file of it", _place(answerer)),
            Stop("worker", "reads it", _place(reading.read_script)),
            Stop("worker", f"parses it: {parser.name}", _place(parser.parse_bytes)),
            Stop("backend", "the batch's results", backend),
            Stop("client", "takes them", _place(Window.poll)),
            Stop("client", "stores them", _place(Store.record)),
        ],
    )


def _place(function: Callable[..., Any]) -> str:
    """Return a function's full name, and the file and line of it."""
    found = inspect.unwrap(function)
    name = f"{found.__module__}.{found.__qualname__}"
    code = getattr(found, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


def queue_findings(mailbox: Mailbox, route: Route, workers: Collection[str]) -> list[Finding]:
    """Note what waits in the queues, and return which of them nobody listens to.

    Args:
        mailbox: to ask with.
        route: what gets the lengths of the queues.
        workers: names of the workers there; with their replies the wait ends at once.
    """
    route.waiting = mailbox.queue_lengths(_QUEUES)
    replies = mailbox.replies_to("active_queues", known=workers)
    heard = {queue["name"] for reply in replies.values() for queue in reply.body}
    return [
        Finding(
            "D", "error", f"No worker listens to the queue {queue}: {route.waiting[queue]:,} wait.",
            f"Start a worker without -Q, or with -Q {','.join(_QUEUES)}.",
        )
        for queue in _QUEUES
        if replies and queue not in heard
    ]  # fmt: skip
