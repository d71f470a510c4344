"""What clients and workers of Celery have in common: an application, and the task's name.

Clients import this and not the task, which would have them wait for what only workers use.
"""

import logging
from typing import Any

from celery import Celery, states
from celery.app.utils import Settings as Configuration

from ck3parse.config import Settings
from ck3parse.messaging import compression, result_files, serializer
from ck3parse.messaging.acceptance import NotAcceptedError

TASK_NAME = "ck3parse.parse_batch"
DROP_COMMAND = "ck3parse_drop"
"""Tells workers of tasks whose answers nobody wants; `task_ids` are its arguments."""
TRANSIENT_HEADER = "ck3parse_transient"
"""Set in a task's message whose result nobody waits for but the client that sends it."""

log = logging.getLogger(__name__)


class _OwnConfiguration(Configuration):
    """Celery's settings as they were given.

    Celery itself prefers `CELERY_BROKER_URL` and its like in the environment, which are for the
    application of the program that we are part of.
    """

    @property
    def broker_url(self) -> str:
        return str(self["broker_url"])

    broker_read_url = broker_write_url = broker_url

    @property
    def result_backend(self) -> str:
        return str(self["result_backend"])


class Application(Celery):
    """A Celery application that takes anything for a result, without an error of its own.

    Celery trusts what it finds on the result backend: what has not the shape that it expects there
    ends whoever listens. It has the settings that it was given; see `_OwnConfiguration`.
    """

    def _load_config(self) -> Configuration:
        made: Configuration = super()._load_config()
        object.__setattr__(made, "__class__", _OwnConfiguration)
        return made

    def _get_backend(self) -> Any:
        backend = super()._get_backend()
        decode, to_python = backend.decode, backend.meta_from_decoded

        def decoded(payload: Any) -> Any:
            try:
                return decode(payload)
            except Exception as error:  # noqa: BLE001 - each codec has its own
                log.warning("a result cannot be read (%s)", error)
                return None

        def meta_of(found: Any) -> dict[str, Any]:
            meta = _shaped(found)
            try:
                meta = to_python(meta)
            except Exception as error:  # noqa: BLE001 - it may name any class
                meta["result"] = NotAcceptedError(f"a failure that none can be: {error}")
            return meta

        backend.decode, backend.meta_from_decoded = decoded, meta_of
        consumer = getattr(backend, "result_consumer", None)
        if consumer is not None:
            changed = consumer.on_state_change
            consumer.on_state_change = lambda meta, message: changed(_shaped(meta), message)
        return backend


def _shaped(meta: Any) -> dict[str, Any]:
    """Return what says how a task is, as Celery wants it; of anything else, that nothing is."""
    found = meta if isinstance(meta, dict) else {}
    status, task_id = found.get("status"), found.get("task_id", "")
    if not (isinstance(status, str) and isinstance(task_id, str) and status in states.ALL_STATES):
        return {"status": states.PENDING, "result": None, "task_id": ""}
    # Tasks of ours have no children.
    return {"result": None, **found, "task_id": task_id, "children": []}


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
