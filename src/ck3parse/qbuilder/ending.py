"""Ends items: writes what came of many in one transaction, or runs a lookup.

No other writer of the database waits for long:

- A transaction aims at `WRITE_S`, and a tree that would take it too far over that waits for the
  next one.
- The next transaction begins after a gap that is as long as the pauses between the tries of
  SQLite's busy handler: up to 25 ms after a wait of 128 ms, 50 ms after one of 228 ms, and 100 ms
  from then on. What needs no lock is done in the gap.

Items with a priority do not wait for long either. While it waits, takes results and prepares
their rows, a build looks for them every 10 ms, and once more when it has the lock, as others can
only have added them while it had not. Their results end the transaction at the next tree, and are
committed by themselves. If they come without end, the other items have a turn every `URGENT_S`.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from time import monotonic

from ck3parse.qbuilder.build_queue import BuildQueue, Item
from ck3parse.qbuilder.checkpoints import Checkpoints
from ck3parse.qbuilder.claiming import Claiming
from ck3parse.qbuilder.in_hand import InHand
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.lookups import run_lookups
from ck3parse.qbuilder.outcome import Failure, Parsed, Postponed, Unavailable, failure, outcome_of
from ck3parse.qbuilder.pace import Pace
from ck3parse.qbuilder.progress import Progress
from ck3parse.qbuilder.routing import Routing
from ck3parse.qbuilder.transaction import writing
from ck3parse.qbuilder.turns import Turns
from ck3parse.qbuilder.writer import Tree, Writer

WRITE_S = 0.1
"""Seconds that a transaction should take; a single large file may take longer."""
MOST_S = 0.12
"""Seconds that a transaction of several trees should not exceed."""
MAX_READY_BYTES = 24 * 1024 * 1024
"""Bytes of JSON text that are decompressed ahead of a transaction."""
POLL_S = 0.01
"""Seconds to wait for results before looking for items with a priority."""
_INSERTS_S = 0.07
"""Seconds after which no further tree is inserted: full-text indexes and commit come after that."""
_GAPS_S = ((0.125, 0.026), (0.225, 0.052))
_LONGEST_GAP_S = 0.105
"""By the most seconds that a transaction took: seconds until the next one begins."""
_ROW_BYTES = 400
_ITEM_BYTES = 400
"""Rough bytes that a row and its index entries, or a queue row, add to the log."""

Entry = Tree | Failure | Unavailable | Postponed | Item


class Ending:
    """Ends items.

    Args:
        db: a connection to the database.
        queue: the queue, on that connection.
        claiming: claims more items in the transactions that are made anyway.
        writer: writes trees and rows, on that connection.
        routing: decides what is to be done for items that do not end with their tree.
        in_hand: the items in hand.
        progress: is told about each item that ended.
        checkpoints: is told how much was written.
        turns: knows when it is the turn of items without a priority.
        attend: called between parts of longer work, outside of transactions; it looks for items
            with a priority, and may add to the items in hand.
        qbuilder: has the lookups.
        timeout_ms: the time limit of a file in milliseconds.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        queue: BuildQueue,
        claiming: Claiming,
        writer: Writer,
        routing: Routing,
        in_hand: InHand,
        progress: Progress,
        checkpoints: Checkpoints,
        turns: Turns,
        attend: Callable[[], None],
        qbuilder: Qbuilder,
        timeout_ms: int,
    ) -> None:
        self._db = db
        self._queue = queue
        self._claiming = claiming
        self._writer = writer
        self._routing = routing
        self._in_hand = in_hand
        self._progress = progress
        self._checkpoints = checkpoints
        self._turns = turns
        self._attend = attend
        self._qbuilder = qbuilder
        self._timeout_ms = timeout_ms
        self._pace = Pace()
        self._not_before = 0.0
        """When the gap ends."""
        self._was_urgent = False
        """Whether the last transaction did not wait for the end of a gap."""
        self._gave_way = False
        """Whether the last transaction claimed items with a priority instead of ending some."""

    def take(self) -> bool:
        """Take results until there is enough for a transaction, and it may begin.

        Returns:
            Whether to go on with a transaction; otherwise an item with a priority is to be claimed,
            or was.
        """
        hand = self._in_hand
        while self._is_turn():
            if not (rest_s := self._rest_s(urgent=False)):
                return True
            time.sleep(min(rest_s, POLL_S))
            self._attend()
        trees = [entry for entry in hand.ready if isinstance(entry, Tree)]
        rows, size = sum(tree.rows for tree in trees), sum(tree.size for tree in trees)
        urgent = any(map(self._urgency, hand.ready))
        urgent_size = sum(tree.size for tree in trees if self._urgency(tree))
        while not self._claiming.looks_and_sees_urgent(len(hand)):
            rest_s = self._rest_s(urgent=urgent)
            # The rest of a gap is used for the transaction after the next one.
            least_s = 2 * WRITE_S if rest_s else WRITE_S
            full = self._pace.seconds(rows, size) >= least_s or size >= MAX_READY_BYTES
            takes_urgent = hand.parsing.has_urgent() and urgent_size < MAX_READY_BYTES
            if (full or urgent or not len(hand.parsing)) and not takes_urgent:
                if not rest_s:
                    return True
                time.sleep(min(rest_s, POLL_S))
                continue
            idle = not (hand.ready or hand.lookups.next)
            taken = hand.parsing.take(POLL_S if idle else min(rest_s, POLL_S))
            if taken is None:
                if idle or not self._rest_s(urgent=urgent):
                    return True
                continue
            before = len(hand.ready)
            entry: Entry | Parsed = outcome_of(*taken, self._timeout_ms, self._attend)
            if isinstance(entry, Parsed):
                entry = self._writer.stage(entry)
                rows += entry.rows
                size += entry.size
            hand.ready.append(entry)
            if len(hand.ready) > before + 1:
                return False  # `attend` has added others, which may have a priority
            if self._urgency(entry):
                urgent = True
                urgent_size += entry.size if isinstance(entry, Tree) else 0
        return False

    def write(self) -> Unavailable | None:
        """Write what is ready in one transaction, as far as there is time.

        If an item with a priority has come meanwhile, it is claimed instead, but not twice in a row
        if others of its kind are ready, or if it is the turn of the rest.

        Returns:
            An item that nobody parsed, if there is one.
        """
        hand = self._in_hand
        urgent = [entry for entry in hand.ready if self._urgency(entry)]
        others = self._others()
        is_turn = bool(others) and self._turns.is_due
        is_urgent = bool(urgent) and not is_turn
        batch = _Batch(others if is_turn else urgent or others)
        with writing(self._db):
            began = monotonic()
            claimed = self._claiming.claim_urgent_within(len(hand))
            # A stream of items with a priority must not keep any from ending.
            ends_batch = not claimed or ((is_urgent or is_turn) and self._gave_way)
            self._gave_way = not ends_batch
            if ends_batch:
                self._end(batch, began, goes_on=is_urgent or is_turn)
                ending = len(batch.completed) + len(batch.failures) + len(batch.released)
                claimed += self._claiming.claim_within(len(hand) + len(claimed), ending)
        hand.claimed += claimed
        if is_urgent or not ends_batch:
            self._turns.was_urgent()
        else:
            self._turns.end()
        if not ends_batch:
            return None
        self._committed(began, is_urgent=is_urgent)
        self._pace.note(batch.rows, batch.size, monotonic() - began)
        self._forget(batch)
        self._progress.ended(
            [item for item in batch.completed if item.build_id in batch.ended], batch.failed
        )
        added = batch.size + _ROW_BYTES * batch.rows + _ITEM_BYTES * len(batch.ended)
        self._checkpoints.note(added)
        if batch.trees and batch.lost is None:
            self._progress.available()
        return batch.lost

    def is_turn_of_lookup(self) -> bool:
        """Return whether it is the turn of the items without a priority, and a lookup is next."""
        return self._turns.is_due and self._in_hand.lookups.next is not None and not self._others()

    def run_lookup(self, callers_rows: Callable[[], AbstractContextManager[None]]) -> None:
        """Run the lookup that is next, in a transaction of its own.

        It stays in hand if the lock is not to be had.

        Args:
            callers_rows: has the connection return rows as its owner expects them.
        """
        lookups = self._in_hand.lookups
        item = lookups.next
        if item is None:
            return
        error: Exception | None = None
        found: Failure | None = None
        with writing(self._db):
            began = monotonic()
            with callers_rows():
                try:
                    run_lookups(item, self._routing.steps(item), self._qbuilder, self._db)
                except Exception as raised:  # noqa: BLE001 - it is qbuilder's function
                    error = raised
            if isinstance(error, sqlite3.Error) and not self._db.in_transaction:
                raise error
            if error is None:
                ended = bool(self._queue.complete([item]))
            else:
                # What it wrote until then stays, as with qbuilder's own worker.
                found = failure(item, error)
                ended = self._fail(found)
                # It comes next again, and the others after it: they may write the same rows.
                self._queue.release(lookups.ready)
        if error is None:
            lookups.remove(item)
        else:
            lookups.cut(item)
        self._committed(began, is_urgent=False)
        self._turns.end()
        if ended:
            self._progress.ended([item] if found is None else [], [found] if found else [])

    def _is_turn(self) -> bool:
        return self._turns.is_due and bool(self._in_hand.lookups.next or self._others())

    def _others(self) -> list[Entry]:
        """Return what is ready of items without a priority."""
        return [entry for entry in self._in_hand.ready if not self._urgency(entry)]

    def _end(self, batch: "_Batch", began: float, *, goes_on: bool) -> None:
        """End the items of a batch, within a transaction that began at some time.

        Args:
            batch: the batch.
            began: the time.
            goes_on: whether to go on although a result of an item with a priority has come.
        """
        contents = self._in_hand.contents
        if batch.trees:
            trees = self._while_there_is_time(batch, began, goes_on=goes_on)
            self._writer.write(trees, sum(tree.rows for tree in batch.trees))
        for tree in batch.written:
            items = (tree.item, *contents.waiting_for(tree.item))
            batch.completed += [item for item in items if self._routing.ends_with(tree, item)]
        for item in batch.unparsed:
            batch.released += contents.waiting_for(item)
        for item in (*batch.unparsed, *batch.released):
            batch.postponed += self._in_hand.lookups.ready_after(item)
        batch.ended = self._queue.complete(batch.completed)
        batch.failed = [found for found in batch.failures if self._fail(found)]
        if batch.released or batch.postponed:
            self._queue.release([*batch.released, *batch.postponed])

    def _while_there_is_time(
        self, batch: "_Batch", began: float, *, goes_on: bool
    ) -> Iterator[Tree]:
        """Return the trees of a batch, at least one, until the transaction should end."""
        parsing = self._in_hand.parsing
        for tree in batch.trees:
            if batch.written and (
                self._pace.seconds(batch.rows + tree.rows, batch.size + tree.size) > MOST_S
                or monotonic() - began > _INSERTS_S
                or (parsing.has_urgent() and not goes_on)
            ):
                return
            batch.written.append(tree)
            batch.rows += tree.rows
            batch.size += tree.size
            yield tree

    def _forget(self, batch: "_Batch") -> None:
        """Take what a transaction ended out of the items in hand."""
        hand = self._in_hand
        gone = {id(entry) for entry in (*batch.entries, *batch.written)}
        hand.ready = [entry for entry in hand.ready if id(entry) not in gone]
        numbers = [
            min(rows)
            for entry in hand.ready
            if isinstance(entry, Tree)
            for rows in (entry.symbols, entry.refs)
            if rows
        ]
        self._writer.staging.drop_below(min(numbers, default=None))
        for item in (*batch.unparsed, *batch.released):
            hand.lookups.cut(item)
        for item in batch.unparsed:
            hand.contents.drop(item)
        # Nothing that is claimed meanwhile may wait for any of them.
        followers = [hand.contents.drop(tree.item) for tree in batch.written]
        for tree, items in zip(batch.written, followers, strict=True):
            self._routing.go_on(tree, items)
            self._attend()

    def _committed(self, began: float, *, is_urgent: bool) -> None:
        """Begin a gap after a transaction."""
        ended = monotonic()
        took_s = ended - began
        gap_s = next((gap_s for most_s, gap_s in _GAPS_S if took_s <= most_s), _LONGEST_GAP_S)
        self._not_before = ended + gap_s
        self._was_urgent = is_urgent

    def _rest_s(self, *, urgent: bool) -> float:
        """Return the seconds until a transaction may begin.

        Args:
            urgent: whether it is for items with a priority. It does not wait, unless the last one
                did not either.
        """
        if urgent and not self._was_urgent:
            return 0.0
        return max(0.0, self._not_before - monotonic())

    def _urgency(self, entry: Entry) -> int:
        item = entry if isinstance(entry, Item) else entry.item
        return self._in_hand.contents.urgency(item)

    def _fail(self, found: Failure) -> bool:
        return self._queue.fail(found.item, found.message, step=found.step, final=found.final)


