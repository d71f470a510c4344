"""Where a task is: still in a queue, in a worker's hands, or nowhere."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from celery import Celery

REPLY_LIMIT_S = 0.5
"""How long to wait for workers' replies; a healthy one takes a few milliseconds."""


class Evidence(NamedTuple):
    """What workers and queues say.

    Attributes:
        workers: how many workers replied.
        held: ids of the tasks asked for that they have in hand.
        queued: batches that wait in the queues, of this client and others.
    """

    workers: int
    held: frozenset[str]
    queued: int


def look_for(
    app: Celery, task_ids: Collection[str], queues: Iterable[str], *, workers: int
) -> Evidence:
    """Ask all workers for some tasks, and the queues for their length.

    Args:
        app: the application to ask with.
        task_ids: the tasks.
        queues: names of the queues they were sent to.
        workers: how many workers are known; with their replies the wait ends at once.

    Raises:
        Exception: what the transport raises if the broker cannot be reached.
    """
    inspect = app.control.inspect(timeout=REPLY_LIMIT_S, limit=workers)
    replies = inspect.query_task(*task_ids) or {}
    with app.connection_for_read() as connection, connection.channel() as channel:
        queued = sum(channel.queue_declare(queue, passive=True).message_count for queue in queues)
    held = frozenset(task_id for tasks in replies.values() for task_id in tasks)
    return Evidence(len(replies), held, queued)
