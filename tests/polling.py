"""Wait for a condition."""

import threading
import time
from collections.abc import Callable

_pause = threading.Event()


def wait_until(happened: Callable[[], object], deadline_s: float, what: str) -> None:
    """Wait until `happened()` is true; fail with a message about `what` after the deadline."""
    deadline = time.monotonic() + deadline_s
    while not happened():
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {what}"
        _pause.wait(0.01)
