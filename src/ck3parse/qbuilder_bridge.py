"""ck3parse for programs that parse file by file, such as qbuilder.

Calls that parse one file and wait for it, as qbuilder makes them today:

    from ck3parse.qbuilder_bridge import is_pool_enabled, get_pool, parse_file

    if is_pool_enabled():
        result = get_pool().parse_file(path, timeout_ms=30_000)
    else:
        result = parse_file(path, timeout=30)
    if result.success:
        store(result.ast_json)

Faster calls, for many files at a time:

    from ck3parse.qbuilder_bridge import enqueue_many, enqueue_parse, gather, prefetch

    for result in enqueue_many(paths):           # as they come
        store(result.path, result.ast_json)
    futures = [enqueue_parse(path) for path in paths]
    results = gather(futures)                    # in the order of the futures
    result = await enqueue_parse(path)           # in asyncio
    prefetch(paths)                              # then call parse_file(path) one by one

qbuilder's whole build, in place of its own function of the same name:

    from ck3parse.qbuilder_bridge import run_build_worker

    run_build_worker(conn)

The environment variable `QBUILDER_PERSISTENT_PARSE` chooses how files are parsed:

- 1, true, yes or on: all functions use the pipeline, that is, Celery workers.
- unset: `parse_file` and `parse_text` start a new subprocess for each file; the faster calls and
  `run_build_worker` use the pipeline.
- 0, false, no or off: all functions use subprocesses. No broker and no worker is started, and
  Celery is not imported.

The results are the same either way, byte for byte.

The pipeline uses the broker at `CK3PARSE_BROKER_URL`. If that is not set, the first call starts an
embedded broker and worker, which live as long as the process. All functions may be called from any
thread. After a fork, the child has a pipeline of its own.

No call waits for ever. A process that parses a file is killed at the file's time limit, and a lost
file is sent again a few times. If no worker answers, the result has the error type
`WorkerUnavailable`.
"""

import os
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from ck3parse.bridge import prefetch as prefetched
from ck3parse.bridge import requests, subprocess_parser
from ck3parse.bridge.engine import Pipeline, engine, switched_on
from ck3parse.bridge.future import ParseFuture, as_completed, gather
from ck3parse.bridge.pool import DEFAULT_NUM_WORKERS, ParsePool, get_pool, shutdown_pool
from ck3parse.bridge.qbuilder_arguments import (
    DEFAULT_PARSE_TIMEOUT,
    MAX_PARSE_TIMEOUT,
    limit_ms,
    sendable,
)
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
from ck3parse.messages import DEFAULT_TIMEOUT_MS, DialectName, Mode, ParseRequest

if TYPE_CHECKING:
    from ck3parse.qbuilder.build import run_build_worker

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
    "run_build_worker",
    "shutdown_pool",
]


def __getattr__(name: str) -> object:
    # Programs that only parse need none of the build's imports.
    if name == "run_build_worker":
        from ck3parse.qbuilder.build import run_build_worker

        return run_build_worker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def is_pool_enabled() -> bool:
    """Return whether `QBUILDER_PERSISTENT_PARSE` is 1, true, yes or on."""
    return switched_on()


def parse_file(filepath: StrPath, timeout: float | None = DEFAULT_PARSE_TIMEOUT) -> ParseResult:
    """Parse a file and wait for the result.

    Args:
        filepath: the file; the root's `filename` is this path as given.
        timeout: seconds after which the process that parses it is killed; at most
            `MAX_PARSE_TIMEOUT`, which `None` stands for. With 0 or less it fails at once.

    Returns:
        The result. Its `success` is false if the file cannot be read or is not a valid script.

    Raises:
        ParseTimeoutError: it took longer than the time limit.
        ParseSubprocessError: its process died, or no worker answered for it.
        BrokerError: an embedded broker cannot be started.
        UsageError: a setting cannot be used.
    """
    timeout_ms = limit_ms(os.fspath(filepath), timeout)
    request = requests.file_request(filepath, timeout_ms, "strict")
    if not switched_on():
        return _parse_in_subprocess(request)
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
    """Parse a text and wait for the result.

    Args:
        content: the script, parsed as it is: a byte order mark is not removed and line ends are not
            changed. A lone surrogate is read as U+FFFD.
        filename: the root's `filename`.
        timeout: as for `parse_file`.
        recovering: whether to go on after an error, to get all errors and an AST of the valid
            parts.

    Returns:
        The result. Its `success` is false if the text is not a valid script.

    Raises:
        ParseTimeoutError: as for `parse_file`.
        ParseSubprocessError: as for `parse_file`.
        BrokerError: as for `parse_file`.
        UsageError: as for `parse_file`.
    """
    mode: Mode = "recover" if recovering else "strict"
    timeout_ms = limit_ms(filename, timeout)
    request = requests.text_request(sendable(content), sendable(filename), timeout_ms, mode)
    if not switched_on():
        return _parse_in_subprocess(request)
    return raise_if_lost(requests.ask(request, engine(), urgent=True).result(), timeout_ms)


