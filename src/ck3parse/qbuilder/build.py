"""The build: claims items, has them parsed, and writes what comes of many in one transaction.

One thread does it all. A round claims what there is room for, sends it to the pipeline, takes the
results that have come, and writes. Trees are decompressed right before they are written.

Rules that the speed depends on, or other writers:

- A transaction that writes aims at `WRITE_S`, and the next one begins `GAP_S` later at the
  earliest; what needs no lock is done between them. SQLite's busy handler tries again after 1 to 25
  ms at first, so a waiting writer gets its turn in the first gap.
- Each round looks for pending items with a priority. They are claimed beyond the usual number, go
  to the workers' interactive queue, and are written first.
- Of items with equal contents, the first one leads: the others wait for it. If it fails, they go
  back to the queue, and so the first one leads again, until it has used up its attempts.
"""

import json
import os
import sqlite3
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TypedDict

from ck3parse.bridge.engine import switched_off
from ck3parse.errors import BrokerError, StoreError
from ck3parse.qbuilder.build_queue import RENEW_S, BuildQueue, Item
from ck3parse.qbuilder.installed import PARSE, REFS, SCRIPT_STEPS, SYMBOLS, Qbuilder
from ck3parse.qbuilder.lookups import run_lookups
from ck3parse.qbuilder.observers import Logger, Observers, RunActivity
from ck3parse.qbuilder.outcome import (
    Failure,
    Unavailable,
    failure,
    outcome_of,
    rows_of_stored,
)
from ck3parse.qbuilder.parsing import TIMEOUT_MS, Parsing, size_of
from ck3parse.qbuilder.schema import read_schema
from ck3parse.qbuilder.transaction import CHECKPOINT_BYTES, checkpoint, tuned, writing
from ck3parse.qbuilder.writer import StoredTree, Tree, Writer

MAX_ITEMS = 1024
"""Items in hand: enough to keep a few workers busy while others are written."""
MAX_URGENT = 64
"""Items with a priority that are claimed beyond `MAX_ITEMS`."""
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
_RECOVER_S = 1.0
_PAUSE_S = 2.0
_PROGRESS_ITEMS = 100
_IDLE_POLLS = 12


class Summary(TypedDict):
    """What a build has done.

    Attributes:
        items_processed: number of attempts.
        completed: how many succeeded.
        errors: how many failed.
    """

    items_processed: int
    completed: int
    errors: int


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


