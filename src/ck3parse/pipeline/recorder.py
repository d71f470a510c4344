"""Recording results in the store while more of them come."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING

from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store import ExtractionTarget, IndexTarget, Store

if TYPE_CHECKING:
    from ck3parse.store.text_store import TextStore

Recorded = list[tuple[Found, ParseResult]]

COMMIT_BYTES = 16 * 1024 * 1024
"""Bytes of results in one transaction: a commit waits for the disk, one a batch is slow.

As many may wait for a slow disk while a transaction runs; past that the run waits, too.
"""
COMMIT_INTERVAL_S = 0.25
"""Seconds between commits: the most work that a killed run loses, if the disk keeps up."""
RESULT_BYTES = 1_000
"""Bytes of memory that a result takes beside its AST and rows, roughly: most files are small."""


class Recorder:
    """Records results in a thread of its own, so that workers do not wait for a slow disk.

    It runs one transaction at a time; results that come meanwhile go into the next one. Nothing
    else may use the store until the recorder is closed.

    Args:
        store: where to record.
        index: as for `Store.record`.
        extraction: as for `Store.record`.

    Attributes:
        gone: files that were not recorded because another program removed the result of their
            content from the store.
    """

    def __init__(
        self,
        store: "Store | TextStore",
        index: IndexTarget | None = None,
        extraction: ExtractionTarget | None = None,
    ) -> None:
        self._store = store
        self._targets = index, extraction
        self._thread = ThreadPoolExecutor(1, "recorder")
        self._waiting: Recorded = []
        self._waiting_bytes = 0
        self._known: Recorded = []
        self._recording: Recorded = []
        self._written: Future[list[Found]] | None = None
        self.gone: list[Found] = []
        self._began = monotonic()

    @property
    def is_recording(self) -> bool:
        """Whether a transaction is running, or has ended and its files were not returned yet."""
        return self._written is not None

    def add(self, outcomes: Iterable[tuple[Found, ParseResult]]) -> None:
        """Record results in the next transaction."""
        for outcome in outcomes:
            self._waiting.append(outcome)
            result = outcome[1]
            rows = sum(map(len, result.rows.values()))
            self._waiting_bytes += RESULT_BYTES + len(result.ast or b"") + rows

    def add_known(self, outcomes: Iterable[tuple[Found, ParseResult]]) -> None:
        """Record results without ASTs, of contents that were added before or are in the store."""
        self._known += outcomes

    def recorded(self) -> Recorded:
        """Begin a transaction if one is due, and return what was recorded since the last call.

        Raises:
            StoreError: the store cannot be written.
        """
        done: Recorded = []
        many = self._waiting_bytes >= COMMIT_BYTES
        if self._written and (many or self._written.done()):
            done = self._end()
        if not self.is_recording and (many or monotonic() - self._began >= COMMIT_INTERVAL_S):
            self._begin()
        return done

    def flush(self) -> Recorded:
        """Record everything, and return what was recorded since the last call of `recorded`.

        Raises:
            StoreError: the store cannot be written.
        """
        done = self._end()
        self._begin()
        return done + self._end()

    def close(self) -> None:
        """Wait for the running transaction."""
        self._thread.shutdown()

    def _begin(self) -> None:
        self._began = monotonic()
        if self._waiting or self._known:
            new, known = self._waiting, self._known
            self._waiting, self._known, self._waiting_bytes = [], [], 0
            self._recording = new + known
            self._written = self._thread.submit(self._store.record, new, known, *self._targets)

    def _end(self) -> Recorded:
        if self._written is None:
            return []
        try:
            gone = self._written.result()
        except Exception:
            # Later transactions would fail too, and each may take seconds to do so.
            self._waiting, self._known, self._waiting_bytes, self._written = [], [], 0, None
            raise
        done, self._recording, self._written = self._recording, [], None
        if gone:
            self.gone += gone
            done = [each for each in done if each[0] not in gone]
        return done
