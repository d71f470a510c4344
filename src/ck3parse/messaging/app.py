"""What clients and workers of Celery have in common: an application, and the task's name.

Clients import this and not the task, which would have them wait for what only workers use.
"""

from celery import Celery

from ck3parse.celery_compat.app import LastingApplication
from ck3parse.config import Settings
from ck3parse.messaging import compression, result_files, serializer
from ck3parse.messaging.acceptance import NotAcceptedError

TASK_NAME = "ck3parse.parse_batch"
DROP_COMMAND = "ck3parse_drop"
"""Tells workers of tasks whose answers nobody wants; `task_ids` are its arguments."""
TRANSIENT_HEADER = "ck3parse_transient"
"""Set in a task's message whose result nobody waits for but the client that sends it."""


class Application(LastingApplication):
    """A Celery application with the settings that it was given; any result is safe to read."""

    unreadable = NotAcceptedError


def make_app(of: Settings) -> Celery:
    """Return a Celery application that talks to the broker and result backend of these settings.

    Nothing in the environment but these settings steers it: no `CELERY_*`, and no Django.
    """
    compression.register(of.max_file_bytes)
    serializer.register()
    if of.spool_dir:
        result_files.register(of.spool_dir)
    made = Application(
        "ck3parse", set_as_current=False, loader="celery.loaders.app:AppLoader", fixups=[]
    )
    made.conf.update(of.celery())
    return made
