"""What Celery's own statistics of a worker leave out: how many of its tasks failed."""

from typing import Any

from celery.worker.control import inspect_command

failed = 0
"""Tasks of this worker that crashed, ran out of time or raised, since it started."""


@inspect_command()
def ck3parse_counts(state: Any) -> dict[str, int]:
    """Count of tasks that failed since the worker started."""
    del state
    return {"failed": failed}
