"""Delaying forks of the host program while one of the bridge's threads is inside Celery.

A lock that one thread holds while another thread forks stays locked in the child for ever: that of
a module being imported, of a cached property, of a connection pool. So a fork waits until no thread
is inside `held`, but only for `FORK_LIMIT_S`: a fork at a bad moment is better than none.
"""

import concurrent.futures.thread
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

FORK_LIMIT_S = 30.0
"""Seconds; longer than imports on a busy machine and calls to a stalled server take."""

_changed = threading.Condition()
_within: Counter[int] = Counter()
"""By thread: how many times it is inside `held`."""
_forks = 0
"""How many forks are waiting or in progress."""


@contextmanager
def held() -> Iterator[None]:
    """Keep other threads from forking until the block ends."""
    _enter(1)
    try:
        yield
    finally:
        _leave(1)


@contextmanager
def let_go() -> Iterator[None]:
    """Allow forks again while this thread waits for something inside `held`."""
    times = _within[threading.get_ident()]
    if times:
        _leave(times)
    try:
        yield
    finally:
        if times:
            _enter(times)


def _enter(times: int) -> None:
    own = threading.get_ident()
    with _changed:
        while _forks and own not in _within:
            _changed.wait()
        _within[own] += times


def _leave(times: int) -> None:
    own = threading.get_ident()
    with _changed:
        _within[own] -= times
        if _within[own] <= 0:
            del _within[own]
            if _forks:
                _changed.notify_all()


def _before_fork() -> None:
    global _forks
    own = threading.get_ident()
    with _changed:
        _forks += 1
        _changed.wait_for(lambda: not _within.keys() - {own}, FORK_LIMIT_S)


def _after_in_parent() -> None:
    global _forks
    with _changed:
        _forks -= 1
        _changed.notify_all()


def _after_in_child() -> None:
    global _changed, _forks
    _changed, _forks = threading.Condition(), 0
    for thread in _within.keys() - {threading.get_ident()}:
        del _within[thread]


# Import these before the hooks below are registered: fork hooks run in reverse order, so these
# modules take their locks after `_before_fork`. A thread may need such a lock to leave `held`.
_LOCKED_LATER = (logging, concurrent.futures.thread)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
