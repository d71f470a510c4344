"""Parsing files ahead of a caller that asks for them one by one."""

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable

import msgspec

from ck3parse.bridge.future import ParseFuture, endless_wait
from ck3parse.bridge.protocols import Engine
from ck3parse.bridge.requests import StrPath, ask, file_request
from ck3parse.bridge.results import ParseResult, error_type_of
from ck3parse.errors import BrokerError
from ck3parse.messages import DEFAULT_TIMEOUT_MS, ParseRequest

MAX_AHEAD_BYTES = 64 * 1024 * 1024
"""Bytes of source parsed ahead, or in flight. Their results take about half as much memory."""
MAX_AHEAD_FILES = 4096
REFILL = 0.75
"""Send more once less than this part of the limits is ahead, so that batches are full."""


_Key = tuple[str, str]
"""The file's path, and its name as given, which the root has."""


class _Ahead(msgspec.Struct):
    """A file that was sent ahead, as it was then.

    Attributes:
        size: its size in bytes.
        mtime_ns: its modification time.
        call: the number of the `prefetch` call that named it.
        future: its result.
    """

    size: int
    mtime_ns: int
    call: int
    future: ParseFuture


class ReadAhead:
    """Parses files ahead with one engine; it may be used from any thread.

    Args:
        engine: parses the files.

    Attributes:
        engine: as above.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = threading.Lock()
        self._to_send: deque[tuple[int, ParseRequest]] = deque()
        self._ahead: OrderedDict[_Key, _Ahead] = OrderedDict()
        self._bytes = 0
        self._calls = 0

    def add(self, paths: Iterable[StrPath]) -> None:
        """Parse these files ahead, in this order, after those that were added before."""
        # Without the lock, as the iterable may do anything.
        requests = [file_request(path, DEFAULT_TIMEOUT_MS, "strict") for path in paths]
        with self._lock:
            self._calls += 1
            self._to_send.extend((self._calls, request) for request in requests)
            self._send()

    def take(self, request: ParseRequest) -> ParseResult | None:
        """Return the result of a file that was sent ahead; wait for it if need be.

        Args:
            request: the file that is wanted now.

        Returns:
            Its result, or `None` if it was not sent ahead, has changed since, or failed for another
            reason than its content.

        Raises:
            UsageError: the calling thread is the one that delivers results.
        """
        key = _key(request)
        with self._lock:
            found = self._ahead.get(key)
            if found is None:
                return None
            if self.engine.is_answering() and not found.future.done():
                raise endless_wait()
            del self._ahead[key]
            self._bytes -= found.size
            self._send()
        if _state(request) != (found.size, found.mtime_ns):
            found.future.cancel()
            return None
        result = found.future.result()
        # It may have changed while it was being read.
        if _state(request) != (found.size, found.mtime_ns):
            return None
        error_type = error_type_of(result)
        return result if error_type is None or error_type.of_the_content else None

    def _send(self) -> None:
        if self._is_full(REFILL) and not self._make_room():
            return
        while self._to_send and not self._is_full(1.0):
            call, request = self._to_send.popleft()
            state, key = _state(request), _key(request)
            if state is None or key in self._ahead:
                continue
            try:
                future = ask(request, self.engine, bulk=True)
            except BrokerError:
                self._to_send.clear()
                return
            self._ahead[key] = _Ahead(*state, call, future)
            self._bytes += state[0]

    def _is_full(self, part: float) -> bool:
        return self._bytes >= MAX_AHEAD_BYTES * part or len(self._ahead) >= MAX_AHEAD_FILES * part

    def _make_room(self) -> bool:
        """Drop files of an earlier `prefetch` call if those of a later one wait for room."""
        if not self._to_send:
            return False
        call = self._to_send[0][0]
        while self._is_full(REFILL) and next(iter(self._ahead.values())).call < call:
            _, dropped = self._ahead.popitem(last=False)
            self._bytes -= dropped.size
            dropped.future.cancel()
        return not self._is_full(REFILL)


def _key(request: ParseRequest) -> _Key:
    return request.path or "", request.name


def _state(request: ParseRequest) -> tuple[int, int] | None:
    try:
        status = os.stat(request.path or "")
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


_lock = threading.Lock()
_read_ahead: ReadAhead | None = None


def prefetch(paths: Iterable[StrPath], engine: Engine) -> None:
    """Parse files ahead with this engine."""
    global _read_ahead
    with _lock:
        if _read_ahead is None or _read_ahead.engine is not engine:
            _read_ahead = ReadAhead(engine)
        ahead = _read_ahead
    ahead.add(paths)


def take(request: ParseRequest, engine: Engine) -> ParseResult | None:
    """Return the result of a file that this engine parsed ahead; see `ReadAhead.take`."""
    ahead = _read_ahead
    if ahead is None or ahead.engine is not engine:
        return None
    return ahead.take(request)


def forget() -> None:
    """Stop parsing ahead, and forget the results."""
    global _read_ahead
    with _lock:
        _read_ahead = None


def _after_fork() -> None:
    global _lock, _read_ahead
    _lock, _read_ahead = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
