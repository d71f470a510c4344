"""Interfaces between the parts of the bridge."""

from collections.abc import Callable
from typing import Protocol

from ck3parse.bridge.worker_process import WorkerProcess
from ck3parse.messages import ParseRequest, ParseResult

Sink = Callable[[ParseResult], None]
"""Is called with the result of a request."""


class Keeper(Protocol):
    """What a future needs from the engine that was asked."""

    def is_answering(self) -> bool:
        """Return whether the calling thread is one that delivers results."""

    def flush(self) -> None:
        """Send all open batches at once."""

    def drop(self, request_id: str) -> None:
        """Withdraw a request that nobody waits for any more."""

    def taken(self, request_id: str) -> None:
        """Note that the result of a request was delivered."""


class Engine(Keeper, Protocol):
    """Parses requests.

    Attributes:
        max_file_bytes: a larger text is not parsed.
    """

    max_file_bytes: int

    @property
    def stopped(self) -> bool:
        """Whether it was closed or has failed."""

    def submit(
        self,
        request: ParseRequest,
        size: int,
        sink: Sink,
        *,
        bulk: bool = False,
        urgent: bool = False,
        keep: bool = False,
    ) -> str:
        """Accept a request; see `Dispatcher.submit`."""

    def close(self) -> None:
        """Fail what is still waiting, and stop all processes that the engine started."""

    def worker_list(self) -> list[WorkerProcess]:
        """Return all worker processes."""
