"""Decides what there is to do for an item."""

import json
import sqlite3
from collections.abc import Sequence

from ck3parse.qbuilder.build_queue import BuildQueue, Item
from ck3parse.qbuilder.in_hand import InHand
from ck3parse.qbuilder.installed import PARSE, REFS, SCRIPT_STEPS, SYMBOLS, Qbuilder
from ck3parse.qbuilder.outcome import Failure, Parsed, Postponed, failure, rows_of_stored
from ck3parse.qbuilder.parsing import size_of
from ck3parse.qbuilder.progress import Progress
from ck3parse.qbuilder.writer import StoredTree, Tree, Writer


class Routing:
    """Puts items where their next step is done.

    Args:
        qbuilder: the installed qbuilder, which has the steps of each envelope.
        queue: finds the files of items.
        writer: knows the trees that the database has.
        in_hand: the items in hand.
        progress: is told about each claimed item.
    """

    def __init__(
        self,
        qbuilder: Qbuilder,
        queue: BuildQueue,
        writer: Writer,
        in_hand: InHand,
        progress: Progress,
    ) -> None:
        self._qbuilder = qbuilder
        self._queue = queue
        self._writer = writer
        self._in_hand = in_hand
        self._progress = progress

    def steps(self, item: Item) -> tuple[str, ...]:
        """Return the steps of an item."""
        return self._qbuilder.steps.get(item.envelope, ())

    def envelopes_with_lookups(self) -> list[str]:
        """Return the envelopes with a step that is one of qbuilder's own functions."""
        return [envelope for envelope in self._qbuilder.steps if self._has_lookups(envelope)]

    def accept(self, most: int) -> None:
        """Decide for claimed items.

        Args:
            most: for how many at most; the others stay claimed.
        """
        hand = self._in_hand
        self._progress.building()
        items = hand.claimed[:most]
        self._queue.locate(items)
        hashes = json.dumps(sorted({item.content_hash for item in items}))
        stored = self._writer.stored(hashes)
        del hand.claimed[:most]
        for item in items:
            if item.cvid is None:
                hand.ready.append(Failure(item, f"File not found: file_id={item.file_id}"))
            elif not item.root:
                hand.ready.append(Failure(item, f"Cannot resolve root for cvid={item.cvid}"))
            else:
                self._progress.claimed(item, self.steps(item))
                self._dispatch(item, stored.get(item.content_hash))

    def ends_with(self, tree: Tree, item: Item) -> bool:
        """Return whether an item ends with the writing of its own or its leader's tree.

        A tree without symbols where the leader is may have some where another file is.
        """
        if SYMBOLS in self.steps(item) and not tree.symbols and item.relpath != tree.item.relpath:
            return False
        if self._has_lookups(item.envelope):
            return False
        return all(step in tree.steps for step in self.steps(item) if step in (SYMBOLS, REFS))

    def go_on(self, tree: Tree, followers: Sequence[Item]) -> None:
        """Go on with the items that did not end when a tree was written.

        Args:
            tree: the tree.
            followers: the items that waited for it.
        """
        for item in (tree.item, *followers):
            if self.ends_with(tree, item):
                continue
            stored = self._writer.stored(json.dumps([item.content_hash]))
            if item is tree.item or item.content_hash not in stored:
                self._after_script(item)
            else:
                self._use_stored(item, stored[item.content_hash])

    def _dispatch(self, item: Item, stored: StoredTree | None) -> None:
        """Send an item to where its first step is done."""
        hand, steps = self._in_hand, self.steps(item)
        if self._has_lookups(item.envelope):
            hand.lookups.add(item)
        if not any(step in SCRIPT_STEPS for step in steps):
            self._after_script(item)
            return
        try:
            size = size_of(item) if PARSE in steps else 0
        except OSError as error:
            hand.ready.append(failure(item, error))
            return
        if stored:
            self._use_stored(item, stored)
        elif leader := hand.contents.follow(item):
            if item.priority > 0:
                hand.parsing.hasten(leader.build_id)
        elif PARSE in steps:
            hand.contents.lead(item)
            hand.parsing.add(item, steps, size)
        else:  # there is no tree to take rows from
            self._after_script(item)

    def _after_script(self, item: Item) -> None:
        if not self._has_lookups(item.envelope):
            self._in_hand.ready.append(item)
        elif not self._in_hand.lookups.make_ready(item):
            self._in_hand.ready.append(Postponed(item))

    def _use_stored(self, item: Item, stored: StoredTree) -> None:
        """Complete an item whose tree the database has; make the rows that it lacks."""
        steps = self.steps(item)
        if not stored.lacks_rows(steps):
            self._after_script(item)
            return
        try:
            rows = rows_of_stored(self._writer.blob(stored.ast_id), item.relpath)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the tree may be anything
            self._in_hand.ready.append(failure(item, error))
        else:
            self._in_hand.ready.append(self._writer.stage(Parsed(item, steps, None, 0, rows)))

    def _has_lookups(self, envelope: str) -> bool:
        steps = self._qbuilder.steps.get(envelope, ())
        return any(step in self._qbuilder.lookups for step in steps)
