"""Celery's prefork pool without locks between processes, with prompt kills and replacements."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import billiard
from billiard.common import TERM_SIGNAL
from billiard.pool import TimeoutHandler
from celery.concurrency import asynpool, prefork

_POLL_INTERVAL_S = 0.0005
_TAKEN_LIMIT_S = 30.0
"""How long a process that leaves waits until its worker has taken its last result."""
_GONE_LIMIT_S = 0.02
"""How long to wait for a process that has closed its files: it ends within microseconds."""
_KILLED_LIMIT_S = 0.1

_leaving = False


def leave_after_task() -> None:
    """End this worker process once the result of its task was sent; another takes its place.

    Assumes:
        `billiard.pool.Worker.workloop` calls `wait_for_job`, which `_make_child_methods` has set,
        for each job, sends the result before the next call, and lets a `SystemExit` of it end the
        process after `_ensure_messages_consumed`. The pool replaces a process that has exited with
        code 0.
    Read in:
        billiard 4.3.2.
    Otherwise:
        Processes are not replaced after `CK3PARSE_MAX_FILES_PER_CHILD` files.
        `CK3PARSE_MAX_TASKS_PER_CHILD` and `CK3PARSE_MAX_MEMORY_PER_CHILD_MB` still replace them.
    Public way:
        `worker_max_tasks_per_child` counts tasks, and a task has 1 to 1,024 files.
        `worker_max_memory_per_child` counts memory; to have it end the process, an earlier version
        replaced `billiard.pool.mem_rss`. A `SystemExit` raised in the task becomes its result. At
        `task_postrun` the result is not sent yet. The worker's main process cannot end a process
        between two tasks, as it may have given it the next one.
    """
    global _leaving
    _leaving = True


def process_index() -> int:
    """Return the number of this process among the processes of its worker, from 0.

    Assumes:
        `billiard.pool.Pool` sets the attribute `index` of a process before it forks.
    Read in:
        billiard 4.3.2.
    Otherwise:
        0: the processes of a worker are replaced at the same time, and its CPUs are idle meanwhile.
    Public way:
        None.
    """
    return int(getattr(billiard.current_process(), "index", 0))


class Process(asynpool.Worker):
    """What runs in a worker process.

    Assumes:
        The five methods below are called as in billiard: `_make_child_methods` and then
        `on_loop_start` once at the start, `_ensure_messages_consumed` at the end of the loop and
        `_do_exit` last. `on_ready_counter` counts the results that the worker has taken.
    Read in:
        celery 5.7.0, billiard 4.3.2.
    Otherwise:
        A process that is killed while it leaves can leave the counter's lock locked, and its worker
        waits for ever until the watchdog ends it. A replacement takes a second.
    Public way:
        None.
    """

    wait_for_job: Callable[[], Any]

    def on_loop_start(self, pid: int) -> None:
        """Report to the worker, once SIGTERM ends this process at once.

        Billiard's handler of SIGTERM unwinds Python to release locks, which this pool does not
        have, and does not run while a call into C hangs.
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
            time.sleep(_POLL_INTERVAL_S)
        return True

    def _do_exit(self, pid: int, exitcode: int | None, exc: Exception | None = None) -> None:
        """End at once. Billiard sends a message that asks to be killed, and sleeps for a second."""
        code = exitcode or (1 if exc else 0)
        try:
            if self.on_exit is not None:
                self.on_exit(pid, code)
        finally:
            os._exit(code)


