"""Progress of a run: a bar on a terminal, otherwise a line every few seconds."""

import sys
from contextlib import ExitStack
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ck3parse.cli import streams
from ck3parse.cli.work_units import work_units
from ck3parse.plurals import counted

if TYPE_CHECKING:
    from ck3parse.cli.bar import Bar

LINE_INTERVAL_S = 5.0
DELAY_S = 0.5
_MB = 1e6


class RunProgress:
    """Shows the progress of a run on stderr. A context manager.

    Args:
        files: number of files to parse.
        size: their total size in bytes.
    """

    def __init__(self, files: int, size: int) -> None:
        self._files = files
        self._size = size
        self._done_files = self._done_size = self._failed = 0
        self._began = self._last_line = monotonic()
        self._is_shown = not streams.is_quiet()
        self._bar = _bar(files, size) if self._is_shown and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, files: int, size: int, failed: int) -> None:
        """Count the results of a batch.

        Args:
            files: number of files in it.
            size: their total size in bytes.
            failed: how many of them failed.
        """
        self._done_files += files
        self._done_size += size
        self._failed += failed
        if self._bar:
            self._bar.show(self._done_files, self._done_size, self._failed)
        elif self._is_shown and monotonic() - self._last_line >= LINE_INTERVAL_S:
            self._last_line = monotonic()
            self._print_line()

    def say(self, waiting: str | None) -> None:
        """Show what the run waits for.

        Args:
            waiting: a few words; `None` if it no longer waits.
        """
        if self._bar:
            self._bar.describe(waiting or "parsing")
        elif waiting and monotonic() - self._last_line >= 1.0:
            self._last_line = monotonic()
            streams.note(waiting)

    def _print_line(self) -> None:
        elapsed = self._last_line - self._began
        rate = self._done_files / elapsed
        done = work_units(self._done_files, self._done_size)
        left = elapsed * (work_units(self._files, self._size) - done) / done if done else 0
        streams.say(
            f"{self._done_files:,} of {counted(self._files, 'file')},"
            f" {self._done_size / _MB:,.1f} of {self._size / _MB:,.1f} MB,"
            f" {rate:,.0f} files/s, {self._failed:,} failed, about {left:,.0f} s left"
        )


class DelayedProgress(ExitStack):
    """Shows progress once a step has taken half a second. A context manager.

    Args:
        title: what is done, in one word.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._began = monotonic()
        self._shown: RunProgress | None = None
        self._done = (0, 0)

    def show(self, done: int, done_bytes: int, files: int, size: int) -> None:
        """Show how many files and bytes are done, and how many there are in all."""
        if self._shown is None:
            if monotonic() - self._began < DELAY_S:
                return
            self._shown = self.enter_context(RunProgress(files, size))
            self._shown.say(self._title)
        self._shown.advance(done - self._done[0], done_bytes - self._done[1], 0)
        self._done = done, done_bytes


def _bar(files: int, size: int) -> "Bar":
    # Importing rich can take longer than the whole run, and pipes need no bar.
    from ck3parse.cli.bar import Bar

    return Bar(files, size)
