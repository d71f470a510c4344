"""Waiting for something to come true, never longer than it takes."""

import threading
import time
from collections.abc import Callable

_pause = threading.Event()


def wait_until(happened: Callable[[], object], deadline_s: float, what: str) -> None:
    """Return once `happened()` is true; fail, saying `what` did not happen, after the deadline."""
    deadline = time.monotonic() + deadline_s
    while not happened():
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {what}"
        _pause.wait(0.01)
