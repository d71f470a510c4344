"""Ends items: writes what came of many in one transaction, or runs a lookup.

A transaction that writes aims at `WRITE_S`, and the next one begins `GAP_S` later at the earliest;
what needs no lock is done between them. SQLite's busy handler tries again after 1 to 25 ms at
first, so a waiting writer gets its turn in the first gap.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import monotonic

from ck3parse.qbuilder.build_queue import BuildQueue, Item
from ck3parse.qbuilder.in_hand import InHand
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.lookups import run_lookups
from ck3parse.qbuilder.outcome import Failure, Unavailable, failure, outcome_of
from ck3parse.qbuilder.progress import Progress
from ck3parse.qbuilder.routing import Routing
from ck3parse.qbuilder.transaction import CHECKPOINT_BYTES, checkpoint, writing
from ck3parse.qbuilder.writer import Tree, Writer

MAX_READY_BYTES = 8 * 1024 * 1024
"""Bytes of JSON text that are decompressed ahead of a transaction."""
MAX_READY_ROWS = 8000
"""Symbols and references that are decoded ahead of a transaction."""
WRITE_S = 0.08
"""Seconds that a transaction should take; a single large file may take longer."""
GAP_S = 0.025
"""Seconds between two transactions."""
POLL_S = 0.02
"""Seconds to wait for results before looking for items with a priority."""
_ROW_BYTES = 400
_ITEM_BYTES = 400
"""Rough bytes that a row and its index entries, or a queue row, add to the log."""


class Ending:
    """Ends items.

    Args:
        db: a connection to the database.
        queue: the queue, on that connection.
        writer: writes trees and rows, on that connection.
        routing: decides what is to be done for items that do not end with their tree.
        in_hand: the items in hand.
        progress: is told about each item that ended.
        qbuilder: has the lookups.
        timeout_ms: the time limit of a file in milliseconds.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        queue: BuildQueue,
        writer: Writer,
        routing: Routing,
        in_hand: InHand,
        progress: Progress,
        qbuilder: Qbuilder,
        timeout_ms: int,
    ) -> None:
        self._db = db
        self._queue = queue
        self._writer = writer
        self._routing = routing
        self._in_hand = in_hand
        self._progress = progress
        self._qbuilder = qbuilder
        self._timeout_ms = timeout_ms
        self._written = 0.0
        self._limit_s = WRITE_S
        self._log_bytes = 0
        """Bytes written since the last checkpoint, roughly."""

    def checkpoint(self, least_bytes: int = CHECKPOINT_BYTES) -> None:
        """Make a checkpoint, if so much was written since the last one."""
        if self._log_bytes >= least_bytes:
            self._log_bytes = 0
            checkpoint(self._db)

    def take(self) -> None:
        """Take results until there is enough for a transaction, and it may begin."""
        hand = self._in_hand
        size = rows = 0
        for entry in hand.ready:
            if isinstance(entry, Tree):
                size += len(entry.ast_json or "")
                rows += entry.row_count
        while size < MAX_READY_BYTES and rows < MAX_READY_ROWS:
            wait_s = 0.0
            if len(hand.parsing):
                rest_s = self._written + GAP_S - monotonic()
                wait_s = max(0.0, rest_s) if hand.ready or hand.lookups else POLL_S
            taken = hand.parsing.take(wait_s)
            if taken is None:
                break
            outcome = outcome_of(*taken, self._timeout_ms)
            hand.ready.append(outcome)
            if isinstance(outcome, Tree):
                size += len(outcome.ast_json or "")
                rows += outcome.row_count
        rest_s = self._written + GAP_S - monotonic()
        if hand.ready and rest_s > 0:
            time.sleep(rest_s)

    def write(self) -> Unavailable | None:
        """Write what is ready in one transaction, as far as there is time.

        Returns:
            An item that nobody parsed, if there is one.
        """
        contents = self._in_hand.contents
        # Python sorts stably: those with equal priority stay in the order in which they came.
        ready = sorted(self._in_hand.ready, key=lambda entry: -_item(entry).priority)
        trees = [entry for entry in ready if isinstance(entry, Tree)]
        failures = [entry for entry in ready if isinstance(entry, Failure)]
        released = [entry.item for entry in ready if isinstance(entry, Unavailable)]
        completed = [entry for entry in ready if isinstance(entry, Item)]
        for item in [*released, *(found.item for found in failures)]:
            released += contents.waiting_for(item)
        began = monotonic()
        with writing(self._db):
            count = self._writer.write(trees, self._limit_s) if trees else 0
            for tree in trees[:count]:
                later = contents.waiting_for(tree.item)
                completed += [i for i in (tree.item, *later) if self._routing.ends_with(tree, i)]
            ended = self._queue.complete(completed)
            failed = [found for found in failures if self._fail(found)]
            if released:
                self._queue.release(released)
        self._written = monotonic()
        self._adapt(self._written - began, full=count < len(trees))
        self._log_bytes += sum(map(_bytes_of, trees[:count])) + _ITEM_BYTES * len(ready)
        self._in_hand.ready = list(trees[count:])
        for tree in trees[:count]:
            self._routing.go_on(tree)
        for item in [*released, *(found.item for found in failures)]:
            contents.drop(item)
        self._progress.ended([item for item in completed if item.build_id in ended], failed)
        lost = next((entry for entry in ready if isinstance(entry, Unavailable)), None)
        if trees and lost is None:
            self._progress.available()
        return lost

    def run_lookup(self, callers_rows: Callable[[], AbstractContextManager[None]]) -> None:
        """Run the lookup that is next, in a transaction of its own.

        Args:
            callers_rows: has the connection return rows as its owner expects them.
        """
        item = self._in_hand.lookups.popleft()
        error: Exception | None = None
        found: Failure | None = None
        with writing(self._db):
            with callers_rows():
                try:
                    run_lookups(item, self._routing.steps(item), self._qbuilder, self._db)
                except Exception as raised:  # noqa: BLE001 - it is qbuilder's function
                    error = raised
            if isinstance(error, sqlite3.Error) and not self._db.in_transaction:
                self._in_hand.lookups.appendleft(item)
                raise error
            if error is None:
                ended = bool(self._queue.complete([item]))
            else:
                # What it wrote until then stays, as with qbuilder's own worker.
                found = failure(item, error)
                ended = self._fail(found)
        self._written = monotonic()
        if ended:
            self._progress.ended([item] if found is None else [], [found] if found else [])

    def _fail(self, found: Failure) -> bool:
        return self._queue.fail(found.item, found.message, step=found.step, final=found.final)

    def _adapt(self, took_s: float, *, full: bool) -> None:
        """Bring the time of the next transaction nearer to `WRITE_S`."""
        if took_s > WRITE_S:
            self._limit_s = max(WRITE_S / 8, self._limit_s * max(0.5, WRITE_S / took_s))
        elif full:
            self._limit_s = min(WRITE_S, self._limit_s * 1.25)


def _item(entry: Tree | Failure | Unavailable | Item) -> Item:
    return entry if isinstance(entry, Item) else entry.item


def _bytes_of(tree: Tree) -> int:
    return len(tree.ast_json or "") + _ROW_BYTES * tree.row_count
