"""Commands to a Redis server that are sent at once, and whose replies are read when they have come.

Celery and kombu wait for the reply to each command. Far from the server that is most of the time.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from kombu.common import maybe_declare
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from celery import Celery
    from celery.result import AsyncResult

STALL_LIMIT_S = 5.0
"""Seconds after which a reply that has not come will not: the connection stalls."""
_MOST_UNREAD = 1_000
_CLOSE_LIMIT_S = 1.0


class UnwaitedCommands:
    """Sends commands on a connection of its own; for one thread.

    Assumes:
        A connection of redis-py's pool sends with `send_packed_command(data, check_health=False)`
        what `pack_commands` returns, and reads nothing meanwhile. `can_read(timeout=0)` says
        whether a reply is there, and `read_response` reads one in the order of the commands; it
        raises the error that a reply is.
    Read in:
        redis-py 8.1.0.
    Otherwise:
        Errors at once, in clients as in workers.
    Public way:
        `Redis.pipeline` sends many commands together and waits for the replies.

    Args:
        pool: a connection pool of redis-py.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._connection: Any = None
        self._unread: deque[tuple[float, Callable[[Any], None] | None]] = deque()
        """For each command without a reply so far: when it was sent, and who takes the reply."""

    def open(self) -> None:
        """Open the connection, if it is not open; otherwise the first command does.

        Raises:
            Exception: any error of the library.
        """
        if self._connection is None:
            self._connection = self._pool.get_connection()

    def send(
        self, *commands: tuple[Any, ...], on_reply: Callable[[Any], None] | None = None
    ) -> None:
        """Send commands.

        Args:
            *commands: each with its name and its arguments.
            on_reply: called with the reply to each of them, while a later one is sent, or by
                `settle`.

        Raises:
            Exception: any error of the library, also for commands that were sent before.
        """
        self.open()
        self.settle(wait_for=_MOST_UNREAD)
        connection = self._connection
        with self._resetting():
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        self._unread.extend([(monotonic(), on_reply)] * len(commands))

    def settle(self, *, wait_for: int | None = None) -> None:
        """Read the replies that have come.

        Args:
            wait_for: wait until not more than so many commands are without a reply.

        Raises:
            Exception: any error of the library: a command failed, or the connection is gone.
        """
        if not self._unread:
            return
        connection = self._connection
        with self._resetting():
            while self._unread:
                must = wait_for is not None and len(self._unread) > wait_for
                if not must and not connection.can_read(timeout=0):
                    break
                reply = connection.read_response()
                _, on_reply = self._unread.popleft()
                if on_reply:
                    on_reply(reply)
            if self._unread and monotonic() - self._unread[0][0] > STALL_LIMIT_S:
                raise RedisTimeoutError("a command was not answered")

    def close(self) -> None:
        """Wait for the replies, for a second at most, and close the connection.

        Raises:
            Exception: as for `settle`.
        """
        # Closing earlier could make the server drop what it has not read yet.
        ends = monotonic() + _CLOSE_LIMIT_S
        try:
            while self._unread and (left_s := ends - monotonic()) > 0:
                if self._connection.can_read(timeout=left_s):
                    self.settle()
        finally:
            self._reset()

    def _reset(self) -> None:
        self._unread.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)

    @contextlib.contextmanager
    def _resetting(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._reset()
            raise


class _Collector:
    """Takes the commands by which kombu publishes a message, and sends them."""

    def __init__(self, commands: UnwaitedCommands) -> None:
        self._commands = commands

    def add(self, name: str, *args: Any) -> None:
        self._commands.send((name.upper(), *args))


class PublishingChannel:
    """What makes a channel of kombu's Redis transport publish without waiting; a mixin.

    Assumes:
        `_put(queue, message, _publish_batch=batch)` and `_put_fanout(exchange, message,
        routing_key, _publish_batch=batch)` hand each command to `batch.add(name, *args)` instead of
        sending it. `pool` is redis-py's connection pool.
    Read in:
        kombu 5.7.0.
    Otherwise:
        TypeError or AttributeError with the first batch.
    Public way:
        `Producer.batch` sends many messages together, waits for the replies, and holds back the
        first message until the last one.
    """

    pool: Any
    unwaited: UnwaitedCommands | None = None

    @property
    def commands(self) -> UnwaitedCommands:
        """What it publishes with."""
        if self.unwaited is None:
            self.unwaited = UnwaitedCommands(self.pool)
        return self.unwaited

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        kwargs["_publish_batch"] = _Collector(self.commands)
        super()._put(queue, message, **kwargs)  # type: ignore[misc]

    def _put_fanout(self, exchange: str, message: Any, routing_key: str, **kwargs: Any) -> None:
        kwargs["_publish_batch"] = _Collector(self.commands)
        super()._put_fanout(exchange, message, routing_key, **kwargs)  # type: ignore[misc]

    def close(self) -> None:
        """Close the channel, once the server has what was published."""
        unwaited, self.unwaited = self.unwaited, None
        if unwaited is not None:
            with contextlib.suppress(Exception):  # it may be the reason to close
                unwaited.close()
        super().close()  # type: ignore[misc]


def mix_in(transport: Any, kind: type) -> bool:
    """Have a transport make channels of a kind, if it is one to Redis.

    Assumes:
        A transport makes channels of the class in its attribute `Channel`. The transport of Redis
        is the one whose `driver_type` is `redis`.
    Read in:
        kombu 5.7.0.
    Otherwise:
        Clients and workers wait for each reply, which takes long if the broker is far away.
    Public way:
        A transport class of one's own in the URL would have to exist for each kind of Redis.

    Args:
        transport: of a connection of kombu's that is not open yet.
        kind: the mixin.

    Returns:
        Whether it does.
    """
    if transport.driver_type != "redis":
        return False
    if not issubclass(transport.Channel, kind):
        transport.Channel = type(kind.__name__, (kind, transport.Channel), {})
    return True


class TaskSender:
    """Sends tasks, and deletes results, without waiting for the server; for one thread.

    For another broker than Redis it does what Celery does.

    Assumes:
        `app.amqp.Producer` is what `send_task` takes as `producer`. A Redis backend has
        `client.connection_pool`, `get_key_for_task` and the map `_cache`, and stores nothing else
        for a task that is no part of a group. A result that has come is in the attribute `_cache`
        of the `AsyncResult`. `send_task` declares no queue that `kombu.common.maybe_declare` has
        declared on the same channel.
    Read in:
        celery 5.7.0, kombu 5.7.0.
    Otherwise:
        Each task is sent, and each result deleted, with a round trip of its own.
    Public way:
        `send_task` and `AsyncResult.forget` take a round trip each.

    Args:
        app: the application.
        queue: a queue that tasks will be sent to.

    Raises:
        Exception: any error of the libraries, if the broker does not serve. So do all methods.
    """

    def __init__(self, app: "Celery", queue: str) -> None:
        self._app = app
        self._connection: Any = app.connection_for_write()
        self._channel: Any = None
        self._deletions: UnwaitedCommands | None = None
        self.producer: Any = None
        """For `send_task`; `None` for its own."""
        if mix_in(self._connection.transport, PublishingChannel):
            self._connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            self._channel = self._connection.default_channel
            self.producer = app.amqp.Producer(self._channel, auto_declare=False)
            maybe_declare(app.amqp.queues[queue], self._channel)  # type: ignore[no-untyped-call]
        client = getattr(app.backend, "client", None)
        if client is not None:
            self._deletions = UnwaitedCommands(client.connection_pool)
            self._deletions.open()

    def delete(self, results: "list[AsyncResult]") -> None:
        """Delete results that nobody waits for any more.

        Args:
            results: of tasks.
        """
        if self._deletions is None:
            for result in results:
                result.forget()
        elif results:
            backend = self._app.backend
            for result in results:
                # A cycle of references keeps the object until garbage is collected.
                result._cache = None  # noqa: SLF001 - stated above
                backend.remove_pending_result(result)
                backend._cache.pop(result.id, None)  # noqa: SLF001
            keys = [backend.get_key_for_task(result.id) for result in results]
            self._deletions.send(("DEL", *keys))

    def settle(self) -> None:
        """Find out whether what was sent has failed, without waiting."""
        for each in self._all():
            each.settle()

    def close(self) -> None:
        """Wait until the server has what was sent, and close the connections."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._connection.release)
            for each in self._all():
                stack.callback(each.close)

    def _all(self) -> list[UnwaitedCommands]:
        # Of several servers, another may serve now: its channel waits for each reply.
        publishing = getattr(self._channel, "unwaited", None)
        return [each for each in (publishing, self._deletions) if each is not None]