class _Killer(TimeoutHandler):
    """Kills a process whose task is over its limit.

    Assumes:
        `_trywaitkill` is what kills it, in the main process's event loop.
    Read in:
        billiard 4.3.2.
    Otherwise:
        The process gets SIGTERM first, and the worker's event loop stands still for 0.1 s.
    Public way:
        None.
    """

    def _trywaitkill(self, worker: Any) -> None:
        try:
            os.kill(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        worker.join(_KILLED_LIMIT_S)


class Processes(asynpool.AsynPool):
    """The processes, as the worker's main process sees them.

    Assumes:
        The pool makes its processes and its timeout handler of the classes in the attributes
        `Worker` and `TimeoutHandler`. `apply_async` gets a task's limits in seconds as `timeout`
        and `soft_timeout`, and has the worker's own `--time-limit` in `timeout`. A process's
        sentinel becomes readable before the process can be reaped, and `_event_process_exit` is
        called then, once.
    Read in:
        celery 5.7.0, billiard 4.3.2.
    Otherwise:
        As in `Process`; limits longer than `CK3PARSE_MAX_TIMEOUT_MS` are not cut; a dead process is
        noticed later, by the next call of `maintain_pool`.
    Public way:
        `task_time_limit` is a default that any message may exceed, and there is no lower bound. A
        soft limit cannot be switched off for all messages.
    """

    Worker = Process
    TimeoutHandler = _Killer

    def limit_s(self, asked_s: float | None) -> float:
        """Return the time limit of a task in seconds.

        Args:
            asked_s: what its message asks for, or else the worker's own.
        """
        raise NotImplementedError

    def apply_async(
        self,
        *args: Any,
        timeout: float | None = None,
        soft_timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """Give a task to a process, within the limits of this worker.

        A soft limit is ignored. It would raise an exception at any place in the process, which
        would look like an error of the file or a bug.
        """
        del soft_timeout
        limit_s = self.limit_s(timeout or self.timeout)
        return super().apply_async(*args, timeout=limit_s, **options)

    def _event_process_exit(self, hub: Any, proc: Any) -> None:
        """Wait for a process that has closed its files, which it does just before it is dead."""
        deadline = time.monotonic() + _GONE_LIMIT_S
        while proc.exitcode is None and time.monotonic() < deadline:
            time.sleep(_POLL_INTERVAL_S)
        super()._event_process_exit(hub, proc)


class TaskPool(prefork.TaskPool):
    """Base of a pool for the setting `worker_pool`.

    Assumes:
        Celery makes the pool of the class in the attribute `Pool`. The worker's banner shows the
        last part of the name of the module that has this class's child.
    Read in:
        celery 5.7.0.
    Otherwise:
        The worker runs with Celery's own pool, and `tests/unit/test_celery_compat.py` fails.
    Public way:
        `worker_pool` is public; what a pool is made of is not.
    """

    Pool: type[Processes]


def watch_processes(worker: Any, interval_s: float) -> None:
    """Have the pool look for dead processes more often than every five seconds.

    Assumes:
        `worker.pool.maintain_pool` replaces dead processes and fails their tasks.
    Read in:
        celery 5.7.0.
    Otherwise:
        AttributeError as the worker starts.
    Public way:
        None for the interval. `worker.hub.call_repeatedly` is public.

    Args:
        worker: what a worker's bootstep gets as its parent.
        interval_s: seconds between two looks.
    """
    worker.hub.call_repeatedly(interval_s, worker.pool.maintain_pool)


def process_ids(pool: Any) -> list[int]:
    """Return the ids of a pool's processes.

    Assumes:
        `pool.info["processes"]` has them, as in the answer to `inspect stats`, from any thread.
    Read in:
        celery 5.7.0.
    Otherwise:
        The watchdog ends the worker and leaves its processes, which end by themselves, except on
        macOS.
    Public way:
        `inspect stats` is answered by the event loop, which stands still when this is needed.

    Args:
        pool: a worker's or consumer's `pool`.
    """
    return list(pool.info.get("processes", ()))


def let_overtake(worker: Any, goes_first: Callable[[Any], bool]) -> None:
    """Have some tasks overtake those that wait in this worker for a process.

    Assumes:
        The worker calls `_quick_acquire(callback, request)` for each task that it has received.
        That is its `semaphore.acquire`, which puts `(callback, (request,), {})` at the end of
        `semaphore._waiting` unless `semaphore.value` is above 0; a process that is done takes the
        first one.
    Read in:
        celery 5.7.0, kombu 5.7.0.
    Otherwise:
        AttributeError as the worker starts, or tasks wait in the order in which they came.
    Public way:
        None: a queue's priority is that of the broker, which no longer has these tasks.

    Args:
        worker: what a worker's bootstep gets as its parent.
        goes_first: returns whether a request overtakes those of which it returns that they do not.
    """
    semaphore = worker.semaphore
    waiting, acquire = semaphore._waiting, semaphore.acquire  # noqa: SLF001 - stated above

    def acquire_or_overtake(callback: Any, request: Any) -> bool:
        if semaphore.value > 0 or not waiting or not goes_first(request):
            return bool(acquire(callback, request))
        place = 0
        for _, (other,), _ in waiting:
            if not goes_first(other):
                break
            place += 1
        waiting.insert(place, (callback, (request,), {}))
        return False

    worker._quick_acquire = acquire_or_overtake  # noqa: SLF001 - stated above
