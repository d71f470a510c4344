"""The items whose files are being parsed: a bounded number, by an engine of the bridge."""

import contextlib
import itertools
import os
import queue
from collections import deque
from functools import partial
from heapq import heapify, nsmallest

import msgspec

from ck3parse.bridge import engine as engines
from ck3parse.bridge.protocols import Engine
from ck3parse.bridge.qbuilder_arguments import DEFAULT_PARSE_TIMEOUT
from ck3parse.bridge.requests import file_request, logged, unsendable
from ck3parse.bridge.subprocess_engine import Subprocesses
from ck3parse.errors import BrokerError, ErrorType
from ck3parse.extractors.qbuilder import EXTRACTOR
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.installed import REFS, SYMBOLS

TIMEOUT_MS = DEFAULT_PARSE_TIMEOUT * 1000
"""The time limit of a file: qbuilder's."""
MAX_BYTES = 32 * 1024 * 1024
"""Bytes of source in flight or not taken yet. Their compressed trees have about half as many."""


class _Sent(msgspec.Struct, eq=False):
    """An item that was sent.

    Attributes:
        item: the item.
        steps: the steps of its envelope.
        size: the size of its file in bytes.
        engine: parses it.
        requests: ids of its requests; a second one if it was sent again to be done sooner.
    """

    item: Item
    steps: tuple[str, ...]
    size: int
    engine: Engine
    requests: list[str] = []


