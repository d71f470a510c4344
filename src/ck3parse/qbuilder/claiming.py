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
_LOOK_S = 0.01


class Claiming:
    """Claims items, renews their leases, and takes back those whose leases have ended.

    Args:
        db: a connection to the database, which `queue` uses too.
        queue: the queue.
        progress: counts the attempts, and is told what was taken back.
        one_by_one: have one item in hand at a time.
        max_items: number of attempts after which the build ends; `None`: no limit.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        queue: BuildQueue,
        progress: Progress,
        *,
        one_by_one: bool,
        max_items: int | None,
    ) -> None:
        self._db = db
        self._queue = queue
        self._progress = progress
        self._most = 1 if one_by_one else MAX_ITEMS
        self._most_urgent = 1 if one_by_one else MAX_ITEMS + MAX_URGENT
        self._max_items = max_items
        self._renewed = self._recovered = self._looked = self._not_before = 0.0

    def renew(self) -> None:
        """Renew the leases of the items in hand, if it is time to."""
        if monotonic() - self._renewed >= RENEW_S:
            if self._renewed:
                with writing(self._db):
                    self._queue.renew()
            self._renewed = monotonic()

    def pause(self, seconds: float) -> None:
        """Claim nothing for some seconds."""
        self._not_before = monotonic() + seconds

    @property
    def pause_s(self) -> float:
        """For how many seconds nothing is to be claimed yet."""
        return max(0.0, self._not_before - monotonic())

    def claim(self, in_hand: int) -> list[Item]:
        """Claim what there is room for, or items with a priority, in a transaction.

        Args:
            in_hand: how many items are in hand.
        """
        if self.pause_s:
            return []
        wanted = self._room(in_hand) > 0 and self._queue.has_pending()
        wanted = wanted or self.sees_urgent(in_hand)
        expired = False
        if monotonic() - self._recovered >= _RECOVER_S:
            self._recovered = monotonic()
            expired = self._queue.has_expired()
        if not wanted and not expired:
            return []
        errors = again = 0
        with writing(self._db):
            if expired:
                errors, again = self._queue.recover()
            items = self.claim_within(in_hand) or self.claim_urgent_within(in_hand)
        self._progress.recovered(errors, again)
        return items

    def claim_within(self, in_hand: int, ending: int = 0) -> list[Item]:
        """Claim what there is room for, in the caller's transaction.

        Args:
            in_hand: how many items are in hand.
            ending: how many of them end in this transaction.
        """
        limit = self._room(in_hand, ending)
        return self._queue.claim(limit) if limit and not self.pause_s else []

    def claim_urgent_within(self, in_hand: int) -> list[Item]:
        """Claim items with a priority, in the caller's transaction."""
        if not self.sees_urgent(in_hand):
            return []
        return self._queue.claim(self._room_for_urgent(in_hand), above=0)

    def claim_urgent(self, in_hand: int) -> list[Item]:
        """Claim items with a priority, in a transaction."""
        with writing(self._db):
            return self.claim_urgent_within(in_hand)

    def claim_others(self, most: int, in_hand: int) -> list[Item]:
        """Claim items without a priority, in a transaction, even if there is no room for more.

        Args:
            most: how many at most.
            in_hand: how many items are in hand.
        """
        limit = self._attempts(most, in_hand)
        if self.pause_s or not limit or not self._queue.has_pending(" AND priority <= 0"):
            return []
        with writing(self._db):
            return self._queue.claim(limit, up_to=0)

    def sees_urgent(self, in_hand: int) -> bool:
        """Return whether an item with a priority is pending that there is room for."""
        self._looked = monotonic()
        return not self.pause_s and self._room_for_urgent(in_hand) > 0 and self._queue.has_urgent()

    def looks_and_sees_urgent(self, in_hand: int) -> bool:
        """Return the same as `sees_urgent`, or false if that was called just before."""
        return monotonic() - self._looked >= _LOOK_S and self.sees_urgent(in_hand)

    def _room(self, in_hand: int, ending: int = 0) -> int:
        left = in_hand - ending
        # Attempts that end are not counted yet.
        return self._attempts(self._most - left, in_hand) if left <= self._most * 3 // 4 else 0

    def _room_for_urgent(self, in_hand: int) -> int:
        return self._attempts(self._most_urgent - in_hand, in_hand)

    def _attempts(self, room: int, in_hand: int) -> int:
        if self._max_items:
            room = min(room, self._max_items - self._progress.done["items_processed"] - in_hand)
        return max(0, room)

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
