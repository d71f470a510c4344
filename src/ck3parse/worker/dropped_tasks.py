"""Tasks that no client waits for: they are not run if they wait, and their results are deleted.

A client drops what it sent twice once one of the two was answered, and what is in flight when it
ends. Celery's `revoke` does the first half only, and stores a result for each task that says so,
for as long as results are kept.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from celery import Celery
from celery.worker.control import control_command

from ck3parse.celery_compat.request import skip_tasks
from ck3parse.messaging.app import DROP_COMMAND

log = logging.getLogger(__name__)

_MAX_IDS = 50_000
_ids: OrderedDict[str, None] = OrderedDict()
"""The latest ones, the oldest first."""


@control_command(name=DROP_COMMAND)  # type: ignore[untyped-decorator]
def drop(state: Any, task_ids: Sequence[str]) -> None:
    """Drop tasks that wait, and delete their results, now or when they come."""
    skip_tasks(task_ids)
    for task_id in task_ids:
        _ids[task_id] = None
        _ids.move_to_end(task_id)
        forget(state.app, task_id)
    while len(_ids) > _MAX_IDS:
        _ids.popitem(last=False)


def is_unwanted(task_id: str) -> bool:
    """Return whether a task was dropped."""
    return task_id in _ids


def forget(app: Celery, task_id: str) -> None:
    """Delete a task's result, if the result backend can be reached."""
    try:
        app.AsyncResult(task_id).forget()
    except Exception as error:  # noqa: BLE001 - each backend has its own, and it expires by itself
        log.warning("the result of a dropped task stays until it expires: %s", error)
