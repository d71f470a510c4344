"""Where a task is: still in a queue, in a worker's hands, or nowhere."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ck3parse.pipeline.mailbox import Mailbox

WINDOW_S = 1.0
"""How long to wait for replies where some batch is nowhere: who has it may not be known yet."""
MAX_WINDOW_S = 5.0
SILENT_LOOKS = 2
"""A worker that does not reply so often in a row, while others do, is gone."""


class Roster:
    """The workers that a client knows of, and how long to wait for their replies.

    Args:
        workers: names of some; more are noted as they reply.
        complete: whether no others can come: the one of an embedded broker.
        reply_s: how long their replies took.
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
        """Note who replied to a look, and return those who did not and may still be there.

        Args:
            replied: names of workers.
            late: names of those who replied to an earlier look since.
            reply_s: how long the last reply took.
        """
        self.workers.update(late)
        if late or not replied:
            # Some, or all of them, are farther away than it seemed.
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
    """What workers and queues say.

    Attributes:
        replied: names of the workers that replied.
        silent: names of those that did not, and may still be there.
        holders: who has the tasks asked for, by their ids.
        queued: batches that wait in the queues, of this client and others.
    """

    replied: frozenset[str]
    silent: frozenset[str]
    holders: dict[str, str]
    queued: int


class Look:
    """A look for tasks, that waits for nothing: replies are taken in as they come.

    Args:
        mailbox: to ask with; nothing else may while the look is under way.
        batches: ids of the tasks that each batch was sent as.
        queues: names of the queues they were sent to.
        roster: workers that are known. With their replies the look is over, if each batch was
            found; if one was not, others have time to say that they have it.

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
        while mailbox.listen():  # those who are late are noted before they are asked again
            pass
        self._late = frozenset(mailbox.late)
        ids = [task_id for batch in batches for task_id in batch]
        mailbox.ask("query_task", {"ids": ids})

    def evidence(self) -> Evidence | None:
        """Return what there is to see, or `None` while replies may still come.

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
