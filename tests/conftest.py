"""What holds for all tests."""

import signal
from collections.abc import Iterator

import pytest

_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
"""What Python itself ignores; `subprocess` undoes that."""


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> Iterator[None]:
    """Have what tests start begin with each signal's default action, however tests are started.

    Issue 19, line 41: programs inherit from `nohup` that SIGHUP is ignored, and from a shell that
    starts something in the background that SIGINT is. A handler is not inherited: with one that
    does nothing, this process still ignores what it was told to.
    """
    ignored = [
        number
        for number in signal.valid_signals() - _PYTHONS_OWN
        if signal.getsignal(number) == signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, _do_nothing)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def _do_nothing(*_: object) -> None:
    pass
