"""Turns of the other items while items with a priority come without end."""

from time import monotonic

URGENT_S = 0.5
URGENT_TRANSACTIONS = 8
"""Seconds and transactions for items with a priority alone, after which one is for the others."""
TURN_ITEMS = 64
"""Items without a priority that are claimed for a turn if none is in hand."""


class Turns:
    """Knows when it is the turn of the items without a priority.

    Args:
        takes_turns: false keeps to the order of the queue, whatever comes.
    """

    def __init__(self, *, takes_turns: bool) -> None:
        self._takes_turns = takes_turns
        self._since: float | None = None
        """When the first transaction for items with a priority alone was, after the last turn."""
        self._count = 0
        """How many such transactions there were."""
        self._chosen = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is the turn of the items without a priority."""
        if self._since is None or self._count < URGENT_TRANSACTIONS:
            return False
        return monotonic() - self._since >= URGENT_S

    def chooses(self) -> bool:
        """Return whether to choose items for the turn that is due, now and every `URGENT_S`."""
        if not self.is_due or monotonic() - self._chosen < URGENT_S:
            return False
        self._chosen = monotonic()
        return True

    def was_urgent(self) -> None:
        """Note that a transaction was for items with a priority alone."""
        if self._since is None and self._takes_turns:
            self._since = monotonic()
        self._count += 1

    def end(self) -> None:
        """Note that another item ended, or that there is none."""
        self._since, self._count = None, 0
