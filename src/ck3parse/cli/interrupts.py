"""Interrupts a command on SIGINT or SIGTERM, at once or between two steps."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupts:
    """Turns SIGINT and SIGTERM into `KeyboardInterrupt` once it is created."""

    def __init__(self) -> None:
        self._arrived = False
        self._on_first: Callable[[], None] | None = None
        """What the first signal calls while interrupts are deferred."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextlib.contextmanager
    def deferred(self, on_first: Callable[[], None]) -> Iterator[None]:
        """Delay an interrupt until the next `check`. A second signal interrupts at once.

        Args:
            on_first: called when the first signal arrives, to cut short what `check` waits for.
        """
        self._on_first = on_first
        try:
            yield
        finally:
            self._on_first = None
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
        if self._on_first and not self._arrived:
            self._arrived = True
            self._on_first()
        else:
            raise KeyboardInterrupt
