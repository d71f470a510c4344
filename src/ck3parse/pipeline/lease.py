"""A batch in flight."""

from collections.abc import Sequence

import msgspec
from celery.result import AsyncResult

from ck3parse.celery_compat.results import detach, stop_waiting
from ck3parse.celery_compat.unwaited import TaskSender
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.broker_calls import calling_broker
from ck3parse.pipeline.task_lookup import Evidence

MISSED_LOOKS = 2
"""How many looks in a row must not find a batch: once, it may be between queue and worker."""


class Lease(msgspec.Struct, eq=False):
    """A batch in flight.

    Attributes:
        task_id: id of the first task that it is sent as; unique among leases.
        batch: the batch.
        queue: the queue that it is sent to.
        keep: whether to leave the task and its result to others, who know the id.
        replies: the tasks that it was sent as, oldest first.
        tries: 1, and 1 more for each time that it was lost.
        crashes: how often its process died.
        other_origins: how often a worker with another parser or other limits answered.
        missed: how many looks in a row have not found it.
        sent: when it was last sent, in seconds of `time.monotonic`.
        answers_before: how many answers from its queue had come by then.
        holder: the worker that the last successful look since then found it with.
        resumed: whether the broker went while it was in flight, so that it may deliver a task
            twice.
    """

    task_id: str
    batch: Batch
    queue: str
    keep: bool
    replies: list[AsyncResult] = []
    tries: int = 1
    crashes: int = 0
    other_origins: int = 0
    missed: int = 0
    sent: float = 0.0
    answers_before: int = 0
    holder: str | None = None
    resumed: bool = False

    @property
    def alone(self) -> bool:
        """Whether it is a single file, so that a crash is that file's fault."""
        return len(self.batch.requests) == 1

    @property
    def was_sent(self) -> bool:
        """Whether its files were sent before: as this batch, or in a larger one."""
        return bool(self.replies) or self.tries > 1

    def spare_ids(self) -> list[str]:
        """Return the tasks that may still be answered although the lease has ended."""
        if len(self.replies) == 1 and not self.resumed:
            return []
        # Others may ask for the first one by its id.
        return [reply.id for reply in self.replies[1 if self.keep else 0 :]]

    def is_lost(self, evidence: Evidence, *, overtaken: bool) -> bool:
        """Take a look into account, and return whether the batch is lost.

        It is not lost while a worker that may have it has not replied: the worker that last had it
        or, if that is unknown, any worker.

        Args:
            evidence: what the look found; at least one worker replied.
            overtaken: whether so many later batches were answered that no queue can still have it.
        """
        holders = [evidence.holders[r.id] for r in self.replies if r.id in evidence.holders]
        if holders:
            self.holder = holders[-1]
        if holders or (evidence.queued > 0 and not overtaken):
            self.missed = 0
            return False
        self.missed += 1
        unheard = self.holder in evidence.silent if self.holder else bool(evidence.silent)
        return self.missed >= MISSED_LOOKS and not unheard


def forget(sender: TaskSender, replies: Sequence[AsyncResult], *, keep: bool = False) -> None:
    """Unsubscribe from results that are not needed any more, and detach them.

    Otherwise Celery keeps those that never come until the application is collected, by which time
    the broker may be gone.

    Args:
        sender: deletes them.
        replies: the results.
        keep: whether to leave them on the result backend.

    Raises:
        BrokerCallError: the backend does not serve. The results are detached even so.
    """
    try:
        with calling_broker():
            if keep:
                for reply in replies:
                    stop_waiting(reply)
            else:
                sender.delete(list(replies))
    finally:
        detach(replies)
