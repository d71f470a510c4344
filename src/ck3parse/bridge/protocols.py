"""What the parts of the bridge ask of each other."""

from collections.abc import Callable
from typing import Protocol

from ck3parse.bridge.worker_process import WorkerProcess
from ck3parse.messages import ParseRequest, ParseResult

Sink = Callable[[ParseResult], None]
"""Takes the answer to a request."""


class Keeper(Protocol):
    """What a future needs of whoever will answer it."""

    def is_answering(self) -> bool:
        """Return whether the calling thread is one of those that bring results."""

    def flush(self) -> None:
        """Send at once what was held back for company."""

    def drop(self, request_id: str) -> None:
        """Withdraw a request that nobody waits for any more."""

    def taken(self, request_id: str) -> None:
        """Note that the result of a request was handed over."""


class Engine(Keeper, Protocol):
    """What parses.

    Attributes:
        max_file_bytes: a larger text is not parsed.
    """

    max_file_bytes: int

    @property
    def stopped(self) -> bool:
        """Whether it answers nothing any more."""

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
        """Take a request; see `Dispatcher.submit`."""

    def close(self) -> None:
        """Answer nothing any more, and end every process of it."""

    def worker_list(self) -> list[WorkerProcess]:
        """Return each worker process."""
