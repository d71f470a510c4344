"""The pool of worker processes: Celery's prefork, with four things changed.

- A process shares no lock with its worker. Celery's has one around a counter, and a process that is
  killed while it holds that lock leaves its worker waiting for it for ever.
- A time limit kills at once. Celery sends SIGTERM first and waits for a tenth of a second, in which
  the worker does nothing else; and it takes any limit, however short, from any client.
- A process may say that it is to be replaced after its task (`leave_after_task`).
- A process that is replaced is gone within a few milliseconds, and not after a tenth of a second.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from billiard.common import TERM_SIGNAL
from billiard.pool import TimeoutHandler
from celery.concurrency import asynpool, prefork

from ck3parse.config import read_settings
from ck3parse.messages import DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS

_LOOK_INTERVAL_S = 0.0005
_TAKEN_LIMIT_S = 30.0
"""How long a process that leaves waits until its worker has taken its last result."""
_GONE_LIMIT_S = 0.02
"""How long to wait for a process that has closed its files: it ends within microseconds."""
_KILLED_LIMIT_S = 0.1

_leaving = False


def leave_after_task() -> None:
    """Have this process end after the task that it has in hand, and another take its place."""
    global _leaving
    _leaving = True


class _Process(asynpool.Worker):
    """What runs in a worker process."""

    wait_for_job: Callable[[], Any]

    def on_loop_start(self, pid: int) -> None:
        """Tell the worker that tasks can come, once any signal ends this process at once.

        Billiard's handler of SIGTERM, which was set just now, unwinds Python in order to free locks
        that this pool has not, and never does in a call into C that hangs.
        """
        if TERM_SIGNAL == signal.SIGTERM:  # in a container it may be SIGQUIT, which dumps core
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        super().on_loop_start(pid)

    def _make_child_methods(self, *args: Any) -> None:
        super()._make_child_methods(*args)
        wait_for_job = self.wait_for_job

        def wait_or_leave() -> Any:
            if _leaving:
                raise SystemExit(0)
            return wait_for_job()

        self.wait_for_job = wait_or_leave

    def _ensure_messages_consumed(self, completed: int) -> bool:
        """Wait until the worker has taken all results, without the lock of their count."""
        if not self.on_ready_counter:
            return False
        taken = self.on_ready_counter.get_obj()  # one aligned integer, which only grows
        deadline = time.monotonic() + _TAKEN_LIMIT_S
        while taken.value < completed:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_INTERVAL_S)
        return True

    def _do_exit(self, pid: int, exitcode: int | None, exc: Exception | None = None) -> None:
        """End, where billiard asks to be killed and waits for a second."""
        code = exitcode or (1 if exc else 0)
        try:
            if self.on_exit is not None:
                self.on_exit(pid, code)
        finally:
            os._exit(code)


class _TimeLimits(TimeoutHandler):
    """Kills a process whose task is over its limit."""

    def _trywaitkill(self, worker: Any) -> None:
        try:
            os.kill(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        worker.join(_KILLED_LIMIT_S)


class _Processes(asynpool.AsynPool):
    """The processes, as the worker sees them."""

    Worker = _Process
    TimeoutHandler = _TimeLimits

    def __init__(self, *args: Any, **options: Any) -> None:
        self._longest_limit_s = read_settings().max_timeout_ms / 1000
        super().__init__(*args, **options)

    def apply_async(
        self,
        *args: Any,
        timeout: float | None = None,
        soft_timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """Give a task to a process, within limits that this worker can keep.

        A soft limit is ignored: it raises an error wherever the process is, which would pass for
        one of the file's, or for one of this package.
        """
        del soft_timeout
        limit_s = timeout or self.timeout or DEFAULT_TIMEOUT_MS / 1000
        limit_s = max(MIN_TIMEOUT_MS / 1000, min(limit_s, self._longest_limit_s))
        return super().apply_async(*args, timeout=limit_s, **options)

    def _event_process_exit(self, hub: Any, proc: Any) -> None:
        """Take note that a process has closed its files, which it does just before it is dead."""
        deadline = time.monotonic() + _GONE_LIMIT_S
        while proc.exitcode is None and time.monotonic() < deadline:
            time.sleep(_LOOK_INTERVAL_S)
        super()._event_process_exit(hub, proc)


class ProcessPool(prefork.TaskPool):
    """The pool that a worker of this package has, whatever it is asked for."""

    Pool = _Processes
