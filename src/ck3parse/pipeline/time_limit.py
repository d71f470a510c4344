"""The time limit of a task, and how much its files may be to keep it.

Celery kills a worker process at the limit of its task. A batch has the limit of a single file: its
files together must need less than one that hangs.
"""

from collections.abc import Sequence

from ck3parse.messages import ParseRequest

SLOW_BYTES_PER_MS = 1000
"""Bytes of script that the slowest parser must manage. The Python parser has 8,000."""
SLOW_FILES_PER_MS = 2
"""As above, in tiny files. The Python parser has 40."""


def task_limit_s(requests: Sequence[ParseRequest]) -> float:
    """Return the time limit of the task for these requests, in seconds.

    Args:
        requests: of one batch, which all have the same `timeout_ms`.
    """
    return requests[0].timeout_ms / 1000


def files_within(timeout_ms: int) -> int:
    """Return how many files a task may have to keep a time limit in milliseconds."""
    return SLOW_FILES_PER_MS * timeout_ms


def bytes_within(timeout_ms: int) -> int:
    """Return how many bytes of script a task may have to keep a time limit in milliseconds."""
    return SLOW_BYTES_PER_MS * timeout_ms
