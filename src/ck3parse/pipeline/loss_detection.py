"""Finding batches that are lost: no answer came, and no queue and no worker has them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from time import monotonic

from ck3parse.pipeline.lease import Lease
from ck3parse.pipeline.mailbox import Mailbox
from ck3parse.pipeline.task_lookup import Evidence, Look, Roster

FIRST_LOOK_S = 1.0
"""Seconds without an answer after which workers and queues are asked where the batches are."""
LAST_LOOK_S = 8.0
"""While nothing is wrong, the pause before the next look doubles, up to this."""


class LostBatches:
    """Looks for leases now and then, and decides which of them are lost.

    Args:
        roster: the workers that are known.
        limit: how many batches are in flight at once.

    Attributes:
        limit: as above; it follows the window's.
    """

    def __init__(self, roster: Roster, limit: int) -> None:
        self._roster = roster
        self.limit = limit
        self._answer_counts: Counter[str] = Counter()
        """By queue."""
        self._heard = self._looked = self._last_look = monotonic()
        self._interval_s = FIRST_LOOK_S
        self._look: Look | None = None
        self._looked_for: list[tuple[Lease, str]] = []
        """What the current look is for: leases, and the last task of each when it began."""

    @property
    def silent_s(self) -> float:
        """Seconds since workers were last heard of."""
        return monotonic() - self._heard

    def note_life(self) -> None:
        """Note that something happened that makes a look less urgent."""
        self._heard = self._looked = monotonic()
        self._interval_s = FIRST_LOOK_S

    def note_sent(self, lease: Lease) -> None:
        """Note that a lease is sent now, as a new task."""
        lease.missed = 0
        lease.holder = None
        lease.sent = monotonic()
        lease.answers_before = self._answer_counts[lease.queue]

    def note_answer(self, lease: Lease) -> None:
        """Note that a lease was answered."""
        self.note_life()
        self._answer_counts[lease.queue] += 1

    def look(
        self, in_flight: Mapping[str, Lease], mailbox: Callable[[], Mailbox]
    ) -> Evidence | None:
        """Begin a look if it is time to, or continue the current one, without waiting for replies.

        Args:
            in_flight: the leases to look for, in order of publishing; at least one.
            mailbox: returns the mailbox to ask with.

        Returns:
            What the look found once it is complete, else `None`.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        if self._look is None:
            if not self._is_time_to_look(next(iter(in_flight.values()))):
                return None
            leases = list(in_flight.values())
            self._looked = self._last_look = monotonic()
            self._looked_for = [(lease, lease.replies[-1].id) for lease in leases]
            self._look = Look(
                mailbox(),
                [[reply.id for reply in lease.replies] for lease in leases],
                {lease.queue for lease in leases},
                self._roster,
            )
        evidence = self._look.evidence()
        if evidence is not None:
            self._look = None
        return evidence

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way, so that nothing else may ask with its mailbox."""
        return self._look is not None

    def stop_looking(self) -> None:
        """Forget the current look."""
        self._look = None

    def lost(self, evidence: Evidence, in_flight: Mapping[str, Lease]) -> Iterator[Lease]:
        """Yield the leases that are lost.

        Args:
            evidence: what the last look found; at least one worker replied to it.
            in_flight: the leases in flight, which may change between two results.
        """
        self._heard = monotonic()
        self._interval_s = min(2 * self._interval_s, LAST_LOOK_S)
        for lease, last_id in self._looked_for:
            if lease.task_id not in in_flight or lease.replies[-1].id != last_id:
                continue  # answered or sent again since
            # Only answers from the same queue: batches of one queue do not overtake each other.
            answers_since = self._answer_counts[lease.queue] - lease.answers_before
            if lease.is_lost(evidence, overtaken=answers_since > 2 * self.limit):
                yield lease
            elif lease.missed:
                self._interval_s = FIRST_LOOK_S

    def _is_time_to_look(self, oldest: Lease) -> bool:
        if (now := monotonic()) - self._looked >= self._interval_s:
            return True
        # A steady stream of answers to others must not hide that one batch is lost.
        patience_s = FIRST_LOOK_S if oldest.missed else LAST_LOOK_S
        return now - max(oldest.sent, self._last_look) >= patience_s
