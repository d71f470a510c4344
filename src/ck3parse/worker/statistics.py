"""What a worker counts, and its answers to remote control commands that Celery does not have."""

from collections import Counter
from typing import Any

import msgspec
from celery.worker.control import inspect_command

from ck3parse.celery_compat.prefork import process_ids
from ck3parse.worker.counters import Counters
from ck3parse.worker.identity import identity

counters = Counters()
"""What the processes count. It is made when the worker imports this, before it forks them."""
batches_failed: Counter[str] = Counter(crash=0, timeout=0, error=0)
"""How many tasks of this worker failed, by reason: `crash`, `timeout`, or `error` if one raised."""
batches_sent_again = 0
"""How many tasks of this worker their clients had sent before."""
tasks_taken = 0
"""How many tasks this worker has taken from its queues."""
task_s = 0.2
"""Seconds that a task has taken lately, on average."""
_NEWEST_SHARE = 0.1


def note_task(seconds: float) -> None:
    """Note how many seconds a task has taken."""
    global task_s
    task_s += _NEWEST_SHARE * (seconds - task_s)


def counts(pool: Any) -> dict[str, Any]:
    """Return what the worker has counted since it started.

    Args:
        pool: the worker's or the consumer's pool.
    """
    processes = len(process_ids(pool))
    counted = counters.counts()
    return {
        # `ck3parse status` of earlier versions reads this one only.
        "failed": batches_failed.total(),
        "batches": tasks_taken,
        "batches_failed": dict(batches_failed),
        "batches_sent_again": batches_sent_again,
        "processes": processes,
        "processes_started": counted.processes,
        "files": counted.files,
        "bytes": counted.size,
        "busy_s": round(counted.busy_s, 6),
        "file_failures": counted.failures,
    }


@inspect_command()
def ck3parse_counts(state: Any) -> dict[str, Any]:
    """What the worker has done since it started."""
    return counts(state.consumer.pool)


@inspect_command()
def ck3parse_version(state: Any) -> dict[str, Any]:
    """Version, code, parser and limits of the worker; see `ck3parse.worker.identity`."""
    del state
    answer: dict[str, Any] = msgspec.to_builtins(identity())
    return answer
