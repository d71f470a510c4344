"""Waiting for a broker or workers that are gone."""

import pytest

from ck3parse.errors import BrokerError
from ck3parse.pipeline.broker_calls import GONE, BrokerCallError
from ck3parse.pipeline.outage import Patience, give_up


class Waiting:
    """A patience whose calls are noted and that does not really sleep."""

    def __init__(self, limit_s: float) -> None:
        self.said: list[str | None] = []
        self.slept: list[float] = []
        self.checks = 0
        self.patience = Patience(
            limit_s,
            check=self.check,
            outlast=give_up,
            say=self.said.append,
            sleep=self.slept.append,
        )

    def check(self) -> None:
        self.checks += 1


def test_it_reconnects_until_the_broker_serves_again() -> None:
    waiting = Waiting(limit_s=60)
    failures = [BrokerCallError(GONE, f"reason {number}") for number in range(3)]

    def reconnect() -> None:
        if failures:
            raise failures.pop()

    waiting.patience.until_served(BrokerCallError(GONE, "reset"), reconnect)
    assert waiting.checks == 4
    assert waiting.slept == [0.2, 0.4, 0.8, 1.6]
    *while_gone, afterwards = waiting.said
    assert afterwards is None
    assert {said and said.startswith("the broker is gone; trying ") for said in while_gone} == {
        True
    }


def test_it_gives_up_with_the_last_reason() -> None:
    waiting = Waiting(limit_s=0)
    with pytest.raises(BrokerError, match=r"the broker has been gone for 0 s \(reset\)"):
        waiting.patience.until_served(BrokerCallError(GONE, "reset"), lambda: None)
    assert waiting.slept == []


def test_silent_workers_are_waited_for_until_the_limit() -> None:
    waiting = Waiting(limit_s=10)
    waiting.patience.workers_are_silent(3)
    assert waiting.said == ["no worker answers; waiting 7 s more"]
    with pytest.raises(BrokerError, match="no worker has answered for 11 s"):
        waiting.patience.workers_are_silent(11)
