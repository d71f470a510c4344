"""Conclusions about tasks from the replies of workers."""

from typing import Any, cast

from celery.result import AsyncResult

from ck3parse.messages import ParseRequest
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.lease import Lease
from ck3parse.pipeline.task_lookup import MAX_WINDOW_S, WINDOW_S, Evidence, Roster


class Sent:
    """A task with nothing but an id."""

    def __init__(self, task_id: str) -> None:
        self.id = task_id


def lease() -> Lease:
    sent: list[AsyncResult] = [cast("Any", Sent("t"))]
    return Lease(
        "t", Batch([ParseRequest("1", "/mod/1.txt")], 10), "bulk", keep=False, replies=sent
    )


def seen(*replied: str, silent: str = "", holder: str = "", queued: int = 0) -> Evidence:
    holders = {"t": holder} if holder else {}
    return Evidence(frozenset(replied), frozenset(silent), holders, queued)


def is_lost(*looks: Evidence) -> list[bool]:
    sent = lease()
    return [sent.is_lost(look, overtaken=False) for look in looks]


def test_a_batch_is_lost_if_all_replied_twice_without_it() -> None:
    """Issue 19, line 33."""
    assert is_lost(seen("a", "b"), seen("a", "b")) == [False, True]
    assert is_lost(seen("a"), seen("a", queued=1), seen("a")) == [False, False, False]


def test_a_batch_is_not_lost_while_its_holder_has_not_replied() -> None:
    """Issue 19, line 33."""
    held = seen("a", "b", holder="b")
    silent = seen("a", silent="b")
    assert is_lost(held, silent, silent, seen("a", "b")) == [False, False, False, True]


def test_a_batch_is_not_lost_while_anybody_may_have_it() -> None:
    """Issue 19, line 33."""
    assert is_lost(*[seen("a", silent="b")] * 3) == [False] * 3


def test_who_is_silent_but_not_the_holder_does_not_count() -> None:
    """Issue 19, line 33."""
    unheard = seen("a", silent="b")
    assert is_lost(seen("a", "b", holder="a"), unheard, unheard) == [False, False, True]


def test_a_worker_is_gone_once_it_was_silent_twice_while_others_replied() -> None:
    """Issue 19, line 33."""
    roster = Roster("ab")
    assert roster.note("a", (), 0.01) == {"b"}
    assert roster.note((), (), 0.0) == {"a", "b"}  # without replies, nothing is known
    assert roster.note("ac", "b", 0.01) == {"b"}  # late is not silent
    assert roster.workers == {"a", "b", "c"}
    assert roster.note("ac", (), 0.01) == {"b"}
    assert roster.note("ac", (), 0.01) == frozenset()
    assert roster.workers == {"a", "c"}


def test_looks_wait_as_long_as_workers_are_far() -> None:
    """Issue 19, line 35."""
    roster = Roster("a", reply_s=0.001)
    assert roster.window_s == WINDOW_S
    roster.note("a", (), 0.5)
    assert roster.window_s == 1.5
    roster.note((), (), 0.0)
    assert roster.window_s == 3.0
    roster.note((), (), 0.0)
    assert roster.window_s == MAX_WINDOW_S
