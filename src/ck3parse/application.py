"""What clients and workers of Celery have in common: an application, and the task's name.

Clients import this and not the task, which would have them wait for what only workers use.
"""

from celery import Celery

from ck3parse import compression, packing, spool
from ck3parse.config import Settings

TASK_NAME = "ck3parse.parse_batch"


def make_app(of: Settings) -> Celery:
    """Return a Celery application that talks to the broker and result backend of these settings."""
    compression.register(of.max_file_bytes)
    packing.register()
    if of.spool_dir:
        spool.register(of.spool_dir)
    made = Celery("ck3parse", set_as_current=False)
    made.conf.update(of.celery())
    return made
