"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes that tests start, wherever the tests were started.

    A shell has what it starts in the background ignore it, and their children inherit that.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
