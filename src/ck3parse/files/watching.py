"""Waits for changes of files, for `--watch`."""

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ck3parse.errors import UsageError

if TYPE_CHECKING:
    from watchfiles import Change

FEW = 20
"""Up to this many changes are passed on at once. More are a branch switch or a copy of a mod, and
are passed on when there are no more for a while."""

_STEP_MS = 10
"""How long no file must change before changes are passed on: an editor saves in several steps."""

_TICK_MS = 50
_QUIET_TICKS = 10
"""How many ticks without a change end many changes."""

_IGNORED = frozenset({".git", ".hg", ".svn", "__pycache__"})


class Watch:
    """Watches folders and files, from the time it is entered. A context manager.

    Args:
        paths: folders and files, absolute or relative to the current folder.

    Raises:
        UsageError: the library is not installed, or the system cannot watch the paths.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        absolute = [os.path.abspath(path) for path in paths]
        # A file that is replaced is a new file: its folder is watched.
        self._folders = sorted(
            {path if os.path.isdir(path) else os.path.dirname(path) for path in absolute}
        )
        # Some systems report real paths.
        self._real = {
            os.path.join(real, ""): os.path.join(path, "")
            for path in self._folders
            if (real := os.path.realpath(path)) != path
        }
        self._recursive = any(map(os.path.isdir, absolute))
        self._batches: queue.SimpleQueue[set[str] | Exception] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ck3parse-watch", daemon=True)

    def __enter__(self) -> Self:
        try:
            import watchfiles  # noqa: F401
        except ModuleNotFoundError as error:
            raise UsageError(
                "--watch needs the library watchfiles: pip install 'ck3parse[watch]'"
            ) from error
        self._thread.start()
        self._next()  # comes when all folders are watched
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def batches(self) -> Iterator[set[str]]:
        """Yield the absolute paths of what changed: made, written, renamed or deleted.

        A folder that was made stands for what is in it. Changes that come while the caller is busy
        are in the next batch.
        """
        while True:
            changed = self._next()
            while not self._batches.empty():
                changed |= self._next()
            quiet = 0
            while len(changed) > FEW and quiet < _QUIET_TICKS:
                more = self._next()
                quiet = 0 if more else quiet + 1
                changed |= more
            if changed:
                yield changed

    def _next(self) -> set[str]:
        while True:
            try:
                batch = self._batches.get(timeout=1)
            except queue.Empty:  # so that Windows notices Ctrl-C
                continue
            if isinstance(batch, Exception):
                raise UsageError(f"--watch cannot watch these paths: {batch}") from batch
            return batch

    def _run(self) -> None:
        import watchfiles

        try:
            for changes in watchfiles.watch(
                *self._folders,
                watch_filter=_is_of_interest,
                step=_STEP_MS,
                rust_timeout=_TICK_MS,
                yield_on_timeout=True,
                stop_event=self._stop,
                recursive=self._recursive,
                ignore_permission_denied=True,
            ):
                self._batches.put({self._as_given(path) for _, path in changes})
        except (OSError, RuntimeError) as error:
            self._batches.put(error)

    def _as_given(self, path: str) -> str:
        for real, given in self._real.items():
            if path.startswith(real):
                return given + path.removeprefix(real)
        return path


def _is_of_interest(change: "Change", path: str) -> bool:
    del change
    return _IGNORED.isdisjoint(path.split(os.sep))
