"""Step D: the route of a request: functions, queues and addresses."""

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
from ck3parse.plurals import counted
from ck3parse.store import Store
from ck3parse.tasks import parse_batch
from ck3parse.worker.handler import request_handler

_QUEUES = (QUEUE_INTERACTIVE, QUEUE_BULK)


def route_of(settings: Settings) -> Route:
    """Return the route of a request with some settings, as far as known without the broker."""
    broker, backend = masked(settings.broker_url), masked(settings.celery()["result_backend"])
    parser = parser_in_use()
    transport = "its path" if settings.transport == "path" else "its bytes"
    return Route(
        broker,
        backend,
        [
            Stop("client", "selects files to parse", _place(make_plan)),
            Stop("client", f"{transport}, in batches", _place(Run.outcomes)),
            Stop("client", f"publishes {TASK_NAME}", _place(Window.submit)),
            Stop("broker", f"{QUEUE_BULK}; single calls: {QUEUE_INTERACTIVE}", broker),
            Stop("worker", "one task a batch", _place(parse_batch.run)),
            Stop("worker", "one file of it", _place(request_handler)),
            Stop("worker", "reads it", _place(reading.read_script)),
            Stop("worker", f"parses it: {parser.name}", _place(parser.parse_bytes)),
            Stop("backend", "the batch's results", backend),
            Stop("client", "receives them", _place(Window.poll)),
            Stop("client", "stores them", _place(Store.record)),
        ],
    )


def _place(function: Callable[..., Any]) -> str:
    """Return a function's full name, with its file and line."""
    found = inspect.unwrap(function)
    name = f"{found.__module__}.{found.__qualname__}"
    code = getattr(found, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


def queue_findings(mailbox: Mailbox, route: Route, workers: Collection[str]) -> list[Finding]:
    """Read the lengths of the queues, and return findings on queues without a worker.

    Args:
        mailbox: used to ask.
        route: its `waiting` is set.
        workers: names of the workers. The wait ends as soon as all of them have replied.
    """
    route.waiting = mailbox.queue_lengths(_QUEUES)
    replies = mailbox.replies_to("active_queues", known=workers)
    consumed = {queue["name"] for reply in replies.values() for queue in reply.body}
    return [
        Finding(
            "D", "error",
            f"No worker listens to the queue {queue}, where"
            f" {counted(route.waiting[queue], 'batch waits', 'batches wait')}.",
            f"Start a worker without -Q or with -Q {','.join(_QUEUES)}.",
        )
        for queue in _QUEUES
        if replies and queue not in consumed
    ]  # fmt: skip