def enqueue_parse(
    path: StrPath,
    *,
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
    mode: Mode = "strict",
    dialect: DialectName | None = None,
) -> ParseFuture:
    """Begin to parse a file, without waiting.

    Calls within two milliseconds of each other share a batch, so a loop of them is as fast as
    `enqueue_many`. To ask a future for its result sends its batch at once.

    Args:
        path: the file; the root's `filename` is this path as given.
        timeout_ms: milliseconds after which the process that parses it is killed.
        mode: `strict` stops at the first error; `recover` goes on after it.
        dialect: `ck3raven`, whose trees qbuilder stores, or `ck3`, script as the game reads it,
            which always goes on after an error. Default: `CK3PARSE_DIALECT`, or `ck3raven`.

    Returns:
        A future of the result.

    Raises:
        BrokerError: an embedded broker cannot be started.
        UsageError: the time limit is too short or too long, a setting cannot be used, or there
            is no such mode or dialect.
    """
    return requests.ask(requests.file_request(path, timeout_ms, mode, dialect), engine(), keep=True)


def enqueue_parse_text(
    content: str,
    filename: str = "<inline>",
    *,
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
    mode: Mode = "strict",
    dialect: DialectName | None = None,
) -> ParseFuture:
    """Begin to parse a text, without waiting; see `enqueue_parse`.

    Args:
        content: the script, parsed as it is.
        filename: the root's `filename`.
        timeout_ms: milliseconds after which the process that parses it is killed.
        mode: `strict` stops at the first error; `recover` goes on after it.
        dialect: as for `enqueue_parse`.

    Returns:
        A future of the result.

    Raises:
        BrokerError: as for `enqueue_parse`.
        UsageError: as for `enqueue_parse`, and if the text has lone surrogates.
    """
    request = requests.text_request(content, filename, timeout_ms, mode, dialect)
    return requests.ask(request, engine(), keep=True)


def enqueue_many(
    paths: Iterable[StrPath],
    *,
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
    mode: Mode = "strict",
    dialect: DialectName | None = None,
) -> Iterator[ParseResult]:
    """Parse many files, in batches, and iterate over the results as they come.

    The first few thousand files are sent at once and the others as results are taken, which bounds
    the memory. Single calls made meanwhile go first. Closing the iterator withdraws the files that
    are left.

    Args:
        paths: the files; a result's `path` says which one it belongs to.
        timeout_ms: milliseconds after which the process that parses a file is killed.
        mode: `strict` stops at the first error of a file; `recover` goes on after it.
        dialect: as for `enqueue_parse`.

    Returns:
        An iterator with one result for each path, in no particular order.

    Raises:
        BrokerError: as for `enqueue_parse`.
        UsageError: as for `enqueue_parse`.
    """
    wanted = (requests.file_request(path, timeout_ms, mode, dialect) for path in paths)
    return requests.ask_many(wanted, engine())


def prefetch(paths: Iterable[StrPath]) -> None:
    """Parse files ahead of later calls of `parse_file`, one for each of them.

    `parse_file` returns the result that was parsed ahead, unless the file's size or modification
    time has changed. At most 64 MB of source and 4,096 files are ahead; more are parsed as results
    are taken. Without the pipeline this does nothing.

    Args:
        paths: the files, in the order of the later calls and written as in those. Further calls of
            `prefetch` append to them; if there is no room, files of earlier calls that were not
            taken are dropped.

    Raises:
        BrokerError: as for `enqueue_parse`.
    """
    if switched_on() and isinstance(pipeline := engine(), Pipeline):
        prefetched.prefetch(paths, pipeline)


def _parse_in_subprocess(request: ParseRequest) -> ParseResult:
    answer = requests.unsendable(request, read_settings().max_file_bytes)
    if answer is None:
        log, began = event_log(), perf_counter()
        answer = subprocess_parser.parse(request)
        answer.path = request.name
        if log:
            requests.write_outcome(log, answer, (perf_counter() - began) * 1000)
    return raise_if_lost(result_of(answer), request.timeout_ms)
