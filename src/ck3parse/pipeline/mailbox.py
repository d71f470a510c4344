"""Sending remote-control commands to all workers, and collecting their replies."""

import uuid
from collections.abc import Callable, Collection, Iterable
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from celery import Celery

from ck3parse.celery_compat.control import ControlChannel
from ck3parse.pipeline.broker_calls import calling_broker

PATIENCE_S = 5.0
"""Seconds that the first worker may take to reply; on one machine it takes milliseconds."""
WINDOW_S = 0.3
"""Seconds to wait for more replies after the first, if that came quickly."""
_AGAIN_S = 1.0
"""Seconds to wait for the first reply before asking again, for workers that started since."""
_SLICE_S = 0.25
_AT_ONCE_S = 0.001


class Reply(NamedTuple):
    """A worker's reply.

    Attributes:
        body: its content.
        seconds: how long it took.
    """

    body: Any
    seconds: float


class Mailbox:
    """Sends commands to all workers, one after the other, and collects their replies.

    All replies come to one queue that exists as long as the mailbox, so late replies are seen too.
    Celery's `inspect` makes a queue for each command and drops what comes after its timeout.

    Args:
        app: the Celery application to send with.

    Attributes:
        replies: replies to the last command, by worker.
        late: workers that have replied to an earlier command since the last one was sent.

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
        """Seconds since the last command was sent."""
        return monotonic() - self._asked

    def ask(self, command: str, arguments: dict[str, Any] | None = None) -> None:
        """Send a command that workers reply to, and forget the replies to the one before.

        Args:
            command: a remote-control command of Celery workers.
            arguments: the command's arguments.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        self.replies, self.late = {}, set()
        self._ticket = str(uuid.uuid4())
        with calling_broker():
            self._channel.send(command, arguments or {}, self._ticket)
        self._asked = monotonic()

    def tell(self, command: str, arguments: dict[str, Any]) -> None:
        """Send a command that workers do not reply to.

        Args:
            command: a remote-control command of Celery workers.
            arguments: the command's arguments.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        with calling_broker():
            self._channel.send(command, arguments)

    def listen(self, timeout_s: float = 0.0) -> bool:
        """Receive one reply, and return whether there was one.

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
        patience_s: float = PATIENCE_S,
        known: Collection[str] = (),
        first_is_enough: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> dict[str, Reply]:
        """Send a command, wait for replies and return them; empty if none comes in time.

        Args:
            command: a remote-control command of Celery workers.
            patience_s: seconds that the first worker may take to reply.
            known: names of workers; stop waiting once all of these have replied. Without them, wait
                for twice as long as the first reply took, and at least for `WINDOW_S`.
            first_is_enough: whether to wait for one reply only.
            check: called while waiting; raises to stop.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        self.ask(command)
        ends_s, again_s = patience_s, _AGAIN_S
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
            return self._channel.queue_lengths(queues)

    def close(self) -> None:
        """Stop listening.

        Raises:
            BrokerCallError: the broker does not serve.
        """
        with calling_broker():
            self._channel.close()

    def _take(self, ticket: object, replies: dict[str, Any]) -> None:
        if ticket == self._ticket:
            for worker, content in replies.items():
                before = self.replies.get(worker)
                if before and isinstance(before.body, dict) and isinstance(content, dict):
                    content = {**before.body, **content}  # two workers have the same name
                self.replies[worker] = Reply(content, self.seconds)
        else:
            self.late.update(replies)
