"""Interrupts a command on SIGINT or SIGTERM, at once or between two steps."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """Turns SIGINT and SIGTERM into `KeyboardInterrupt` once it is created."""

    def __init__(self) -> None:
        self._deferring = self._arrived = False
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Delay an interrupt until the next `check`. A second signal interrupts at once."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        self.check()

    def check(self) -> None:
        """Interrupt if a signal arrived.

        Raises:
            KeyboardInterrupt: a signal arrived.
        """
        if self._arrived:
            raise KeyboardInterrupt

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if self._deferring and not self._arrived:
            self._arrived = True
        else:
            raise KeyboardInterrupt
