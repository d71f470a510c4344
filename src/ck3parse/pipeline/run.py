"""One run: parse the files of a plan and record the results in the store."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

import msgspec

from ck3parse.extractors import CK3
from ck3parse.files.reading import CannotReadError
from ck3parse.files.transport import Give, by_name
from ck3parse.files.walk import Found
from ck3parse.messages import DEFAULT_DIALECT, DialectName, ParseRequest, ParseResult
from ck3parse.pipeline.batch import Batch, Limit, in_batches, limit_for
from ck3parse.pipeline.plan import Plan, content_hash
from ck3parse.store import Store

if TYPE_CHECKING:
    # They import Celery and threads, which a run that finds nothing to do does not need.
    from ck3parse.pipeline.extraction import Extraction
    from ck3parse.pipeline.indexing import Indexing, TextIndexing
    from ck3parse.pipeline.recorder import Recorded, Recorder
    from ck3parse.store.text_store import TextStore

MIN_TWIN_BYTES = 16 * 1024
"""Bytes below which files of the same size are not compared: parsing them twice is cheaper."""


class Answering(Protocol):
    """What answers requests, such as a `Window`."""

    @property
    def limit(self) -> int:
        """How many batches are in work at once."""

    def results(self, batches: Iterable[Batch]) -> Iterator[list[ParseResult]]:
        """Yield the results of each batch, in any order."""


class Run:
    """Parses the files of a plan and records each result in the store as it comes.

    Large files with the same content are parsed once: files of the same size are hashed here, and
    only the first of each content is sent.

    Args:
        plan: what to do.
        store: where to record, in a few transactions a second; nothing else may use it meanwhile.
        timeout_ms: milliseconds that one file may take.
        max_bytes: larger files are not read.
        dialect: how to read the files.
        give: puts a file into its request, when the window has room for it.
        indexing: what to index; it has begun. `None` leaves the index as it is. Localization files
            are parsed for their texts alone.
        extraction: which other rows to keep; it has begun.
    """

    def __init__(
        self,
        plan: Plan,
        store: "Store | TextStore",
        *,
        timeout_ms: int,
        max_bytes: int,
        dialect: DialectName = DEFAULT_DIALECT,
        give: Give = by_name,
        indexing: "Indexing | TextIndexing | None" = None,
        extraction: "Extraction | None" = None,
    ) -> None:
        self._plan = plan
        self._store = store
        self._timeout_ms = timeout_ms
        self._max_bytes = max_bytes
        self._dialect = dialect
        self._give = give
        self._indexing = indexing
        self._index = indexing.target if indexing else None
        self._extraction = extraction
        self._targets = self._index, extraction.target if extraction else None
        self._want_ast = indexing is None or indexing.want_ast
        wanted = [each for each in (indexing, extraction) if each]
        self._extract = [name for each in wanted for name in each.extract]
        self._relpath_of = wanted[0].relpath_of if wanted else lambda _: ""
        self._ids = itertools.count()
        self._sent: dict[str, Found] = {}
        self._hashes: dict[str, str] = {}
        """By request id: the content hash of a file that has the same size as another."""
        self._waiting: dict[str, list[Found]] = {}
        """By hash of a content in flight: other files with that content."""
        self._settled: dict[str, ParseResult] = {}
        """By hash of a content that was parsed: its result, without the AST."""
        self._unsettled: list[Found] = []
        self._recorder: Recorder

    def of_texts(self, plan: Plan, store: "TextStore") -> "Run":
        """Return a run of localization files with the same limits; this one has an index.

        Args:
            plan: what to do with them.
            store: where to record them.
        """
        from ck3parse.pipeline.indexing import TextIndexing

        return Run(
            plan,
            store,
            timeout_ms=self._timeout_ms,
            max_bytes=self._max_bytes,
            dialect=DEFAULT_DIALECT,
            give=self._give,
            indexing=TextIndexing(),
        )

    def record_known(self) -> None:
        """Record what needs no parsing; see `Plan.record_known`."""
        self._plan.record_known(self._store, *self._targets)

    def outcomes(
        self, window: Answering, check: Callable[[], None] = lambda: None
    ) -> "Iterator[Recorded]":
        """Parse, and yield files with their results once they are in the store.

        Args:
            window: where to send the batches.
            check: called after each batch; raises to end the run. What has come by then is recorded
                and yielded first.

        Raises:
            BrokerError: the broker or its workers are gone.
            StoreError: the store cannot be written.
        """
        from ck3parse.pipeline.recorder import Recorder

        # Largest first: the last batches are small, so all workers finish at the same time.
        files = sorted(self._plan.to_parse, key=attrgetter("size"), reverse=True)
        self._recorder = Recorder(self._store, *self._targets)
        with closing(self._recorder):
            yield from self._outcomes_of(window, check, self._requests(files))
            # If the first file of a content failed for another reason than its content, or another
            # program removed its result, send each of the others.
            again = _sent(map(self._request, self._unsettled + self._recorder.gone))
            yield from self._outcomes_of(window, check, again)

    def missing(self) -> dict[Found, list[str]]:
        """Return the files that must be read again, with the extractors whose rows are missing."""
        missing: defaultdict[Found, list[str]] = defaultdict(list)
        if self._index:
            for found in self._index.missing:
                missing[found].append(CK3)
        if self._extraction:
            for found, names in self._extraction.target.missing.items():
                # Else the answer would be taken for that of a worker that cannot index.
                missing[found] += [CK3, *names] if self._index and not missing[found] else names
        return missing

    def read_missing(
        self, window: Answering, check: Callable[[], None] = lambda: None
    ) -> Iterator[list[Found]]:
        """Read files again whose outcome is in the store; call it after `outcomes`.

        Args:
            window: where to send the batches.
            check: called after each batch; raises to end the run.

        Yields:
            The files of each batch, after it.

        Raises:
            BrokerError: the broker or its workers are gone.
            StoreError: the store cannot be written.
        """
        missing = self.missing()
        size = sum(found.size for found in missing)

        def limit() -> Limit:
            return limit_for(len(missing), size, window.limit, self._timeout_ms)

        requests = _sent(self._request(found, names) for found, names in missing.items())
        for results in window.results(in_batches(requests, limit)):
            found = [(self._sent.pop(result.id), result) for result in results]
            if self._index:
                self._store.record_rows(found, self._index.rule_of)
            if self._extraction:
                self._store.record_extractions(found, self._extraction.target)
                self._extraction.note(results)
            if self._indexing:
                self._indexing.note(results, is_known=True)
            yield [each for each, _ in found]
            check()

    def _outcomes_of(
        self,
        window: Answering,
        check: Callable[[], None],
        requests: Iterator[tuple[ParseRequest, int]],
    ) -> "Iterator[Recorded]":
        plan = self._plan
        files, size = len(plan.to_parse), plan.size_to_parse

        def limit() -> Limit:  # workers may come and go
            return limit_for(files, size, window.limit, self._timeout_ms)

        try:
            for results in window.results(in_batches(requests, limit)):
                self._recorder.add((self._sent.pop(result.id), result) for result in results)
                for result in results:
                    self._settle(result)
                if self._indexing:
                    self._indexing.note(results, is_known=False)
                if recorded := self._recorder.recorded():
                    yield recorded
                check()
        except GeneratorExit:  # the caller takes no more
            self._recorder.flush()
            raise
        except BaseException:  # an interrupt, or the broker is gone: keep what was parsed
            yield from self._rest()
            raise
        yield from self._rest()

    def _rest(self) -> "Iterator[Recorded]":
        if recorded := self._recorder.flush():
            yield recorded

    def _requests(self, files: list[Found]) -> Iterator[tuple[ParseRequest, int]]:
        for _, same_size in itertools.groupby(files, key=attrgetter("size")):
            self._settled.clear()  # files of another size have other contents
            group = list(same_size)
            may_be_twins = len(group) > 1 and group[0].size >= MIN_TWIN_BYTES
            for found in group:
                digest = content_hash(found.path, self._max_bytes) if may_be_twins else None
                if digest in self._settled:
                    self._recorder.add_known([_as_twin(found, self._settled[digest])])
                elif digest in self._waiting:
                    self._waiting[digest].append(found)
                else:
                    request = self._request(found)
                    if request is None:
                        continue
                    if digest:
                        self._hashes[request[0].id] = digest
                        self._waiting[digest] = []
                    yield request

    def _request(
        self, found: Found, missing: list[str] | None = None
    ) -> tuple[ParseRequest, int] | None:
        """Return the request to send and its size; record a failure if the file cannot be read.

        Args:
            found: the file.
            missing: the extractors whose rows alone are wanted, as its outcome is known.
        """
        relpath = self._relpath_of(found)
        request = ParseRequest(
            str(next(self._ids)),
            found.path,
            name=found.name,
            timeout_ms=self._timeout_ms,
            dialect=self._dialect,
            want_ast=missing is None and self._want_ast,
            extract=self._extract if missing is None else missing,
            relpath="" if relpath == found.name else relpath,  # a worker takes the name then
        )
        try:
            request = self._give(request)
        except CannotReadError as reason:
            if missing is not None:
                return None
            failure = ParseResult("", found.path)
            failure.error_type, failure.error = reason.error_type, reason.message
            self._recorder.add([(found, failure)])
            return None
        self._sent[request.id] = found
        return request, found.size if request.content is None else len(request.content)

    def _settle(self, result: ParseResult) -> None:
        digest = self._hashes.pop(result.id, None)
        if digest is None:
            return
        twins = self._waiting.pop(digest)
        # The file may have changed since it was hashed here.
        if result.of_the_content and result.content_hash == digest:
            self._settled[digest] = msgspec.structs.replace(result, ast=None)
            self._recorder.add_known(_as_twin(found, result) for found in twins)
        else:
            self._unsettled += twins


def _sent(
    requests: Iterable[tuple[ParseRequest, int] | None],
) -> Iterator[tuple[ParseRequest, int]]:
    return (request for request in requests if request)


def _as_twin(found: Found, result: ParseResult) -> tuple[Found, ParseResult]:
    return found, msgspec.structs.replace(result, path=found.path, ast=None, duration_ms=0.0)
