"""Step B: the time of each stage of a file, in this process and through broker and worker."""

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from time import perf_counter
from typing import Literal, NamedTuple

import msgspec
import zstandard
from celery import Celery
from celery.result import AsyncResult

from ck3parse.config import QUEUE_INTERACTIVE, Settings
from ck3parse.diagnosis.report import Stages
from ck3parse.errors import BrokerError, ErrorType
from ck3parse.files.names import NOT_UTF8, printable_name
from ck3parse.files.path_map import PathMap
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.files.walk import Found
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.messaging.compression import compressor
from ck3parse.parser import parse_bytes, parser_in_use
from ck3parse.parser.outcome import fill_result
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.window import Answer, Window
from ck3parse.store import Store

TRIPS = 3
ANSWER_LIMIT_S = 15.0
TIMEOUT_MS = 10_000
_POLL_S = 0.05
_SAMPLE = b"trait_1 = {\n\tindex = 1\n\tgood = yes\n\ttrigger = { age >= 16 }\n}\n" * 300


class Local(NamedTuple):
    """A file as parsed by this process.

    Attributes:
        stages: with the times of this process.
        data: the bytes of the file, or `None` if it could not be read.
        result: what a worker should return, apart from its times.
    """

    stages: Stages
    data: bytes | None
    result: ParseResult


def local_way(path: str, settings: Settings) -> Local:
    """Read and parse a file in this process, and measure each stage.

    Args:
        path: the file; empty for the built-in sample.
        settings: settings with the limits.
    """
    shown = printable_name(path)
    stages = Stages(shown)
    result = ParseResult("", shown)
    times = stages.local_ms
    data = _SAMPLE
    compress = compressor()
    compress(parse_bytes(b"", "").ast_json or b"")  # the first use takes longer
    if path and path != shown:
        stages.error_type = result.error_type = ErrorType.PATH_NOT_ALLOWED
        stages.error = result.error = NOT_UTF8
        return Local(stages, None, result)
    if path:
        began = perf_counter()
        with suppress(OSError, ValueError):  # reading it reports why
            os.stat(path)
        times["stat"] = _ms_since(began)
        try:
            for stage in ("read", "read again"):
                began = perf_counter()
                data = read_script(path, max_bytes=settings.max_file_bytes)
                times[stage] = _ms_since(began)
        except CannotReadError as error:
            result.error_type, result.error = error.error_type, error.message
            stages.error_type, stages.error = result.error_type, result.error
            return Local(stages, None, result)
    stages.size = result.size = len(data)
    began = perf_counter()
    result.content_hash = hashlib.sha256(data).hexdigest()
    times["hash"] = _ms_since(began)
    began = perf_counter()
    outcome = parse_bytes(data, path, max_depth=settings.max_depth)
    times["parse"] = _ms_since(began)
    ast = None
    if outcome.ast_json is not None:
        began = perf_counter()
        ast = compress(outcome.ast_json)
        times["compress"] = _ms_since(began)
    fill_result(result, outcome, ast)
    stages.error_type, stages.error = result.error_type, result.error
    return Local(stages, data, result)


class Traveller:
    """Sends files through a broker to a worker, one at a time, and measures each stage.

    Args:
        window: used to send.
        app: the Celery application of the window.
        settings: settings of the broker, transport and path map.
        mapped: whether the path map applies; it does not to an embedded worker.
        one_clock: whether the workers' clocks agree with this machine's.
    """

    def __init__(
        self, window: Window, app: Celery, settings: Settings, *, mapped: bool, one_clock: bool
    ) -> None:
        self._window = window
        self._app = app
        self._map = PathMap.parse(settings.path_map if mapped else "")
        self._transport: Literal["path", "content"] = settings.transport
        # Other backends return a result only once, and the window has already read it.
        self._one_clock = one_clock and "redis" in settings.celery()["result_backend"].split(":")[0]

    def take(self, local: Local) -> ParseResult:
        """Send a file to a worker several times, and record the times of its stages.

        Returns:
            The worker's result.

        Raises:
            BrokerError: no result arrived.
        """
        stages = local.stages
        request = self._request(local)
        stages.seen_as = request.path or ""
        # The first trip is slower, since the worker has not parsed anything yet.
        trips = [self._trip(request, stages.size) for _ in range(TRIPS + 1)][1:]
        middle = statistics.median_low(sum(times.values()) for times, _ in trips)
        stages.trip_ms, result = next(trip for trip in trips if sum(trip[0].values()) == middle)
        stages.same = _without_times(result, stages.path) == _without_times(
            local.result, stages.path
        )
        stages.error_type, stages.error = result.error_type, result.error
        return result

    def _request(self, local: Local) -> ParseRequest:
        path = local.stages.path
        if not path or self._transport == "content":
            return ParseRequest("1", name=path, content=local.data or b"", timeout_ms=TIMEOUT_MS)
        seen_as = self._map(os.path.abspath(path))
        return ParseRequest("1", seen_as, name=path, timeout_ms=TIMEOUT_MS)

    def _trip(self, request: ParseRequest, size: int) -> tuple[dict[str, float], ParseResult]:
        began = time.time()
        self._window.submit(Batch([request], size), queue=QUEUE_INTERACTIVE, keep=True)
        sent = time.time()
        answer = self._wait(sent + ANSWER_LIMIT_S)
        received = time.time()
        (result,) = answer.results
        times = {"publish": (sent - began) * 1000}
        done = self._done_at(answer.task_id)
        work_s = result.duration_ms / 1000
        if done is None:
            around = max(0.0, received - sent - work_s)
            times |= {"work": result.duration_ms, "queue wait and transfer": around * 1000}
        else:
            times |= {
                "queue wait": max(0.0, done - work_s - sent) * 1000,
                "work": result.duration_ms,
                "transfer": max(0.0, received - done) * 1000,
            }
        return times, result

    def _wait(self, deadline: float) -> Answer:
        while True:
            if answers := self._window.poll(_POLL_S):
                return answers[0]
            if time.time() > deadline:
                raise BrokerError(
                    f"no answer came within {ANSWER_LIMIT_S:g} s, although there is a worker:"
                    " `ck3parse status` shows whether it is busy with other files"
                )

    def _done_at(self, task_id: str) -> float | None:
        """Return when the worker finished, by its clock, and delete the result."""
        if not self._one_clock:
            return None
        reply = AsyncResult(task_id, app=self._app)
        done = reply.date_done
        reply.forget()
        if done is None:
            return None
        return float((done if done.tzinfo else done.replace(tzinfo=UTC)).timestamp())


def store_times(results: Sequence[tuple[Stages, ParseResult]]) -> None:
    """Measure how long storing each result takes in the current folder, where `run` stores too.

    Raises:
        StoreError: the folder cannot be written.
    """
    here = "." if os.access(".", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix=".ck3parse-diagnose-", dir=here) as folder,
        Store(Path(folder, "s.sqlite"), parser_in_use().version) as store,
    ):
        for number, (stages, result) in enumerate(results):
            found = Found("/", f"{number}.txt", stages.size, 0)
            began = perf_counter()
            store.record([(found, result)])
            stages.store_ms = _ms_since(began)


def _without_times(result: ParseResult, path: str) -> ParseResult:
    ast = result.ast and zstandard.decompress(result.ast)
    return msgspec.structs.replace(result, id="", path=path, ast=ast, duration_ms=0.0, origin=None)


def _ms_since(began: float) -> float:
    return (perf_counter() - began) * 1000
