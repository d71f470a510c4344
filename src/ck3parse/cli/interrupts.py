"""Interrupts a command on SIGINT or SIGTERM, at once or between two steps."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupts:
    """Turns SIGINT and SIGTERM into `KeyboardInterrupt` once it is created."""

    def __init__(self) -> None:
        self._deferring = self._arrived = False
        self._on_first: Callable[[], None] = lambda: None
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextlib.contextmanager
    def deferred(self, on_first: Callable[[], None]) -> Iterator[None]:
        """Delay an interrupt until the next `check`. A second signal interrupts at once.

        Args:
            on_first: called when the first signal arrives, to cut short what `check` waits for.
        """
        self._on_first = on_first
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
            # What was cut short may have failed: it failed because of the interrupt.
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
            self._on_first()
        else:
            raise KeyboardInterrupt
