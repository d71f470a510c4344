"""Ending a command at SIGINT or SIGTERM, at once or between two steps of its work."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """Turns SIGINT and SIGTERM into `KeyboardInterrupt`, from when it is made."""

    def __init__(self) -> None:
        self._deferring = self._came = False
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Wait for `check` before interrupting; a second signal does not wait."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        self.check()

    def check(self) -> None:
        """Interrupt here if a signal has come.

        Raises:
            KeyboardInterrupt: it has.
        """
        if self._came:
            raise KeyboardInterrupt

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if self._deferring and not self._came:
            self._came = True
        else:
            raise KeyboardInterrupt
