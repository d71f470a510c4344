"""How many batches are in flight, by the processes that there are."""

from collections.abc import Mapping

import pytest

from ck3parse.pipeline.census import Census
from ck3parse.pipeline.mailbox import Reply
from ck3parse.pipeline.window import batches_on_the_way


def replies(reply_s: float = 0.01, **processes: int) -> Mapping[str, Reply]:
    return {
        name: Reply({"pool": {"max-concurrency": count}}, reply_s)
        for name, count in processes.items()
    }


def test_workers_that_come_count_at_once() -> None:
    census = Census(replies(a=2))
    assert census.processes == 2
    census.note(replies(a=2, b=48))
    assert census.processes == 50


def test_workers_that_go_count_until_they_were_silent_twice() -> None:
    census = Census(replies(a=2, b=48))
    seen = []
    for _ in range(2):
        census.note(replies(a=2))
        seen.append(census.processes)
    assert seen == [50, 2]


def test_without_replies_nothing_is_known() -> None:
    census = Census()
    assert census.processes == 0
    census.note(replies(a=2))
    for _ in range(5):
        census.note({})
    assert census.processes == 2


def test_a_worker_that_does_not_know_the_command_is_no_worker() -> None:
    census = Census()
    census.note({"a": Reply("no such command", 0.01)})
    assert census.processes == 0


@pytest.mark.parametrize(
    ("processes", "reply_s", "each"),
    [(4, 0.01, 0), (4, 0.2, 2), (4, 9.0, 8)],
)
def test_the_longer_an_answer_takes_the_more_batches_are_in_flight(
    processes: int, reply_s: float, each: int
) -> None:
    assert batches_on_the_way(processes, reply_s) == processes * each