class _Batch:
    """What a transaction ends.

    Args:
        entries: what is ready.

    Attributes:
        trees: the trees among them.
        failures: the failures among them.
        lost: one of those that nobody parsed, or `None`.
        unparsed: the items of which there is no tree.
        entries: all but the trees.
        written: the trees that were written.
        rows: how many rows they have.
        size: how many bytes they have.
        completed: items that are completed.
        released: items that go back to the queue.
        postponed: items whose turn at qbuilder's own functions comes again, behind one of these.
        ended: the keys of those completed items that still were this build's.
        failed: the failures whose items still were this build's.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.trees = [entry for entry in entries if isinstance(entry, Tree)]
        self.failures = [entry for entry in entries if isinstance(entry, Failure)]
        unavailable = [entry for entry in entries if isinstance(entry, Unavailable)]
        self.lost = next(iter(unavailable), None)
        postponed = [entry for entry in entries if isinstance(entry, Postponed)]
        self.released = [entry.item for entry in unavailable]
        self.postponed = [entry.item for entry in postponed]
        self.completed = [entry for entry in entries if isinstance(entry, Item)]
        self.unparsed = [*self.released, *(found.item for found in self.failures)]
        self.entries = [*self.failures, *unavailable, *postponed, *self.completed]
        self.written: list[Tree] = []
        self.rows = self.size = 0
        self.ended: set[int] = set()
        self.failed: list[Failure] = []