class Parsing:
    """Sends items to be parsed, and returns the results as they come.

    Args:
        one_by_one: parse each file in a process of its own, as qbuilder does without its pool; else
            through the pipeline.
        timeout_ms: the time limit of a file in milliseconds.
    """

    def __init__(self, *, one_by_one: bool, timeout_ms: int = TIMEOUT_MS) -> None:
        self._timeout_ms = timeout_ms
        self._own = Subprocesses(1) if one_by_one else None
        self._waiting: deque[tuple[Item, tuple[str, ...], int]] = deque()
        self._sent: dict[int, _Sent] = {}
        self._bytes = 0
        self._answers: queue.PriorityQueue[tuple[bool, int, int, ParseResult]] = (
            queue.PriorityQueue()
        )
        """Whether it is in bulk, a number in order of arrival, `build_id`, and the result."""
        self._came = itertools.count()

    def __len__(self) -> int:
        """Return how many items are here."""
        return len(self._waiting) + len(self._sent)

    def add(self, item: Item, steps: tuple[str, ...], size: int) -> None:
        """Accept an item; those with a priority are sent at once by `send`, the others in turn.

        Args:
            item: the item.
            steps: the steps of its envelope.
            size: the size of its file in bytes.
        """
        if item.priority > 0:
            self._waiting.appendleft((item, steps, size))
        else:
            self._waiting.append((item, steps, size))

    def send(self) -> None:
        """Send as many items as there is room for.

        Raises:
            BrokerError: an embedded broker cannot be started.
            UsageError: a setting cannot be used.
        """
        urgent = False
        engine: Engine | None = None
        while self._waiting:
            item, steps, size = self._waiting[0]
            if item.priority <= 0 and self._sent and self._bytes + size > MAX_BYTES:
                break
            engine = engine or self._engine()
            self._waiting.popleft()
            sent = self._sent[item.build_id] = _Sent(item, steps, size, engine)
            self._bytes += size
            urgent = urgent or item.priority > 0
            self._submit(sent, bulk=item.priority <= 0)
        if urgent and engine:
            engine.flush()

    def hasten(self, build_id: int) -> None:
        """Send an item again, ahead of those in bulk; its first result counts."""
        if (sent := self._sent.get(build_id)) and len(sent.requests) == 1:
            self._submit(sent, bulk=False)
            sent.engine.flush()
            return
        for at, (item, steps, size) in enumerate(self._waiting):
            if item.build_id == build_id:
                del self._waiting[at]
                sent = self._sent[build_id] = _Sent(item, steps, size, self._engine())
                self._bytes += size
                self._submit(sent, bulk=False)
                sent.engine.flush()
                return

    def advance(self, most: int) -> None:
        """Have some results of items in bulk come in turn with those sent ahead of them.

        Args:
            most: how many. If none has come yet, the items that were sent first are sent again.
        """
        with self._answers.mutex:
            answers = self._answers.queue
            chosen = set(nsmallest(most, (came for bulk, came, *_ in answers if bulk)))
            answers[:] = [
                (bulk and came not in chosen, came, build_id, answer)
                for bulk, came, build_id, answer in answers
            ]
            heapify(answers)
        if not chosen:
            first = [sent.item for sent in self._sent.values()]
            first += [item for item, _, _ in self._waiting]
            for item in [item for item in first if item.priority <= 0][:most]:
                self.hasten(item.build_id)

    def take(self, timeout_s: float) -> tuple[Item, tuple[str, ...], ParseResult] | None:
        """Return an item with its steps and its result, or `None` if none has come.

        Those that were sent ahead of the bulk come first.

        Args:
            timeout_s: seconds to wait for it.
        """
        while True:
            try:
                _, _, build_id, answer = self._answers.get(timeout_s > 0, timeout_s or None)
            except queue.Empty:
                return None
            if sent := self._sent.pop(build_id, None):
                self._bytes -= sent.size
                if len(sent.requests) > 1:
                    self._drop(sent)
                return sent.item, sent.steps, answer

    def has_others(self) -> bool:
        """Return whether an item without a priority is here."""
        sent = (sent.item for sent in self._sent.values())
        waiting = (item for item, _, _ in self._waiting)
        return any(item.priority <= 0 for item in (*sent, *waiting))

    def has_urgent(self) -> bool:
        """Return whether a result has come of an item that was sent ahead of the bulk."""
        with self._answers.mutex:
            return bool(self._answers.queue) and not self._answers.queue[0][0]

    def withdraw(self) -> list[Item]:
        """Give up all items, and return them."""
        for sent in self._sent.values():
            self._drop(sent)
        items = [sent.item for sent in self._sent.values()]
        items += [item for item, _, _ in self._waiting]
        self._sent.clear()
        self._waiting.clear()
        self._bytes = 0
        return items

    def close(self) -> None:
        """Stop the processes that were started for this build alone."""
        if self._own:
            self._own.close()

    def _engine(self) -> Engine:
        return self._own or engines.engine()

    def _submit(self, sent: _Sent, *, bulk: bool) -> None:
        deliver = partial(self._deliver, sent.item.build_id, bulk)
        try:
            request = self._request(sent.item, sent.steps)
            answer = unsendable(request, sent.engine.max_file_bytes)
            if answer is None:
                sink = logged(deliver, request)
                sent.requests.append(sent.engine.submit(request, sent.size, sink, bulk=bulk))
        except BrokerError as error:  # it was closed meanwhile
            answer = ParseResult("", sent.item.path, error_type=ErrorType.WORKER_UNAVAILABLE)
            answer.error = str(error)
        if answer:
            deliver(answer)

    def _request(self, item: Item, steps: tuple[str, ...]) -> ParseRequest:
        request = file_request(item.path, self._timeout_ms, "strict")
        if SYMBOLS in steps or REFS in steps:
            relpath = item.relpath.replace("\\", "/")
            extract = [EXTRACTOR.full_name]
            return msgspec.structs.replace(request, extract=extract, relpath=relpath)
        return request

    def _deliver(self, build_id: int, bulk: bool, answer: ParseResult) -> None:
        self._answers.put((bulk, next(self._came), build_id, answer))

    def _drop(self, sent: _Sent) -> None:
        for request_id in sent.requests:
            with contextlib.suppress(BrokerError):
                sent.engine.drop(request_id)


def size_of(item: Item) -> int:
    """Return the size of an item's file in bytes.

    Raises:
        FileNotFoundError: there is no such file; with qbuilder's words.
        OSError: it cannot be looked at.
    """
    path = item.path
    try:
        return os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise FileNotFoundError(f"File not found: {path}") from None
