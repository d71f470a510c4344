"""qbuilder's parse pool, built on an engine."""

import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from ck3parse.bridge import engine as engines
from ck3parse.bridge import prefetch
from ck3parse.bridge.protocols import Engine
from ck3parse.bridge.qbuilder_arguments import MAX_PARSE_TIMEOUT, limit_ms, sendable
from ck3parse.bridge.requests import StrPath, ask, file_request, text_request
from ck3parse.bridge.results import TIMEOUT, ParseResult, ParseTimeoutError, failed
from ck3parse.bridge.worker_process import WorkerProcess
from ck3parse.config.cpus import usable_cpus
from ck3parse.errors import BrokerError, ErrorType
from ck3parse.messages import DEFAULT_TIMEOUT_MS, ParseRequest

DEFAULT_NUM_WORKERS = min(usable_cpus(), 4)


class ParsePool:
    """Worker processes that parse one file after another.

    If `CK3PARSE_BROKER_URL` is set, the pool uses the workers of that broker. Otherwise it starts
    an embedded broker and worker, which stop with the pool or with this process. It may be used
    from any thread; after a fork, the child's copy starts anew. As a context manager it starts and
    shuts down.

    Args:
        num_workers: number of processes of the embedded worker.

    Attributes:
        num_workers: as above.
    """

    def __init__(self, num_workers: int = DEFAULT_NUM_WORKERS) -> None:
        self.num_workers = num_workers
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._started = False
        self._pid = os.getpid()

    def start(self) -> None:
        """Start the pool, if it is not running.

        Raises:
            BrokerError: an embedded broker cannot be started.
            UsageError: a setting cannot be used.
        """
        self._started = True
        try:
            self._running()
        except BaseException:
            self._started = False
            raise

    def parse_file(
        self, filepath: StrPath, timeout_ms: float | None = DEFAULT_TIMEOUT_MS
    ) -> ParseResult:
        """Parse a file and wait for the result; failures of the file do not raise.

        Args:
            filepath: the file; the root's `filename` is this path as given.
            timeout_ms: milliseconds after which the process that parses it is killed; at most
                `MAX_PARSE_TIMEOUT`, which `None` stands for. With 0 or less it fails at once.

        Returns:
            The result. Its `error_type` is `ParseTimeoutError` if the file took too long,
            `WorkerCrashed` if its process died, and `WorkerUnavailable` if the pool is not running
            or its broker or workers were gone for `CK3PARSE_PATIENCE_S` seconds.
        """
        return self._parse(
            os.fspath(filepath),
            timeout_ms,
            lambda limit: file_request(filepath, limit, "strict"),
            prefetch.take,
        )

    def parse_text(
        self,
        content: str,
        filename: str = "<inline>",
        timeout_ms: float | None = DEFAULT_TIMEOUT_MS,
    ) -> ParseResult:
        """Parse a text and wait for the result; failures of the text do not raise.

        Args:
            content: the script, parsed as it is: a byte order mark is not removed and line ends are
                not changed. A lone surrogate is read as U+FFFD.
            filename: the root's `filename`.
            timeout_ms: as for `parse_file`.

        Returns:
            The result, as for `parse_file`.
        """
        content, filename = sendable(content), sendable(filename)
        return self._parse(
            filename,
            timeout_ms,
            lambda limit: text_request(content, filename, limit, "strict"),
            lambda _, __: None,
        )

    @property
    def workers(self) -> list[WorkerProcess]:
        """The worker processes, asked for on each access.

        Empty if the pool is not running, or if it parses each file in a process of its own.
        """
        if not (self._started and self._engine):
            return []
        try:
            return self._running().worker_list()
        except BrokerError:
            return []

    def get_stats(self) -> dict[str, Any]:
        """Return statistics of the workers.

        Returns:
            `num_workers` (processes that exist), `target_workers` (processes asked for), `running`,
            and `workers`: the `id`, `pid`, `alive` and `parse_count` of each. `parse_count` is the
            number of batches that it was given; each call of this pool is one.
        """
        workers = [
            {
                "id": worker.worker_id,
                "pid": worker.pid,
                "alive": worker.alive,
                "parse_count": worker.parse_count,
            }
            for worker in self.workers
        ]
        return {
            "num_workers": len(workers),
            "target_workers": self.num_workers,
            "running": self._started,
            "workers": workers,
        }

    def shutdown(self) -> None:
        """Stop the processes, if the pool is running; `start` starts it again."""
        if self._pid != os.getpid():
            # A thread that only the parent has may hold the lock.
            self._started, self._engine = False, None
            return
        with self._lock:
            self._started = False
            engine, self._engine = self._engine, None
        if engine:
            self._end(engine)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _make(self) -> Engine:
        return engines.new_engine(self.num_workers)

    def _end(self, engine: Engine) -> None:
        engine.close()

    def _running(self) -> Engine:
        if self._pid != os.getpid():
            self._lock, self._engine, self._pid = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._engine is None or self._engine.stopped:
                if self._engine:
                    self._end(self._engine)
                    self._engine = None
                self._engine = self._make()
            return self._engine

    def _parse(
        self,
        source: str,
        timeout_ms: float | None,
        request_within: Callable[[int], ParseRequest],
        take: Callable[[ParseRequest, Engine], ParseResult | None],
    ) -> ParseResult:
        if timeout_ms is None:
            timeout_ms = MAX_PARSE_TIMEOUT * 1000
        if not self._started:
            return failed(source, ErrorType.WORKER_UNAVAILABLE, "the parse pool is not running")
        try:
            request = request_within(limit_ms(source, timeout_ms / 1000))
            engine = self._running()
            result = take(request, engine) or ask(request, engine, urgent=True).result()
        except ParseTimeoutError:
            result = failed(source, TIMEOUT, "")
        except BrokerError as error:
            result = failed(source, ErrorType.WORKER_UNAVAILABLE, str(error))
        if result.error_type == TIMEOUT:
            result.error = f"Parse timeout after {timeout_ms}ms: {source}"
        return result


class SharedPool(ParsePool):
    """The pool that `get_pool` returns: it shares its engine with the bridge's functions."""

    def _make(self) -> Engine:
        return engines.shared_engine(self.num_workers)

    def _end(self, engine: Engine) -> None:
        del engine
        engines.shut_down()


_lock = threading.Lock()
_pool: SharedPool | None = None


def get_pool() -> ParsePool:
    """Return this process's pool, started on the first call.

    Raises:
        BrokerError: an embedded broker cannot be started.
        UsageError: a setting cannot be used.
    """
    global _pool
    with _lock:
        if _pool is None:
            pool = SharedPool()
            pool.start()
            _pool = pool
        return _pool


def shutdown_pool() -> None:
    """Shut down this process's pool, if there is one, and the engines of the bridge's functions."""
    global _pool
    with _lock:
        pool, _pool = _pool, None
    if pool:
        pool.shutdown()
    engines.shut_down()
    prefetch.forget()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
