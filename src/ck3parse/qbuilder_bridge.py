"""ck3parse for programs that parse file by file, such as qbuilder.

Today's calls, one file each, which wait for it:

    from ck3parse.qbuilder_bridge import is_pool_enabled, get_pool, parse_file

    if is_pool_enabled():
        result = get_pool().parse_file(path, timeout_ms=30_000)
    else:
        result = parse_file(path, timeout=30)
    if result.success:
        store(result.ast_json)

The fast way, many files at a time:

    from ck3parse.qbuilder_bridge import enqueue_many, enqueue_parse, gather, prefetch

    for result in enqueue_many(paths):           # as they come
        store(result.path, result.ast_json)
    futures = [enqueue_parse(path) for path in paths]
    results = gather(futures)                    # in the order asked
    result = await enqueue_parse(path)           # in asyncio
    prefetch(paths)                              # and then parse_file(path), one by one

The environment variable `QBUILDER_PERSISTENT_PARSE` chooses who parses. Set to 1, true, yes or on,
it is the pipeline: Celery workers. Unset, `parse_file` and `parse_text` use a fresh subprocess for
each file, and everything else, which is there to be fast, the pipeline. Set to 0, false, no or off,
all of it uses subprocesses: no broker and no worker is started, and Celery is not imported. What
comes back is the same, byte for byte.

The pipeline is that of the broker at `CK3PARSE_BROKER_URL`. Without one the first call starts an
embedded broker and worker, which live as long as the process. Threads may share all this; after
`fork` a child has its own.

No call waits for ever: a file is killed at its limit, a lost one is sent again a few times, and
where no worker is left its result says so with the error type `WorkerUnavailable`.
"""

import os
from collections.abc import Iterable, Iterator
from time import perf_counter

from ck3parse.bridge import prefetch as prefetched
from ck3parse.bridge import requests, subprocess_parser
from ck3parse.bridge.arguments import DEFAULT_PARSE_TIMEOUT, MAX_PARSE_TIMEOUT, limit_ms, sendable
from ck3parse.bridge.engine import Pipeline, engine, switched_on
from ck3parse.bridge.future import ParseFuture, as_completed, gather
from ck3parse.bridge.pool import DEFAULT_NUM_WORKERS, ParsePool, get_pool, shutdown_pool
from ck3parse.bridge.requests import StrPath
from ck3parse.bridge.results import (
    ParseDiagnostic,
    ParseResult,
    ParseSubprocessError,
    ParseTimeoutError,
    raise_if_lost,
    result_of,
)
from ck3parse.config import read_settings
from ck3parse.event_log import event_log
from ck3parse.messages import DEFAULT_TIMEOUT_MS, Mode, ParseRequest

__all__ = [
    "DEFAULT_NUM_WORKERS",
    "DEFAULT_PARSE_TIMEOUT",
    "DEFAULT_TIMEOUT_MS",
    "MAX_PARSE_TIMEOUT",
    "ParseDiagnostic",
    "ParseFuture",
    "ParsePool",
    "ParseResult",
    "ParseSubprocessError",
    "ParseTimeoutError",
    "as_completed",
    "enqueue_many",
    "enqueue_parse",
    "enqueue_parse_text",
    "gather",
    "get_pool",
    "is_pool_enabled",
    "parse_file",
    "parse_text",
    "prefetch",
    "shutdown_pool",
]


def is_pool_enabled() -> bool:
    """Return whether `QBUILDER_PERSISTENT_PARSE` is 1, true, yes or on."""
    return switched_on()


def parse_file(filepath: StrPath, timeout: float | None = DEFAULT_PARSE_TIMEOUT) -> ParseResult:
    """Parse a file and wait for it.

    Args:
        filepath: the file; the root's `filename` is this path as given.
        timeout: seconds after which the process that parses it is killed, `MAX_PARSE_TIMEOUT` at
            most and for `None`; with 0 or less it fails at once.

    Returns:
        The result; a file that cannot be read or is no valid script is one without `success`.

    Raises:
        ParseTimeoutError: it was killed at its limit.
        ParseSubprocessError: its process died, or no worker answered for it.
        BrokerError: an embedded broker cannot be started.
        UsageError: a setting cannot be used.
    """
    timeout_ms = limit_ms(os.fspath(filepath), timeout)
    request = requests.file_request(filepath, timeout_ms, "strict")
    if not switched_on():
        return _parse_legacy(request)
    pipeline = engine()
    result = prefetched.take(request, pipeline)
    if result is None:
        result = requests.ask(request, pipeline, urgent=True).result()
    return raise_if_lost(result, timeout_ms)


