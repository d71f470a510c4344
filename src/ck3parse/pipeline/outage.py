"""Waiting for a broker or for workers that are gone, for a limited time."""

from collections.abc import Callable, Iterator
from time import monotonic

from ck3parse.errors import BrokerError
from ck3parse.pipeline.broker_calls import BrokerCallError

_RETRY_FIRST_S = 0.2
_RETRY_LAST_S = 2.0


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each attempt to reconnect: more each time, up to a limit."""
    pause_s = _RETRY_FIRST_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _RETRY_LAST_S)


def give_up(error: BrokerError) -> None:
    """Raise the error: what happens by default once patience has run out."""
    raise error


class Patience:
    """Waits for a broker or for workers, and says so.

    Args:
        limit_s: seconds to wait before `outlast` is called.
        check: called before each attempt; raises to stop waiting.
        outlast: called with what is wrong once `limit_s` is over; returns to keep waiting.
        say: called with what is being waited for, in a few words, and with `None` afterwards.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        check: Callable[[], None],
        outlast: Callable[[BrokerError], None],
        say: Callable[[str | None], None],
        sleep: Callable[[float], None],
    ) -> None:
        self.say = say
        self._limit_s = limit_s
        self._check = check
        self._outlast = outlast
        self._sleep = sleep

    def workers_are_silent(self, silent_s: float) -> None:
        """Say that no worker answers, and call `outlast` if that has lasted for too long.

        Args:
            silent_s: seconds since a worker was last heard of.
        """
        left_s = self._limit_s - silent_s
        if left_s < 0:
            self._outlast(
                BrokerError(
                    f"no worker has answered for {silent_s:.0f} s: start one with"
                    " `celery -A ck3parse worker`, and run again to go on from here"
                )
            )
        self.say(f"no worker answers; waiting {max(0.0, left_s):.0f} s more")

    def until_served(self, error: BrokerCallError, reconnect: Callable[[], None]) -> None:
        """Reconnect again and again, with growing pauses, until it succeeds.

        Args:
            error: what the broker failed with.
            reconnect: raises `BrokerCallError` if the broker still does not serve.

        Raises:
            BrokerError: what `check`, `outlast` or `reconnect` raises.
        """
        gone_since = monotonic()
        trouble, reason = error.trouble, error.reason
        for pause_s in pauses():
            self._check()
            left_s = self._limit_s - (monotonic() - gone_since)
            who, state, remedy = trouble
            if left_s <= 0:
                self._outlast(
                    BrokerError(
                        f"{who} has been {state} for {self._limit_s:.0f} s ({reason}):"
                        f" {remedy}, and run again to go on from here"
                    )
                )
            self.say(f"{who} is {state}; trying {max(0.0, left_s):.0f} s more")
            self._sleep(min(pause_s, left_s) if left_s > 0 else pause_s)
            try:
                reconnect()
            except BrokerCallError as again:
                trouble, reason = again.trouble, again.reason
            else:
                break
        self.say(None)
