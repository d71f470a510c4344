"""Tasks whose answers nobody wants any more: not run if they wait, and not kept if they ran.

A client says so of what it sent twice, once one of the two was answered, and of what is under way
when it ends. Celery's `revoke` is for the first half only, and leaves a result that says so for
each task, for as long as results are kept.
"""

import logging
from collections.abc import Sequence
from typing import Any

from celery.utils.collections import LimitedSet
from celery.worker.control import control_command
from celery.worker.state import revoked

from ck3parse.messaging.app import DROP_COMMAND

log = logging.getLogger(__name__)
_ids = LimitedSet(maxlen=50_000, expires=3600)


@control_command(name=DROP_COMMAND)  # type: ignore[untyped-decorator]
def drop(state: Any, task_ids: Sequence[str]) -> None:
    """Drop tasks that wait, and the answers of all of them, now or as they come."""
    _ids.update(task_ids)
    revoked.update(task_ids)
    for task_id in task_ids:
        forget(state.app.backend, task_id)


def is_unwanted(task_id: str) -> bool:
    """Return whether nobody wants the answer of a task."""
    return task_id in _ids


def forget(backend: Any, task_id: str) -> None:
    """Remove a task's answer from the result backend, if it can be reached."""
    try:
        backend.forget(task_id)
    except Exception as error:  # noqa: BLE001 - each backend has its own, and it expires by itself
        log.warning("an answer that nobody wants stays for a while: %s", error)
