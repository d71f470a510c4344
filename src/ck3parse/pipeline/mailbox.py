"""Questions to all workers of a broker, and their replies."""

import uuid
from collections.abc import Callable, Collection, Iterable
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from celery import Celery

from ck3parse.celery_compat.control import ControlChannel
from ck3parse.pipeline.broker_calls import calling_broker

PATIENCE_S = 5.0
"""How long the first worker may take to reply. On one machine it takes milliseconds."""
WINDOW_S = 0.3
"""How long to listen for more workers after the first, if they are near."""
_AGAIN_S = 1.0
"""How long to wait for the first before asking again: who comes up later did not hear."""
_SLICE_S = 0.25
_AT_ONCE_S = 0.001


class Reply(NamedTuple):
    """What one worker replied.

    Attributes:
        body: what it said.
        seconds: how long it took to come.
    """

    body: Any
    seconds: float


class Mailbox:
    """Asks all workers at once, one question after the other, and takes in their replies.

    All come to one queue, which is there for as long as the mailbox, so that a reply may take its
    time. Celery's `inspect` makes one for each question, and drops what comes after its timeout.

    Args:
        app: the application to ask with.

    Attributes:
        replies: to the last question, by worker.
        late: workers that replied to an earlier one since the last was asked.

    Raises:
        BrokerCallError: the broker does not serve.
    """

    def __init__(self, app: Celery) -> None:
        self.replies: dict[str, Reply] = {}
        self.late: set[str] = set()
        self._ticket = ""
        self._asked = 0.0
        with calling_broker():
            self._channel = ControlChannel(app, self._take)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """How long ago the last question was asked."""
        return monotonic() - self._asked

    def ask(self, command: str, arguments: dict[str, Any] | None = None) -> None:
        """Ask all workers, and forget what was asked before.

        Args:
            command: a command of Celery's workers' remote control.
            arguments: of the command.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        self.replies, self.late = {}, set()
        self._ticket = str(uuid.uuid4())
        with calling_broker():
            self._channel.send(command, arguments or {}, self._ticket)
        self._asked = monotonic()

    def tell(self, command: str, arguments: dict[str, Any]) -> None:
        """Tell all workers something that they do not reply to.

        Args:
            command: a command of Celery's workers' remote control.
            arguments: of the command.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        with calling_broker():
            self._channel.send(command, arguments)

    def listen(self, timeout_s: float = 0.0) -> bool:
        """Take in one message, and return whether there was one.

        Args:
            timeout_s: seconds to wait for it.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        with calling_broker():
            return self._channel.receive(max(timeout_s, _AT_ONCE_S))

    def replies_to(
        self,
        command: str,
        *,
        known: Collection[str] = (),
        first_is_enough: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> dict[str, Reply]:
        """Ask all workers, and return their replies; none if there is none within `PATIENCE_S`.

        Args:
            command: a command of Celery's workers' remote control.
            known: names of workers; once all of these have replied no others are waited for.
                Without them, others have twice as long as the first took, and `WINDOW_S` at least.
            first_is_enough: wait for one reply only.
            check: called now and then; raises to end the wait.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        self.ask(command)
        ends_s, again_s = PATIENCE_S, _AGAIN_S
        while (left_s := ends_s - self.seconds) > 0:
            check()
            came = self.listen(min(left_s, _SLICE_S))
            if not self.replies:
                if self.seconds > again_s:
                    with calling_broker():
                        self._channel.send(command, {}, self._ticket)
                    again_s += _AGAIN_S
                continue
            if first_is_enough or (known and self.replies.keys() >= set(known)):
                break
            if came and len(self.replies) == 1 and not known:
                (first,) = self.replies.values()
                ends_s = first.seconds + max(WINDOW_S, 2 * first.seconds)
        return self.replies

    def queue_lengths(self, queues: Iterable[str]) -> dict[str, int]:
        """Return how many batches wait in each queue, by its name.

        Args:
            queues: names of queues.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        with calling_broker():
            return {queue: self._channel.queue_length(queue) for queue in queues}

    def close(self) -> None:
        """Listen no more.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        with calling_broker():
            self._channel.close()

    def _take(self, ticket: object, replies: dict[str, Any]) -> None:
        if ticket == self._ticket:
            for worker, said in replies.items():
                before = self.replies.get(worker)
                if before and isinstance(before.body, dict) and isinstance(said, dict):
                    said = {**before.body, **said}  # two workers of one name
                self.replies[worker] = Reply(said, self.seconds)
        else:
            self.late.update(replies)