def print_safely(line: str) -> None:
    """Print a line, with `?` for what the encoding of the output lacks; drop it if that fails."""
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    with suppress(OSError, ValueError):  # its reader is gone, or it was closed
        print(line.encode(encoding, "replace").decode(encoding))  # noqa: T201


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
        self._observers = observers
        self._max_items = max_items or None
        self._poll_interval_s = poll_interval_s
        self._shutdown = shutdown_event or threading.Event()
        self._qbuilder = qbuilder or Qbuilder()
        self._say = say
        self._outlast = outlast
        self._steps = self._qbuilder.steps
        only = None if self._qbuilder.folder else self._steps
        with self._plain_rows():
            self._queue = BuildQueue(db, read_schema(db), only)
        self._writer = Writer(db)
        self._one_by_one = switched_off()
        self._most = 1 if self._one_by_one else MAX_ITEMS
        self._timeout_ms = timeout_ms
        self._parsing = Parsing(one_by_one=self._one_by_one, timeout_ms=timeout_ms)
        self._claimed: list[Item] = []
        """Items that it is not decided yet what to do with."""
        self._ready: list[Tree | Failure | Unavailable | Item] = []
        """What the next transaction ends: an `Item` needs nothing but to be completed."""
        self._lookups: deque[Item] = deque()
        self._leaders: dict[str, Item] = {}
        """By content hash: the first of the items with it, in hand."""
        self._followers: dict[str, list[Item]] = {}
        """By content hash: the items that wait for their leader."""
        self.interrupted = False
        self.done = Summary(items_processed=0, completed=0, errors=0)
        self._idle_polls = 0
        self._renewed = self._recovered = self._written = 0.0
        self._limit_s = WRITE_S
        self._log_bytes = 0
        """Bytes written since the last checkpoint, roughly."""
        self._not_before = 0.0
        """No more items are claimed until then: broker or workers are away."""
        self._told_unavailable = False

    def run(self) -> Summary:
        """Work until there is a reason to stop, and release what is in hand.

        Raises:
            StoreError: the database cannot be written.
            UsageError: a setting cannot be used.
        """
        continuous = self._poll_interval_s is not None
        self._observers.event(
            "worker_start",
            {"continuous": continuous, "max_items": self._max_items, "pid": os.getpid()},
        )
        self._say(f"[Worker] Starting (continuous={continuous}, max_items={self._max_items})")
        with self._plain_rows(), tuned(self._db):
            try:
                self._work()
            finally:
                self._give_back()
                self._parsing.close()
        return self.done

    def _work(self) -> None:
        self._release_those_of_the_dead()
        while True:
            try:
                if reason := self._end():
                    self._exit(reason)
                    return
                if not self._round() and not self._wait_for_work():
                    self._exit("queue empty (non-continuous mode)")
                    return
            except KeyboardInterrupt:
                self.interrupted = True
                self._exit("keyboard interrupt")
                return
            except sqlite3.Error as error:
                if not _is_busy(error):
                    raise self._unwritable(error) from error
                self._say(f"[Worker] RECOVERED FROM CRASH: {type(error).__name__}: {error}")
                self._observers.event(
                    "worker_crash_recovered",
                    {
                        "error": f"{type(error).__name__}: {error}",
                        "traceback": traceback.format_exc(),
                        "processed": self.done["items_processed"],
                    },
                )
                self._shutdown.wait(_PAUSE_S)

    def _end(self) -> str | None:
        """Return why the build is over, or `None`."""
        if self._shutdown.is_set():
            return "shutdown signal received"
        if self._max_items and self.done["items_processed"] >= self._max_items:
            return f"max_items limit reached ({self._max_items})"
        return None

    def _exit(self, reason: str) -> None:
        processed = self.done["items_processed"]
        self._observers.event("worker_exit", {"reason": reason, "processed": processed})
        self._say(f"[Worker] Exiting: {reason} ({processed} processed)")

    def _round(self) -> bool:
        """Claim, send, take and write once; return whether anything is in hand."""
        self._renew()
        if self._log_bytes >= CHECKPOINT_BYTES:
            self._checkpoint()
        self._claim()
        self._accept()
        self._send()
        if not self._in_hand:
            return False
        self._take()
        if self._ready:
            self._write()
        elif self._lookups:
            self._run_lookup()
        return True

    def _checkpoint(self) -> None:
        self._log_bytes = 0
        checkpoint(self._db)

    @property
    def _in_hand(self) -> int:
        followers = sum(map(len, self._followers.values()))
        here = len(self._claimed) + len(self._ready) + len(self._lookups)
        return here + len(self._parsing) + followers

    def _renew(self) -> None:
        if monotonic() - self._renewed >= RENEW_S:
            if self._renewed:
                with writing(self._db):
                    self._queue.renew()
            self._renewed = monotonic()

    def _claim(self) -> None:
        """Claim what there is room for, or items with a priority."""
        now = monotonic()
        if now < self._not_before:
            return
        in_hand = self._in_hand
        limit, above = 0, None
        if in_hand <= self._most * 3 // 4:
            if self._queue.has_pending():
                limit = self._most - in_hand
        elif in_hand < self._most + MAX_URGENT and not self._one_by_one:
            limit, above = self._most + MAX_URGENT - in_hand, 0
            limit = limit if self._queue.has_urgent() else 0
        if self._max_items:
            limit = min(limit, self._max_items - self.done["items_processed"] - in_hand)
        expired = False
        if now - self._recovered >= _RECOVER_S:
            self._recovered = now
            expired = self._queue.has_expired()
        if limit <= 0 and not expired:
            return
        errors = again = 0
        with writing(self._db):
            if expired:
                errors, again = self._queue.recover()
            items = self._queue.claim(max(0, limit), above=above)
        self._claimed += items
        if errors:
            self._say(f"[Recovery] Marked {errors} repeatedly-failing items as errors")
        if again:
            self._say(f"[Recovery] Reset {again} expired leases to pending")

    def _accept(self) -> None:
        """Decide for claimed items what there is to do."""
        if not self._claimed:
            return
        self._idle_polls = 0
        self._observers.building()
        self._queue.locate(self._claimed)
        hashes = json.dumps(sorted({item.content_hash for item in self._claimed}))
        stored = self._writer.stored(hashes)
        items, self._claimed = self._claimed, []
        for item in items:
            if item.cvid is None:
                self._ready.append(Failure(item, f"File not found: file_id={item.file_id}"))
            elif not item.root:
                self._ready.append(Failure(item, f"Cannot resolve root for cvid={item.cvid}"))
            else:
                steps = self._steps.get(item.envelope, ())
                self._observers.claimed(item.file_id, item.relpath, item.envelope, steps)
                self._dispatch(item, steps, stored.get(item.content_hash))

    def _dispatch(self, item: Item, steps: tuple[str, ...], stored: StoredTree | None) -> None:
        """Send an item to where its first step is done."""
        if not any(step in SCRIPT_STEPS for step in steps):
            self._after_script(item, steps)
            return
        try:
            size = size_of(item) if PARSE in steps else 0
        except OSError as error:
            self._ready.append(failure(item, error))
            return
        if stored:
            self._use_stored(item, steps, stored)
        elif item.content_hash in self._leaders:
            self._follow(item)
        elif PARSE in steps:
            self._leaders[item.content_hash] = item
            self._parsing.add(item, steps, size)
        else:  # there is no tree to take rows from
            self._after_script(item, steps)

    def _follow(self, item: Item) -> None:
        self._followers.setdefault(item.content_hash, []).append(item)
        if item.priority > 0:
            self._parsing.hasten(self._leaders[item.content_hash].build_id)

    def _after_script(self, item: Item, steps: tuple[str, ...]) -> None:
        if any(step in self._qbuilder.lookups for step in steps):
            self._lookups.append(item)
        else:
            self._ready.append(item)

    def _use_stored(self, item: Item, steps: tuple[str, ...], stored: StoredTree) -> None:
        """Complete an item whose tree the database has; make the rows that it lacks."""
        if not stored.lacks_rows(steps):
            self._after_script(item, steps)
            return
        try:
            rows = rows_of_stored(self._writer.blob(stored.ast_id), item.relpath)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the tree may be anything
            self._ready.append(failure(item, error))
        else:
            self._ready.append(Tree(item, steps, None, 0, rows))

    def _send(self) -> None:
        try:
            self._parsing.send()
        except BrokerError as error:
            self._unavailable(str(error))
            self._ready += [Unavailable(item, str(error)) for item in self._parsing.withdraw()]

    def _take(self) -> None:
        """Take results until there is enough for a transaction, and it may begin."""
        size = rows = 0
        for entry in self._ready:
            if isinstance(entry, Tree):
                size += len(entry.ast_json or "")
                rows += entry.row_count
        while size < MAX_READY_BYTES and rows < MAX_READY_ROWS:
            wait_s = 0.0
            if len(self._parsing):
                rest_s = self._written + GAP_S - monotonic()
                wait_s = max(0.0, rest_s) if self._ready or self._lookups else POLL_S
            taken = self._parsing.take(wait_s)
            if taken is None:
                break
            item, steps, answer = taken
            outcome = outcome_of(item, steps, answer, self._timeout_ms)
            self._ready.append(outcome)
            if isinstance(outcome, Tree):
                size += len(outcome.ast_json or "")
                rows += outcome.row_count
        rest_s = self._written + GAP_S - monotonic()
        if self._ready and rest_s > 0:
            time.sleep(rest_s)

    def _write(self) -> None:
        """Write what is ready in one transaction, as far as there is time."""
        # Python sorts stably: those with equal priority stay in the order in which they came.
        ready = sorted(self._ready, key=lambda entry: -_item(entry).priority)
        trees = [entry for entry in ready if isinstance(entry, Tree)]
        failures = [entry for entry in ready if isinstance(entry, Failure)]
        released = [entry.item for entry in ready if isinstance(entry, Unavailable)]
        completed = [entry for entry in ready if isinstance(entry, Item)]
        for item in [*released, *(found.item for found in failures)]:
            released += self._waiting_for(item)
        began = monotonic()
        with writing(self._db):
            count = self._writer.write(trees, self._limit_s) if trees else 0
            for tree in trees[:count]:
                later = self._waiting_for(tree.item)
                completed += [item for item in (tree.item, *later) if self._ends_with(tree, item)]
            ended = self._queue.complete(completed)
            failed = [found for found in failures if self._fail(found)]
            if released:
                self._queue.release(released)
        self._written = monotonic()
        self._adapt(self._written - began, full=count < len(trees))
        self._log_bytes += sum(map(_bytes_of, trees[:count])) + _ITEM_BYTES * len(ready)
        self._ready = list(trees[count:])
        for tree in trees[:count]:
            self._forget_leader(tree)
        for item in [*released, *(found.item for found in failures)]:
            self._drop_leader(item)
        self._report([item for item in completed if item.build_id in ended], failed)
        if unavailable := next((e for e in ready if isinstance(e, Unavailable)), None):
            self._unavailable(unavailable.reason)
        elif trees:
            self._told_unavailable = False

    def _waiting_for(self, item: Item) -> list[Item]:
        if self._leaders.get(item.content_hash) is not item:
            return []
        return self._followers.get(item.content_hash, [])

    def _ends_with(self, tree: Tree, item: Item) -> bool:
        """Return whether an item ends with the writing of its own or its leader's tree.

        A tree without symbols where the leader is may have some where another file is.
        """
        steps = self._steps.get(item.envelope, ())
        if SYMBOLS in steps and not tree.rows.symbols and item.relpath != tree.item.relpath:
            return False
        if any(step in self._qbuilder.lookups for step in steps):
            return False
        return all(step in tree.steps for step in steps if step in (SYMBOLS, REFS))

    def _forget_leader(self, tree: Tree) -> None:
        """Go on with the items that did not end when this tree was written."""
        followers = self._waiting_for(tree.item)
        self._drop_leader(tree.item)
        left = [item for item in (tree.item, *followers) if not self._ends_with(tree, item)]
        for item in left:
            steps = self._steps.get(item.envelope, ())
            stored = self._writer.stored(json.dumps([item.content_hash]))
            if item is tree.item or item.content_hash not in stored:
                self._after_script(item, steps)
            else:
                self._use_stored(item, steps, stored[item.content_hash])

    def _drop_leader(self, item: Item) -> None:
        if self._leaders.get(item.content_hash) is item:
            del self._leaders[item.content_hash]
            self._followers.pop(item.content_hash, None)

    def _fail(self, found: Failure) -> bool:
        return self._queue.fail(found.item, found.message, step=found.step, final=found.final)

    def _adapt(self, took_s: float, *, full: bool) -> None:
        """Bring the time of the next transaction nearer to `WRITE_S`."""
        if took_s > WRITE_S:
            self._limit_s = max(WRITE_S / 8, self._limit_s * max(0.5, WRITE_S / took_s))
        elif full:
            self._limit_s = min(WRITE_S, self._limit_s * 1.25)

    def _run_lookup(self) -> None:
        """Run the first lookup; it stays in hand if the lock is not to be had."""
        item = self._lookups[0]
        steps = self._steps.get(item.envelope, ())
        error: Exception | None = None
        found: Failure | None = None
        with writing(self._db):
            with self._callers_rows():
                try:
                    run_lookups(item, steps, self._qbuilder, self._db)
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
                self._queue.release(self._lookups)
        if error is None:
            self._lookups.popleft()
        else:
            self._lookups.clear()
        self._written = monotonic()
        if ended:
            self._report([item] if found is None else [], [found] if found else [])

    def _report(self, completed: Sequence[Item], failed: Sequence[Failure]) -> None:
        for item in completed:
            self._say(f"Building: {item.relpath} [{item.envelope}]")
            self.done["completed"] += 1
            self._count()
            self._observers.completed(item.file_id, item.relpath)
        for found in failed:
            item = found.item
            if not item.root:  # qbuilder's own worker does not take it for an attempt
                continue
            self._say(f"Building: {item.relpath} [{item.envelope}]")
            self._say(f"  Error: {found.message}")
            self.done["errors"] += 1
            self._count()
            self._observers.failed(item.file_id, item.relpath, found.message)

    def _count(self) -> None:
        self.done["items_processed"] += 1
        if (processed := self.done["items_processed"]) % _PROGRESS_ITEMS == 0:
            completed, errors = self.done["completed"], self.done["errors"]
            self._observers.event(
                "worker_progress",
                {"processed": processed, "completed": completed, "errors": errors},
            )
            self._say(
                f"[Worker] Progress: {processed} processed, {completed} completed, {errors} errors"
            )

    def _unavailable(self, reason: str) -> None:
        """Pause: broker or workers are away, and their items went back to the queue."""
        self._not_before = monotonic() + _PAUSE_S
        if not self._told_unavailable:
            self._told_unavailable = True
            self._say(f"[Worker] Waiting for the pipeline: {reason}")
        self._outlast(BrokerError(reason))

    def _wait_for_work(self) -> bool:
        """Wait until it is time to look for items again; return false if the build is over."""
        if (pause_s := self._not_before - monotonic()) > 0:
            self._shutdown.wait(pause_s)
            return True
        if self._queue.has_pending():
            return True
        self._idle_polls += 1
        if self._idle_polls == 1:
            if self._log_bytes:
                self._checkpoint()
            self._observers.idle()
        if self._poll_interval_s is None:
            return False
        if self._idle_polls % _IDLE_POLLS == 1:
            processed = self.done["items_processed"]
            self._observers.event(
                "worker_idle", {"polls": self._idle_polls, "processed": processed}
            )
            self._say(
                f"[Worker] Waiting for work... ({processed} processed, idle for"
                f" {self._idle_polls * self._poll_interval_s:.0f}s)"
            )
        self._shutdown.wait(self._poll_interval_s)
        return True

    def _release_those_of_the_dead(self) -> None:
        in_process = [
            envelope
            for envelope, steps in self._steps.items()
            if any(step in self._qbuilder.lookups for step in steps)
        ]
        try:
            with writing(self._db):
                released = self._queue.release_those_of_the_dead(in_process)
        except sqlite3.Error as error:
            if not _is_busy(error):
                raise self._unwritable(error) from error
            return  # their leases end by themselves
        if released:
            self._say(f"[Recovery] Reset {released} items of builds that died to pending")

    def _give_back(self) -> None:
        """Make the items that are still in hand pending again; otherwise their leases end."""
        self._parsing.withdraw()
        try:
            with writing(self._db):
                self._queue.release_all()
        except sqlite3.Error as error:
            self._say(f"[Worker] Claimed items stay so until their leases end ({error})")

    def _unwritable(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"qbuilder's database cannot be written ({error}): make sure that it may be written to"
            " and that its disk has room, and start the build again; no item is lost"
        )

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


def _item(entry: Tree | Failure | Unavailable | Item) -> Item:
    return entry if isinstance(entry, Item) else entry.item


def _bytes_of(tree: Tree) -> int:
    return len(tree.ast_json or "") + _ROW_BYTES * tree.row_count


def _is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection has the lock."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
