"""Forks of the program around the bridge: none while a thread of ours is amid Celery.

What one thread holds while another one forks, the child has for ever, with nobody to let go of it:
the lock of a module that was being imported, of a property that was being computed, of a pool of
connections. So a fork waits until no thread is within `held`, for `FORK_LIMIT_S` at most: amid a
call is better than never.
"""

import concurrent.futures.thread
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

FORK_LIMIT_S = 30.0
"""Longer than imports take on a busy machine, and servers that stall."""

_changed = threading.Condition()
_within: Counter[int] = Counter()
"""By thread how many times it is within `held`."""
_forks = 0
"""How many are waiting, or going on."""


@contextmanager
def held() -> Iterator[None]:
    """Let no other thread fork until the block ends."""
    _enter(1)
    try:
        yield
    finally:
        _leave(1)


@contextmanager
def let_go() -> Iterator[None]:
    """Let other threads fork while this one waits, within `held`."""
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


# What these hold for a fork they take after us, as they were imported before us: a thread may need
# it to come out of `held`.
_TAKEN_LATER = (logging, concurrent.futures.thread)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
