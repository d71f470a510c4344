"""Where a task is: still in a queue, in a worker's hands, or nowhere."""

import contextlib
from collections.abc import Collection, Iterable
from typing import NamedTuple

from amqp.exceptions import ChannelError
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
    held = frozenset(task_id for tasks in replies.values() for task_id in tasks)
    return Evidence(len(replies), held, sum(queue_lengths(app, queues).values()))


def queue_lengths(app: Celery, queues: Iterable[str]) -> dict[str, int]:
    """Return how many batches wait in each queue, by its name.

    Args:
        app: the application to ask with.
        queues: names of queues.

    Raises:
        Exception: what the transport raises if the broker cannot be reached.
    """
    lengths = dict.fromkeys(queues, 0)
    with app.connection_for_read() as connection:
        for queue in lengths:
            # An empty queue is none to Redis, and the error closes an AMQP channel.
            with contextlib.suppress(ChannelError), connection.channel() as channel:
                declared = channel.queue_declare(queue, passive=True)
                lengths[queue] = declared.message_count
    return lengths
