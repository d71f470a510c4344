"""A task in the hands of the worker's main process, and what is recorded when it fails."""

import logging
import time
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.exceptions import InvalidTaskError

from ck3parse.celery_compat.request import TaskRequest, unwrap, worker_lost
from ck3parse.config import LONGEST_TIMEOUT_MS
from ck3parse.messaging.app import AGAIN_HEADER
from ck3parse.worker import dropped_tasks, statistics

log = logging.getLogger(__name__)

_REASONS = {TimeLimitExceeded: "timeout", WorkerLostError: "crash"}


class ParseTaskRequest(TaskRequest):
    """A task that the worker has received.

    Raises:
        InvalidTaskError: the message's time limit is not valid.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        statistics.tasks_taken += 1
        statistics.batches_sent_again += self.request_dict.get(AGAIN_HEADER) is True
        self.time_limits = _time_limits(self.time_limits)

    @property
    def store_errors(self) -> bool:
        """Whether the result backend stores that the task failed or was revoked."""
        return bool(super().store_errors) and not dropped_tasks.is_unwanted(self.id)

    def acknowledge(self) -> None:
        """Acknowledge the message; the task's result is stored by now, or on its way."""
        super().acknowledge()
        if self.time_start:
            statistics.note_task(time.time() - self.time_start)
        if dropped_tasks.is_unwanted(self.id):
            dropped_tasks.forget(self.task.app, self.id)

    def on_failure(
        self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False
    ) -> Any:
        """Record that the task crashed, ran out of time or raised an exception.

        A crash is no timeout, although the timer of a crashed task may run out before the crash is
        noticed.
        """
        reason = unwrap(exc_info)
        if isinstance(reason, TimeLimitExceeded):
            if status := self.exit_status():
                exc_info = worker_lost(status)
                reason = unwrap(exc_info)
            else:
                log.error("%s took longer than its limit of %s s", self, self.time_limits[0])
        statistics.batches_failed[_REASONS.get(type(reason), "error")] += 1
        return super().on_failure(exc_info, send_failed_event, return_ok)


def _time_limits(given: object) -> tuple[float | None, None]:
    """Return a message's hard time limit, and no soft one, which the pool does not have.

    Raises:
        InvalidTaskError: they are not what Celery sends.
    """
    match given:
        case [None, _]:
            return None, None
        case [int() | float() as hard, _] if 0 <= hard * 1000 <= LONGEST_TIMEOUT_MS:
            return hard, None
    raise InvalidTaskError(
        f"timelimit is {given!r:.80}, and has to be seconds, a day at most, or none"
    )
