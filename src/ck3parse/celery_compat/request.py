"""A task in the hands of a worker's main process."""

import os
import signal
from collections.abc import Iterable
from typing import Any

from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from celery.worker.state import revoked


class TaskRequest(Request):
    """Base of a request class, for a task's attribute `Request`, with true reasons for failures.

    Assumes:
        Celery calls `on_failure` once for each task that crashed, ran out of time or raised. After
        a time limit it calls `on_timeout` as well, which records the failure a second time. The
        attribute `time_limits` is what the pool gets. `store_errors` is read before a failure is
        stored. `acknowledge` is called after the result was stored. `time_start` is when a process
        took the task, in seconds since 1970, or `None`.
    Read in:
        celery 5.7.0, billiard 4.3.2.
    Otherwise:
        A failure is recorded twice (Flower counts it twice), or not at all, and then the client
        finds out that its batch is lost.
    Public way:
        A custom `Request` class is public, with `on_failure` and `on_timeout`. What they are called
        for is not documented.
    """

    time_limits: Any
    store_errors: Any
    time_start: float | None

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Do nothing: `on_failure` has recorded it."""

    def exit_status(self) -> str | None:
        """Return how the task's process ended, or `None` if it has not.

        Whatever holds up the main process can let a crashed task's timer run out first. So this
        looks at the process itself: one that hangs is still there.

        Assumes:
            `self._apply_result` is a weak reference to billiard's job, and `job.worker_pids()` has
            the process that took it.
        Read in:
            celery 5.7.0, billiard 4.3.2.
        Otherwise:
            AttributeError in the worker's main process, which logs it and connects anew.
        Public way:
            None: the exception says that the time limit was exceeded.
        """
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
        if ended.si_code == os.CLD_EXITED:
            return f"exitcode {ended.si_status}"
        return f"signal {ended.si_status} ({signal.Signals(ended.si_status).name})"


def unwrap(exc_info: ExceptionInfo) -> BaseException:
    """Return what a task raised, and put it into `exc_info` in place of billiard's wrapper.

    Assumes:
        `exc_info.exception` is the exception, or a wrapper that has it as `exc`. Celery puts
        `exc_info.exception` into the event `task-failed`.
    Read in:
        celery 5.7.0, billiard 4.3.2.
    Otherwise:
        Flower shows the name of the wrapper as the reason, and a crashed task whose timer ran out
        first counts as one that took too long.
    Public way:
        The wrapper's class is not documented.
    """
    reason: BaseException = getattr(exc_info.exception, "exc", exc_info.exception)
    exc_info.exception = reason
    return reason


def worker_lost(status: str) -> ExceptionInfo:
    """Return what the pool would report for a process that died.

    Assumes:
        `ExceptionInfo()` takes the exception that is being handled.
    Read in:
        billiard 4.3.2.
    Otherwise:
        The reason of a crash is missing.
    Public way:
        None: it repeats what billiard does.

    Args:
        status: how the process ended, as `TaskRequest.exit_status` returns it.
    """
    try:
        raise WorkerLostError(f"Worker exited prematurely: {status}.")
    except WorkerLostError:
        return ExceptionInfo()


def skip_tasks(task_ids: Iterable[str]) -> None:
    """Have this worker not run tasks, whether or not it has received them yet.

    Assumes:
        Celery looks into the set `celery.worker.state.revoked` before it runs a task.
    Read in:
        celery 5.7.0.
    Otherwise:
        Dropped tasks are run, for nothing.
    Public way:
        `app.control.revoke` does that, and sends it to all workers once more.
    """
    revoked.update(task_ids)