def parse_text(
    content: str,
    filename: str = "<inline>",
    timeout: float | None = DEFAULT_PARSE_TIMEOUT,
    recovering: bool = False,
) -> ParseResult:
    """Parse a text as it is and wait for it: no byte order mark removed, no line ends changed.

    Args:
        content: the script; a lone surrogate in it is read as U+FFFD.
        filename: what the root's `filename` says.
        timeout: seconds after which the process that parses it is killed, as that of `parse_file`.
        recovering: go on after an error, for a tree of what is sound and all diagnostics.

    Returns:
        The result; a text that is no valid script is one without `success`.

    Raises:
        ParseTimeoutError: as `parse_file`.
        ParseSubprocessError: as `parse_file`.
        BrokerError: as `parse_file`.
        UsageError: as `parse_file`.
    """
    mode: Mode = "recover" if recovering else "strict"
    timeout_ms = limit_ms(filename, timeout)
    request = requests.text_request(sendable(content), sendable(filename), timeout_ms, mode)
    if not switched_on():
        return _parse_legacy(request)
    return raise_if_lost(requests.ask(request, engine(), urgent=True).result(), timeout_ms)


def enqueue_parse(
    path: StrPath, *, timeout_ms: int = DEFAULT_TIMEOUT_MS, mode: Mode = "strict"
) -> ParseFuture:
    """Ask for a file and go on.

    Calls made within two milliseconds of each other travel in one batch, so that a loop of them
    is as fast as `enqueue_many`. Asking for a result sends what was held back.

    Args:
        path: the file; the root's `filename` is this path as given.
        timeout_ms: milliseconds after which the process that parses it is killed.
        mode: `strict` stops at the first error; `recover` goes on after it.

    Returns:
        A future for its result.

    Raises:
        BrokerError: an embedded broker cannot be started.
        UsageError: the time limit is too short or too long, or a setting cannot be used.
    """
    return requests.ask(requests.file_request(path, timeout_ms, mode), engine(), keep=True)


def enqueue_parse_text(
    content: str,
    filename: str = "<inline>",
    *,
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
    mode: Mode = "strict",
) -> ParseFuture:
    """Ask for a text and go on; see `enqueue_parse`.

    Args:
        content: the script, parsed as it is.
        filename: what the root's `filename` says.
        timeout_ms: milliseconds after which the process that parses it is killed.
        mode: `strict` stops at the first error; `recover` goes on after it.

    Returns:
        A future for its result.

    Raises:
        BrokerError: as `enqueue_parse`.
        UsageError: as `enqueue_parse`, and for a text that is no Unicode text.
    """
    request = requests.text_request(content, filename, timeout_ms, mode)
    return requests.ask(request, engine(), keep=True)


def enqueue_many(
    paths: Iterable[StrPath], *, timeout_ms: int = DEFAULT_TIMEOUT_MS, mode: Mode = "strict"
) -> Iterator[ParseResult]:
    """Ask for many files, in batches, and iterate over their results as they come.

    The first thousands are sent at once, the others as results are taken, so that memory stays
    bounded. Files that single calls ask for meanwhile go before them. Giving up the iterator
    withdraws what is left.

    Args:
        paths: the files; each result's `path` says whose it is.
        timeout_ms: milliseconds after which the process that parses a file is killed.
        mode: `strict` stops at the first error of a file; `recover` goes on after it.

    Returns:
        An iterator with one result for each path, in no particular order.

    Raises:
        BrokerError: as `enqueue_parse`.
        UsageError: as `enqueue_parse`.
    """
    wanted = (requests.file_request(path, timeout_ms, mode) for path in paths)
    return requests.ask_many(wanted, engine())


def prefetch(paths: Iterable[StrPath]) -> None:
    """Parse files ahead of a program that goes on calling `parse_file` one by one.

    A call for one of them gets what was parsed ahead, unless the file's size or time of change is
    another by then. What is ahead is bounded: 64 MB of source and 4,096 files; as results are
    taken, more is parsed. Without the pipeline it does nothing.

    Args:
        paths: the files in the order in which they will be asked for, written as they will be
            then. More calls append to it; where those wait for room, what an earlier call named
            and nobody asked for is dropped.

    Raises:
        BrokerError: as `enqueue_parse`.
    """
    if switched_on() and isinstance(pipeline := engine(), Pipeline):
        prefetched.prefetch(paths, pipeline)


def _parse_legacy(request: ParseRequest) -> ParseResult:
    answer = requests.unsendable(request, read_settings().max_file_bytes)
    if answer is None:
        log, began = event_log(), perf_counter()
        answer = subprocess_parser.parse(request)
        answer.path = request.name
        if log:
            requests.write_outcome(log, answer, (perf_counter() - began) * 1000)
    return raise_if_lost(result_of(answer), request.timeout_ms)
