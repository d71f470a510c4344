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
from celery.worker.control import inspect_command
from celery.worker.request import Request

from ck3parse import counts
from ck3parse.identity import identity

CHILDREN_WATCH_INTERVAL_S = 0.1


@inspect_command()
def ck3parse_version(state: Any) -> dict[str, Any]:
    """Version, code, parser and limits of the worker, as `ck3parse.identity` has them."""
    del state
    told: dict[str, Any] = msgspec.to_builtins(identity())
    return told


class ChildrenWatch(bootsteps.StartStopStep):
    """Has the pool look for dead processes often."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: Any) -> bool:
        """Say whether the pool is one with processes in an event loop: prefork."""
        return bool(parent.use_eventloop)

    def start(self, parent: Any) -> None:
        """Begin to look."""
        parent.hub.call_repeatedly(CHILDREN_WATCH_INTERVAL_S, parent.pool.maintain_pool)


class ParseTaskRequest(Request):
    """A task in the worker's hands, whose failure names the true reason."""

    _died = False

    def on_failure(
        self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False
    ) -> Any:
        """Record that the task failed; called first, whether it crashed or its time ran out."""
        counts.failed += 1
        reason = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(reason, TimeLimitExceeded) and (status := self._exit_status()):
            self._died = True
            exc_info = _worker_lost(status)
            reason = exc_info.exception.exc
        # In its wrapper, Flower and other listeners to events would not see it.
        exc_info.exception = reason
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Record that the task's time ran out, unless its process had died by then."""
        if not self._died:
            super().on_timeout(soft, timeout)

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
