"""Counting the worker processes again and again, as workers come and go during a run."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from ck3parse.pipeline.mailbox import Mailbox, Reply

FIRST_S = 0.5
"""Seconds until the first count."""
INTERVAL_S = 3.0
WINDOW_S = 1.0
"""Seconds to wait for replies."""
_LISTEN_INTERVAL_S = 0.05
_MOST_SILENCES = 2
"""A worker that does not reply to so many counts in a row is gone."""


def process_count(stats: dict[str, Any]) -> int:
    """Return how many processes a worker has, according to its statistics."""
    return int(stats.get("pool", {}).get("max-concurrency", 1))


class Census:
    """Counts processes every few seconds; it never blocks, but takes replies as they come.

    Args:
        replies: what workers have replied to `stats` so far.

    Attributes:
        processes: how many there are; 0 while no worker has replied.
        reply_s: seconds that replies take: a round trip of the client and one of a worker.
    """

    def __init__(self, replies: Mapping[str, Reply] | None = None) -> None:
        self.processes = 0
        self.reply_s = 0.0
        self._counts: dict[str, int] = {}
        self._silences: Counter[str] = Counter()
        self._due = monotonic() + FIRST_S
        self._listened = 0.0
        self._is_asking = False
        self.note(replies or {})

    @property
    def is_asking(self) -> bool:
        """Whether it waits for replies, so that nothing else may ask with its mailbox."""
        return self._is_asking

    def count(self, mailbox: Callable[[], Mailbox]) -> bool:
        """Begin a count if it is time to, or continue the current one.

        Args:
            mailbox: returns the mailbox to ask with; nothing else waits for replies to it.

        Returns:
            Whether a count was completed.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        now = monotonic()
        if not self._is_asking:
            if now >= self._due:
                mailbox().ask("stats")
                self._is_asking = True
            return False
        if now - self._listened < _LISTEN_INTERVAL_S:
            return False
        self._listened = now
        asked = mailbox()
        while asked.listen():
            pass
        if asked.seconds < max(WINDOW_S, 3 * self.reply_s):
            return False
        self.stop()
        self.note(asked.replies)
        return True

    def stop(self) -> None:
        """Forget the current count; the next one begins in a while."""
        self._is_asking = False
        self._due = monotonic() + INTERVAL_S

    def note(self, replies: Mapping[str, Reply]) -> None:
        """Take the replies to a count into account.

        Args:
            replies: of workers, by name. Without any, nothing is known.
        """
        found = {worker: each for worker, each in replies.items() if isinstance(each.body, dict)}
        if not found:
            return
        for worker in self._counts.keys() - found.keys():
            self._silences[worker] += 1
            if self._silences[worker] >= _MOST_SILENCES:
                del self._counts[worker], self._silences[worker]
        for worker, reply in found.items():
            self._silences.pop(worker, None)
            self._counts[worker] = process_count(reply.body)
        self.processes = sum(self._counts.values())
        self.reply_s = statistics.median(reply.seconds for reply in found.values())
