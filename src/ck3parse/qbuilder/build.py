"""The build: claims items, has them parsed, and writes what comes of many in one transaction.

One thread does it all. A round claims what there is room for, sends it to the pipeline, takes the
results that have come, and writes. Each round, and each longer part of one, looks for pending items
with a priority: they are claimed beyond the usual number, go to the workers' interactive queue, and
are written first. If they come without end, the others have a turn now and then.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ck3parse.bridge.engine import switched_off
from ck3parse.errors import BrokerError, StoreError
from ck3parse.qbuilder.build_queue import BuildQueue
from ck3parse.qbuilder.checkpoints import Checkpoints
from ck3parse.qbuilder.claiming import Claiming
from ck3parse.qbuilder.ending import Ending
from ck3parse.qbuilder.in_hand import InHand
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.observers import Logger, Observers, RunActivity
from ck3parse.qbuilder.outcome import Unavailable
from ck3parse.qbuilder.parsing import TIMEOUT_MS, Parsing
from ck3parse.qbuilder.progress import Progress, Summary, print_safely
from ck3parse.qbuilder.routing import Routing
from ck3parse.qbuilder.schema import read_schema
from ck3parse.qbuilder.transaction import large_cache
from ck3parse.qbuilder.turns import TURN_ITEMS, Turns
from ck3parse.qbuilder.writer import Writer

_PAUSE_S = 2.0
_ACCEPTED_ITEMS = 64
"""Claimed items that are looked at before looking for items with a priority."""


def run_build_worker(
    conn: sqlite3.Connection,
    max_items: int | None = None,
    logger: Logger | None = None,
    continuous: bool = True,
    poll_interval: float = 5.0,
    shutdown_event: threading.Event | None = None,
    run_activity: RunActivity | None = None,
) -> Summary:
    """Work on qbuilder's build queue; takes the place of qbuilder's function of this name.

    It leaves the database that qbuilder's own worker leaves. With `QBUILDER_PERSISTENT_PARSE` set
    to 0, false, no or off it works on one item after the other, each in a process of its own; else
    on many at a time, through the pipeline.

    Args:
        conn: a connection to qbuilder's database.
        max_items: number of attempts to stop after; `None`: no limit.
        logger: its `log_event`, `item_claimed`, `item_complete` and `item_error` are called. An
            item's end is told after its transaction. What a call raises is logged and ignored.
        continuous: whether to wait for more items when there are none; otherwise it returns.
        poll_interval: seconds between looks at an empty queue.
        shutdown_event: once it is set, the items in hand go back to the queue, and it returns.
        run_activity: its `set_state`, `set_idle` and `record_item` are called, like the logger's.

    Returns:
        The number of attempts, and how many of them succeeded and failed.

    Raises:
        StoreError: it is not qbuilder's database, or it cannot be written.
        UsageError: a setting or qbuilder's routing table cannot be used.
    """
    build = Build(
        conn,
        observers=Observers(logger, run_activity),
        max_items=max_items,
        poll_interval_s=poll_interval if continuous else None,
        shutdown_event=shutdown_event,
    )
    return build.run()


class Build:
    """One run of the build worker.

    Args:
        db: a connection to qbuilder's database.
        observers: are told what happens.
        max_items: number of attempts to stop after; `None`: no limit.
        poll_interval_s: seconds between looks at an empty queue; `None`: end when it is empty.
        shutdown_event: ends the build once it is set.
        qbuilder: the installed qbuilder.
        say: called with each line that qbuilder's own worker would print.
        outlast: called with what is wrong when nobody parses; returns to try again.
        timeout_ms: the time limit of a file in milliseconds.

    Attributes:
        done: what it has done so far.
        interrupted: whether it ended by a `KeyboardInterrupt`.

    Raises:
        StoreError: it is not qbuilder's database.
        UsageError: qbuilder's routing table cannot be read.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        observers: Observers,
        max_items: int | None = None,
        poll_interval_s: float | None = None,
        shutdown_event: threading.Event | None = None,
        qbuilder: Qbuilder | None = None,
        say: Callable[[str], None] = print_safely,
        outlast: Callable[[BrokerError], None] = lambda _: None,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self._db = db
        self._max_items = max_items or None
        self._poll_interval_s = poll_interval_s
        self._shutdown = shutdown_event or threading.Event()
        self._outlast = outlast
        self._callers = db.row_factory
        qbuilder = qbuilder or Qbuilder()
        one_by_one = switched_off()
        only = None if qbuilder.folder else qbuilder.steps
        with self._plain_rows():
            queue = BuildQueue(db, read_schema(db), only)
        writer = Writer(db)
        self._progress = progress = Progress(observers, say)
        self._parsing = Parsing(one_by_one=one_by_one, timeout_ms=timeout_ms)
        self._in_hand = hand = InHand(self._parsing)
        self._claiming = Claiming(
            db, queue, progress, one_by_one=one_by_one, max_items=self._max_items
        )
        self._routing = Routing(qbuilder, queue, writer, hand, progress)
        self._staging = writer.staging
        self._staging.between = self._attend
        self._checkpoints = Checkpoints(db)
        self._turns = Turns(takes_turns=not one_by_one)
        self._attending = False
        self._ending = Ending(
            db,
            queue=queue,
            claiming=self._claiming,
            writer=writer,
            routing=self._routing,
            in_hand=hand,
            progress=progress,
            checkpoints=self._checkpoints,
            turns=self._turns,
            attend=self._attend,
            qbuilder=qbuilder,
            timeout_ms=timeout_ms,
        )
        self._has_pending = queue.has_pending
        self._running = queue.running
        self.interrupted = False
        self.done = progress.done

    def run(self) -> Summary:
        """Work until there is a reason to stop, and release what is in hand.

        Raises:
            StoreError: the database cannot be written.
            UsageError: a setting cannot be used.
        """
        continuous = self._poll_interval_s is not None
        self._progress.start(continuous=continuous, max_items=self._max_items)
        with (
            self._running(),
            self._plain_rows(),
            large_cache(self._db),
            self._checkpoints.running(),
        ):
            try:
                with self._staging.attached():
                    self._work()
            except sqlite3.Error as error:
                raise _unwritable(error) from error
            finally:
                self._parsing.withdraw()
                self._claiming.release_all()
                self._parsing.close()
        return self.done

    def _work(self) -> None:
        self._release_those_of_the_dead()
        while True:
            try:
                if reason := self._end():
                    self._progress.exit(reason)
                    return
                if not self._round() and not self._wait_for_work():
                    self._progress.exit("queue empty (non-continuous mode)")
                    return
            except KeyboardInterrupt:
                self.interrupted = True
                self._progress.exit("keyboard interrupt")
                return
            except sqlite3.Error as error:
                if not _is_busy(error):
                    raise
                self._progress.survived(error)
                self._shutdown.wait(_PAUSE_S)

    def _end(self) -> str | None:
        """Return why the build is over, or `None`."""
        if self._shutdown.is_set():
            return "shutdown signal received"
        if self._max_items and self.done["items_processed"] >= self._max_items:
            return f"max_items limit reached ({self._max_items})"
        return None

    def _round(self) -> bool:
        """Claim, send, take and write once; return whether anything is in hand."""
        hand = self._in_hand
        self._claiming.renew()
        hand.claimed += self._claiming.claim(len(hand))
        if self._turns.chooses():
            self._begin_turn()
        while hand.claimed:
            self._routing.accept(_ACCEPTED_ITEMS)
            self._send()
            if self._claiming.looks_and_sees_urgent(len(hand)):
                hand.claimed = self._claiming.claim(len(hand)) + hand.claimed
        # Those for which there was no room before.
        self._send()
        if not len(hand):
            return False
        if not self._ending.take():
            return True
        if hand.ready and not self._ending.is_turn_of_lookup():
            if lost := self._ending.write():
                self._pause(lost.reason)
        elif hand.lookups.next:
            self._ending.run_lookup(self._callers_rows)
        return True

    def _attend(self) -> None:
        """Claim and send items with a priority in the middle of other work.

        Call it outside of transactions.
        """
        hand = self._in_hand
        if self._attending or not self._claiming.looks_and_sees_urgent(len(hand)):
            return
        self._attending = True
        try:
            claimed = self._claiming.claim_urgent(len(hand))
            hand.claimed = claimed + hand.claimed
            if claimed:
                self._routing.accept(len(claimed))
                self._send()
        except sqlite3.Error as error:
            if not _is_busy(error):
                raise
            # The next round tries again.
        finally:
            self._attending = False

    def _begin_turn(self) -> None:
        """See to it that an item without a priority can end next."""
        hand = self._in_hand
        if hand.has_others():
            hand.parsing.advance(TURN_ITEMS)
            return
        others = self._claiming.claim_others(TURN_ITEMS, len(hand))
        hand.claimed += others
        if not others:
            self._turns.end()

    def _send(self) -> None:
        try:
            self._parsing.send()
        except BrokerError as error:
            lost = [Unavailable(item, str(error)) for item in self._parsing.withdraw()]
            self._in_hand.ready += lost
            self._pause(str(error))

    def _pause(self, reason: str) -> None:
        """Claim nothing for a while: broker or workers are away."""
        self._claiming.pause(_PAUSE_S)
        self._progress.unavailable(reason)
        self._outlast(BrokerError(reason))

    def _wait_for_work(self) -> bool:
        """Wait until it is time to look for items again; return false if the build is over."""
        if pause_s := self._claiming.pause_s:
            self._shutdown.wait(pause_s)
            return True
        if self._has_pending():
            return True
        if self._progress.idle(self._poll_interval_s):
            self._checkpoints.finish()
        if self._poll_interval_s is None:
            return False
        self._shutdown.wait(self._poll_interval_s)
        return True

    def _release_those_of_the_dead(self) -> None:
        try:
            self._claiming.release_those_of_the_dead(self._routing.envelopes_with_lookups())
        except sqlite3.Error as error:
            if not _is_busy(error):
                raise
            # Their leases end by themselves.

    @contextmanager
    def _plain_rows(self) -> Iterator[None]:
        """Have rows as tuples, whatever the caller's connection makes of them."""
        self._callers = self._db.row_factory
        self._db.row_factory = None
        try:
            yield
        finally:
            self._db.row_factory = self._callers

    @contextmanager
    def _callers_rows(self) -> Iterator[None]:
        self._db.row_factory = self._callers
        try:
            yield
        finally:
            self._db.row_factory = None


def _is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection has the lock."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _unwritable(error: sqlite3.Error) -> StoreError:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            what_to_do = (
                "the file is damaged: restore a copy of it, or have qbuilder make a new one"
            )
        case sqlite3.SQLITE_ERROR:
            what_to_do = (
                "it was changed while it was built: run `ck3parse qbuilder check --db FILE`, and"
                " start the build again; no item is lost"
            )
        case _:
            what_to_do = (
                "make sure that it may be written to and that its disk has room, and start the"
                " build again; no item is lost"
            )
    return StoreError(f"qbuilder's database cannot be written ({error}): {what_to_do}")
