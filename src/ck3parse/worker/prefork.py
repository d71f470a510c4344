"""The pool of worker processes, and the time limits that it keeps."""

from typing import Any

from celery import bootsteps

from ck3parse.celery_compat import prefork
from ck3parse.config import QUEUE_INTERACTIVE, read_settings
from ck3parse.messages import DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS

_WATCH_INTERVAL_S = 0.1


class _Processes(prefork.Processes):
    def __init__(self, *args: Any, **options: Any) -> None:
        self._longest_limit_s = read_settings().max_timeout_ms / 1000
        super().__init__(*args, **options)

    def limit_s(self, asked_s: float | None) -> float:
        """Return a task's limit, within `MIN_TIMEOUT_MS` and `CK3PARSE_MAX_TIMEOUT_MS`."""
        limit_s = asked_s or DEFAULT_TIMEOUT_MS / 1000
        return max(MIN_TIMEOUT_MS / 1000, min(limit_s, self._longest_limit_s))


class ProcessPool(prefork.TaskPool):
    """The only pool that a worker of ck3parse runs with; the setting `worker_pool` names it."""

    Pool = _Processes


class ProcessWatch(bootsteps.StartStopStep):
    """Checks the pool's class; has it notice dead processes soon, and interactive tasks overtake.

    The pool is told of a process's end just before the process can be reaped. If it looks too
    early, it looks again only with its next round, five seconds later.

    Raises:
        SystemExit: the worker was started with another pool, which could not kill a file that
            hangs.
    """

    requires = ("celery.worker.components:Pool",)

    def create(self, parent: Any) -> None:
        """Refuse any other pool."""
        if not isinstance(parent.pool, ProcessPool):
            pool = type(parent.pool).__module__
            raise SystemExit(
                f"a ck3parse worker cannot use the pool {pool}, which cannot kill a file that"
                " hangs: start it with --pool=prefork, which is the default"
            )

    def start(self, parent: Any) -> None:
        """Begin to look."""
        prefork.watch_processes(parent, _WATCH_INTERVAL_S)
        prefork.let_overtake(parent, _is_interactive)


def _is_interactive(request: Any) -> bool:
    info = request.delivery_info or {}
    return bool(info.get("routing_key") == QUEUE_INTERACTIVE)
