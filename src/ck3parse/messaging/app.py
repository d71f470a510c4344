"""The Celery application, and names that client and worker share.

Clients import this module and not `ck3parse.tasks`, which imports what only workers need.
"""

import time
from typing import Any

from celery import Celery

from ck3parse.celery_compat.app import LastingApplication
from ck3parse.config import Settings
from ck3parse.messaging import compression, result_files, serializer
from ck3parse.messaging.acceptance import NotAcceptedError

TASK_NAME = "ck3parse.parse_batch"
DROP_COMMAND = "ck3parse_drop"
"""Remote-control command: drop the tasks whose ids are in the argument `task_ids`."""
TRANSIENT_HEADER = "ck3parse_transient"
"""Header of a task whose result only the client that sent it needs."""
AGAIN_HEADER = "ck3parse_again"
"""Header of a task whose files the client has sent before."""
SENT_HEADER = "ck3parse_sent"
"""Header with the time at which a task was sent, in seconds since 1970, by the client's clock."""


def headers(*, transient: bool, again: bool) -> dict[str, Any]:
    """Return the headers of a task.

    Args:
        transient: whether only the client that sends it needs its result.
        again: whether its files were sent before.
    """
    flags = {TRANSIENT_HEADER: transient, AGAIN_HEADER: again}
    return {SENT_HEADER: time.time()} | {name: True for name, flag in flags.items() if flag}


class Application(LastingApplication):
    """A Celery application that uses only its own settings, and can read any result safely."""

    unreadable = NotAcceptedError


def make_app(settings: Settings) -> Celery:
    """Return a Celery application for the broker and result backend of these settings.

    It ignores `CELERY_*` variables, and Django's settings.

    Args:
        settings: the broker, the result backend and the limits.

    Raises:
        UsageError: a URL cannot be used.
    """
    compression.register(settings.max_file_bytes)
    serializer.register()
    if settings.spool_dir:
        result_files.register(settings.spool_dir)
    app = Application(
        "ck3parse", set_as_current=False, loader="celery.loaders.app:AppLoader", fixups=[]
    )
    app.conf.update(settings.celery())
    return app
