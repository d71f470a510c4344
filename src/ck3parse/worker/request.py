"""What is ours in a worker's main process: quick notice of a dead child, and true reasons.

The pool hears of a crash through an event, of a hang through a timer. Both can mislead. The event
comes when a dying process closes its files, which is before the kernel lets anyone see that it is
dead: looked at too early, it is looked at again only with the pool's next round, five seconds
later. And whatever holds the main process up can let a crashed task's timer run out first, which
Celery then calls a time limit exceeded. So the round is made shorter, and the process itself is
asked: one that hangs is still there.
"""

import os
from typing import Any

import msgspec
from billiard.common import human_status
from billiard.einfo import ExceptionInfo
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import bootsteps
from celery.concurrency import prefork
from celery.exceptions import InvalidTaskError
from celery.utils.log import get_logger
from celery.worker.control import inspect_command
from celery.worker.request import Request

from ck3parse.config import LONGEST_TIMEOUT_MS
from ck3parse.worker import dropped_tasks, statistics
from ck3parse.worker.identity import identity
from ck3parse.worker.prefork import ProcessPool

log = get_logger(__name__)

CHILDREN_WATCH_INTERVAL_S = 0.1


@inspect_command()
def ck3parse_version(state: Any) -> dict[str, Any]:
    """Version, code, parser and limits of the worker, as `ck3parse.worker.identity` has them."""
    del state
    told: dict[str, Any] = msgspec.to_builtins(identity())
    return told


class ChildrenWatch(bootsteps.StartStopStep):
    """Has the worker use this package's pool, and the pool look for dead processes often.

    Raises:
        SystemExit: the worker was asked for a pool without processes of its own, in which a file
            that hangs could not be killed.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        if not issubclass(parent.pool_cls, prefork.TaskPool):
            raise SystemExit(
                f"a ck3parse worker cannot use the pool {parent.pool_cls.__module__}, which cannot"
                " kill a file that hangs: start it with --pool=prefork, which is the default"
            )
        parent.pool_cls = ProcessPool
        super().__init__(parent, **options)

    def include_if(self, parent: Any) -> bool:
        """Say whether the pool is one with processes in an event loop: prefork."""
        return bool(parent.use_eventloop)

    def start(self, parent: Any) -> None:
        """Begin to look."""
        parent.hub.call_repeatedly(CHILDREN_WATCH_INTERVAL_S, parent.pool.maintain_pool)


class ParseTaskRequest(Request):
    """A task in the worker's hands, whose failure names the true reason.

    Raises:
        InvalidTaskError: the message asks for a time limit that is none.
    """

    time_limits: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.time_limits = _time_limits(self.time_limits)

    @property
    def store_errors(self) -> bool:
        """Whether the result backend gets to know that it failed, or was revoked."""
        return bool(super().store_errors) and not dropped_tasks.is_unwanted(self.id)

    def acknowledge(self) -> None:
        """Tell the broker that it is done; its answer is on the result backend by now."""
        super().acknowledge()
        if dropped_tasks.is_unwanted(self.id):
            dropped_tasks.forget(self.task.backend, self.id)

    def on_failure(
        self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False
    ) -> Any:
        """Record that the task failed; called once, whether it crashed or its time ran out."""
        statistics.failed += 1
        reason = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(reason, TimeLimitExceeded):
            if status := self._exit_status():
                exc_info = _worker_lost(status)
                reason = exc_info.exception.exc
            else:
                log.error("%s took longer than its limit of %s s", self, self.time_limits[0])
        # In its wrapper, Flower and other listeners to events would not see it.
        exc_info.exception = reason
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Do nothing: `on_failure` has recorded it, and to do so twice would count it twice."""

    def _exit_status(self) -> str | None:
        """Return how the task's process ended, or `None` if it has not."""
        job = self._apply_result and self._apply_result()
        if job is None or not (pids := job.worker_pids()):
            return None
        try:
            # WNOWAIT leaves it to the pool to reap the process.
            ended = os.waitid(os.P_PID, pids[0], os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return "unknown"
        if ended is None:
            return None
        killed = ended.si_code != os.CLD_EXITED
        return str(human_status(-ended.si_status if killed else ended.si_status))


def _worker_lost(status: str) -> ExceptionInfo:
    try:
        raise WorkerLostError(f"Worker exited prematurely: {status}.")
    except WorkerLostError:
        return ExceptionInfo()


def _time_limits(given: object) -> tuple[float | None, None]:
    """Return a message's hard and soft time limit as the pool takes them: it knows no soft one.

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
