"""Remote control of workers, with replies that may come late."""

import contextlib
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from amqp.exceptions import ChannelError
from celery import Celery

_DRAIN_LIMIT_S = 0.25


class ControlChannel:
    """Sends commands to all workers, and takes in their replies from one queue.

    Assumes:
        The message of a command is a map of `method`, `arguments`, `destination`, `pattern`,
        `matcher`, `ticket` and `reply_to`, and its headers have `clock`
        (`kombu.pidbox.Mailbox._publish`). A reply has the header `ticket` and is a map from the
        worker's name to what it said. `app.control.mailbox` has the exchanges, the serializer,
        what is accepted and `get_reply_queue`. The queue takes another name and routing key.
        `channel.after_reply_message_received` deletes the queue. A channel of the Redis transport
        searches for messages of dead workers by `qos.restore_visible`, has a queue in the lists
        `_q_for_pri(queue, priority)` for each of its `priority_steps`, and a client in
        `conn_or_acquire`.
    Read in:
        celery 5.7.0, kombu 5.7.0.
    Otherwise:
        Workers do not answer: `run` and `status` report that there is no worker.
    Public way:
        `app.control.inspect` and `broadcast(reply=True)` make a queue for each question, wait for
        their whole timeout, and drop what comes later: at 160 ms of round trip, questions in
        rounds of 0.3 s get no answer. With `limit` they return with the first answer.

    Args:
        app: the application to ask with.
        on_reply: called with each reply's ticket and its map from worker to answer.

    Raises:
        Exception: any error of the libraries, if the broker does not serve. So do all methods.
    """

    def __init__(self, app: Celery, on_reply: Callable[[object, dict[str, Any]], None]) -> None:
        self._app = app
        self._on_reply = on_reply
        self._counting: Any = None
        with contextlib.ExitStack() as stack:
            self._connection = stack.enter_context(app.pool.acquire(block=True))
            # Without this, kombu would retry for longer if the broker is gone.
            self._connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            self._channel = self._connection.default_channel
            # Redis only: a client must not search for what dead workers left.
            self._channel.qos.restore_visible = _restore_nothing
            queue = app.control.mailbox.get_reply_queue()
            queue.name = queue.routing_key = str(uuid.uuid4())
            stack.callback(self._channel.after_reply_message_received, queue.name)
            stack.enter_context(
                self._connection.Consumer(
                    [queue],
                    self._channel,
                    no_ack=True,
                    accept=app.control.mailbox.accept,
                    callbacks=[self._take],
                    on_decode_error=_skip,
                )
            )
            self._queue = queue
            self._resources = stack.pop_all()

    def send(self, command: str, arguments: dict[str, Any], ticket: str | None = None) -> None:
        """Send a command to all workers.

        Args:
            command: name of the command.
            arguments: of the command.
            ticket: what its replies carry; default: workers send none.
        """
        mailbox = self._app.control.mailbox
        message: dict[str, Any] = {
            "method": command,
            "arguments": arguments,
            "destination": None,
            "pattern": None,
            "matcher": None,
        }
        if ticket is not None:
            message["ticket"] = ticket
            message["reply_to"] = {
                "exchange": mailbox.reply_exchange.name,
                "routing_key": self._queue.routing_key,
            }
        self._connection.Producer(self._channel, auto_declare=False).publish(
            message,
            exchange=mailbox.exchange.name,
            declare=[mailbox.exchange],
            serializer=mailbox.serializer,
            headers={"clock": self._app.clock.forward()},
        )

    def receive(self, timeout_s: float) -> bool:
        """Take in one message, and return whether there was one."""
        try:
            self._connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return False
        return True

    def queue_lengths(self, queues: Iterable[str]) -> dict[str, int]:
        """Return how many messages wait in each queue; 0 if there is no such queue."""
        if self._connection.transport.driver_type == "redis":
            return self._lengths_in_redis(list(queues))
        return {queue: self._length(queue) for queue in queues}

    def _lengths_in_redis(self, queues: list[str]) -> dict[str, int]:
        # With one round trip; `queue_declare` takes two for each queue.
        channel = self._channel
        with channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for queue in queues:
                for priority in channel.priority_steps:
                    pipe.llen(channel._q_for_pri(queue, priority))  # noqa: SLF001 - stated above
            lengths = iter(pipe.execute())
        return {queue: sum(next(lengths) for _ in channel.priority_steps) for queue in queues}

    def _length(self, queue: str) -> int:
        # An own channel: declaring a queue that does not exist passively closes an AMQP channel.
        if self._counting is None:
            self._counting = self._connection.channel()
        try:
            return int(self._counting.queue_declare(queue, passive=True).message_count)
        except ChannelError:
            if not getattr(self._counting, "is_open", True):
                self._counting = None
            return 0

    def close(self) -> None:
        """Stop listening, and give the connection back to its pool."""
        with contextlib.closing(self._resources):
            # All applications of a process share the pool. While a blocking read of this channel
            # is under way, the next one gets nothing from its queue for a second: end the read.
            self._connection.Producer(self._channel, auto_declare=False).publish(
                "", routing_key=self._queue.name, serializer=self._app.control.mailbox.serializer
            )
            self.receive(_DRAIN_LIMIT_S)

    def _take(self, body: object, message: Any) -> None:
        if isinstance(body, dict):
            self._on_reply(message.headers.get("ticket"), body)


def _restore_nothing(*args: object, **options: object) -> None:
    """Leave the messages of dead workers to workers."""


def _skip(message: object, error: Exception) -> None:
    """Ignore a reply that cannot be decoded."""
