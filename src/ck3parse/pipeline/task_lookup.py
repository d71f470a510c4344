"""Finding out where a task is: still in a queue, with a worker, or nowhere."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ck3parse.pipeline.mailbox import Mailbox

WINDOW_S = 1.0
"""Seconds to wait for replies if a batch was not found: an unknown worker may have it."""
MAX_WINDOW_S = 5.0
SILENT_LOOKS = 2
"""A worker that does not reply to so many looks in a row, while others do, is gone."""


class Roster:
    """The workers that a client knows, and how long to wait for their replies.

    Args:
        workers: names of workers; others are added when they reply.
        complete: whether there can be no others, as with an embedded broker.
        reply_s: seconds that their replies took.

    Attributes:
        workers: names of the known workers.
        complete: as above.
        window_s: seconds to wait for replies.
    """

    def __init__(
        self, workers: Iterable[str] = (), *, complete: bool = False, reply_s: float = 0.0
    ) -> None:
        self.workers = set(workers)
        self.complete = complete
        self._silences: Counter[str] = Counter()
        self.window_s = _window_s(reply_s)

    def note(
        self, replied: Collection[str], late: Collection[str], reply_s: float
    ) -> frozenset[str]:
        """Note which workers replied to a look.

        Args:
            replied: names of those that replied.
            late: names of those that have replied to an earlier look since.
            reply_s: seconds that the last reply took.

        Returns:
            Names of the workers that did not reply and may still be there.
        """
        self.workers.update(late)
        if late or not replied:
            # Some workers need more time to reply.
            self.window_s = min(2 * self.window_s, MAX_WINDOW_S)
        else:
            self.window_s = _window_s(reply_s)
        silent = self.workers.difference(replied)
        if replied:
            self._silences = Counter(
                {worker: self._silences[worker] + 1 for worker in silent if worker not in late}
            )
            silent = {worker for worker in silent if self._silences[worker] < SILENT_LOOKS}
            self.workers = silent.union(replied)
        return frozenset(silent)


def _window_s(reply_s: float) -> float:
    return min(max(WINDOW_S, 3 * reply_s), MAX_WINDOW_S)


class Evidence(NamedTuple):
    """What a look found.

    Attributes:
        replied: names of the workers that replied.
        silent: names of the workers that did not reply and may still be there.
        holders: by the id of each task that was found: the worker that has it.
        queued: batches that wait in the queues, those of other clients included.
    """

    replied: frozenset[str]
    silent: frozenset[str]
    holders: dict[str, str]
    queued: int


class Look:
    """A look for tasks; it never blocks, but takes replies as they come.

    Args:
        mailbox: asks the workers; nothing else may ask with it during the look.
        batches: for each batch, the ids of the tasks that it was sent as.
        queues: names of the queues that they were sent to.
        roster: the known workers. Once all have replied, the look is over if each batch was found;
            if one was not, unknown workers have time to say that they have it.

    Raises:
        BrokerCallError: the broker does not serve.
    """

    def __init__(
        self, mailbox: Mailbox, batches: Sequence[Sequence[str]], queues: set[str], roster: Roster
    ) -> None:
        self._mailbox = mailbox
        self._batches = batches
        self._queues = queues
        self._roster = roster
        while mailbox.listen():  # note late replies before asking again
            pass
        self._late = frozenset(mailbox.late)
        ids = [task_id for batch in batches for task_id in batch]
        mailbox.ask("query_task", {"ids": ids})

    def evidence(self) -> Evidence | None:
        """Return what the look found, or `None` while replies may still come.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        while self._mailbox.listen():
            pass
        replies = self._mailbox.replies
        holders = {
            task_id: worker
            for worker, reply in replies.items()
            if isinstance(reply.body, dict)
            for task_id in reply.body
        }
        found = all(any(task_id in holders for task_id in batch) for batch in self._batches)
        all_replied = bool(replies) and replies.keys() >= self._roster.workers
        is_over = all_replied and (found or self._roster.complete)
        if not is_over and self._mailbox.seconds < self._roster.window_s:
            return None
        reply_s = max((reply.seconds for reply in replies.values()), default=0.0)
        silent = self._roster.note(replies.keys(), self._late | self._mailbox.late, reply_s)
        queued = 0 if found else sum(self._mailbox.queue_lengths(self._queues).values())
        return Evidence(frozenset(replies), silent, holders, queued)
