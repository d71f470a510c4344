"""When a build claims items, how many, and how it keeps them."""

import sqlite3
from collections.abc import Iterable
from time import monotonic

from ck3parse.qbuilder.build_queue import RENEW_S, BuildQueue, Item
from ck3parse.qbuilder.progress import Progress
from ck3parse.qbuilder.transaction import writing

MAX_ITEMS = 1024
"""Items in hand: enough to keep a few workers busy while others are written."""
MAX_URGENT = 64
"""Items with a priority that are claimed beyond `MAX_ITEMS`."""
_RECOVER_S = 1.0


class Claiming:
    """Claims items, renews their leases, and takes back those whose leases have ended.

    Args:
        db: a connection to the database, which `queue` uses too.
        queue: the queue.
        progress: is told what was taken back.
        one_by_one: have one item in hand at a time.
    """

    def __init__(
        self, db: sqlite3.Connection, queue: BuildQueue, progress: Progress, *, one_by_one: bool
    ) -> None:
        self._db = db
        self._queue = queue
        self._progress = progress
        self._most = 1 if one_by_one else MAX_ITEMS
        self._most_urgent = 0 if one_by_one else MAX_URGENT
        self._renewed = self._recovered = 0.0

    def renew(self) -> None:
        """Renew the leases of the items in hand, if it is time to."""
        if monotonic() - self._renewed >= RENEW_S:
            if self._renewed:
                with writing(self._db):
                    self._queue.renew()
            self._renewed = monotonic()

    def claim(self, in_hand: int, attempts_left: int | None) -> list[Item]:
        """Claim what there is room for, or items with a priority.

        Args:
            in_hand: how many items are in hand.
            attempts_left: how many may be in hand at most; `None`: no limit.
        """
        limit, above = 0, None
        if in_hand <= self._most * 3 // 4:
            if self._queue.has_pending():
                limit = self._most - in_hand
        elif in_hand < self._most + self._most_urgent:
            limit, above = self._most + self._most_urgent - in_hand, 0
            limit = limit if self._queue.has_urgent() else 0
        if attempts_left is not None:
            limit = min(limit, attempts_left - in_hand)
        expired = False
        if monotonic() - self._recovered >= _RECOVER_S:
            self._recovered = monotonic()
            expired = self._queue.has_expired()
        if limit <= 0 and not expired:
            return []
        errors = again = 0
        with writing(self._db):
            if expired:
                errors, again = self._queue.recover()
            items = self._queue.claim(max(0, limit), above=above)
        self._progress.recovered(errors, again)
        return items

    def release_those_of_the_dead(self, counted: Iterable[str]) -> None:
        """Take back the items of builds whose processes are gone.

        Args:
            counted: see `BuildQueue.release_those_of_the_dead`.
        """
        with writing(self._db):
            released = self._queue.release_those_of_the_dead(counted)
        if released:
            self._progress.released_those_of_the_dead(released)

    def release_all(self) -> None:
        """Make the items in hand pending again; if that fails, their leases end."""
        try:
            with writing(self._db):
                self._queue.release_all()
        except sqlite3.Error as error:
            self._progress.kept_claimed(error)
