"""Taking messages from a Redis broker that is far away, without waiting for each reply.

Kombu takes one message in a round trip, notes it as unacknowledged in a second one and acknowledges
it in a third, and the worker's event loop stands still in the last two.
"""

import contextlib
from collections.abc import Callable, Iterator
from queue import Empty
from time import monotonic, time
from typing import Any, Self

from kombu.transport import redis
from kombu.utils import json

from ck3parse.celery_compat.unwaited import PublishingChannel, UnwaitedCommands, mix_in

_loads: Callable[[str], Any] = json.loads
_MOST_AT_ONCE = 64
"""Messages to take in one round trip: more would hold up the event loop while they arrive."""


class _Recorder:
    """Takes what kombu tells a pipeline of redis-py, and sends it without waiting."""

    def __init__(self, commands: UnwaitedCommands) -> None:
        self._to = commands
        self._commands: list[tuple[Any, ...]] = []

    def zadd(self, key: str, scores: dict[str, float]) -> Self:
        self._commands += [("ZADD", key, score, member) for member, score in scores.items()]
        return self

    def hset(self, key: str, field: str, value: str) -> Self:
        self._commands.append(("HSET", key, field, value))
        return self

    def zrem(self, key: str, member: str) -> Self:
        self._commands.append(("ZREM", key, member))
        return self

    def hdel(self, key: str, field: str) -> Self:
        self._commands.append(("HDEL", key, field))
        return self

    def execute(self) -> None:
        self._to.send(*self._commands)


class FetchingQoS(redis.QoS):
    """Notes and acknowledges messages without waiting, and knows how many more to take.

    Assumes:
        `append` and `ack` send through the pipeline that `pipe_or_acquire` yields without
        arguments, by `zadd(key, {member: score})`, `hset`, `zrem`, `hdel` and `execute`.
        `restore_by_tag` gives back one message of this process or another one. `restore_visible`
        is called now and then to give back those that were held for too long; they are in the
        sorted set `unacked_index_key`, by the time when they were taken. `_delivered` has the
        messages that were taken, and `_dirty` those of them that were acknowledged.
    Read in:
        kombu 5.7.0.
    Otherwise:
        AttributeError with the first message, or each message takes two round trips more.
    Public way:
        None.
    """

    channel: "FetchingChannel"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._is_due = False

    def can_consume(self) -> bool:
        """Return whether to take more messages."""
        return self.room() > 0

    def room(self) -> int:
        """Return how many more messages to take."""
        if not self.prefetch_count:
            return 1
        taken = len(self._delivered) - len(self._dirty)
        return int(self.prefetch_count + self.channel.ahead - taken)

    @contextlib.contextmanager
    def pipe_or_acquire(self, pipe: Any = None, client: Any = None) -> Iterator[Any]:
        """Yield a pipeline: one that waits for nothing, unless another one is given."""
        if pipe is not None or client is not None or self.channel.closed:
            with super().pipe_or_acquire(pipe, client) as waiting:
                yield waiting
        else:
            yield _Recorder(self.channel.commands)

    def restore_by_tag(self, *args: Any, **options: Any) -> None:
        """Give a message back, once the server has noted it."""
        self.channel.settle()
        super().restore_by_tag(*args, **options)  # type: ignore[no-untyped-call]

    def restore_visible(self, *args: Any, **options: Any) -> None:
        """Give back messages that were held for too long, if the last call found that there are."""
        if self._is_due:
            self._is_due = False
            super().restore_visible(*args, **options)  # type: ignore[no-untyped-call]
            return
        until = time() - self.visibility_timeout
        self.channel.commands.send(
            ("ZRANGE", self.unacked_index_key, 0, until, "BYSCORE", "LIMIT", 0, 1),
            on_reply=self._note_due,
        )

    def _note_due(self, found: Any) -> None:
        self._is_due = bool(found)


class FetchingChannel(PublishingChannel):
    """A channel that takes as many messages in one round trip as there is room for; a mixin.

    Assumes:
        `_brpop_start` sends BRPOP on `client.connection` and sets `_in_poll`; `_brpop_read` reads
        the reply, hands a message to `connection._deliver(message, queue)`, raises `Empty` without
        one, and resets `_in_poll`. Nothing else is sent on that connection in between. A queue
        without priorities is the list of its name; a member is a message as JSON.
    Read in:
        kombu 5.7.0.
    Otherwise:
        AttributeError, or a worker connects anew for each message. Without `ahead` it works as
        kombu's does.
    Public way:
        None.

    Attributes:
        ahead: how many messages to hold in addition to the prefetch count.
        ahead_queue: the queue to take them from.
    """

    QoS = FetchingQoS
    ahead = 0
    ahead_queue = ""
    _wanted = 0

    client: Any
    connection: Any
    sep: str
    closed: bool
    qos: FetchingQoS
    active_queues: Any
    _in_poll: Any

    def settle(self) -> None:
        """Wait until the server has answered everything."""
        if self.unwaited is not None:
            self.unwaited.settle(wait_for=0)

    def round_trip_s(self) -> float:
        """Measure how many seconds a round trip to the server takes."""
        with self.conn_or_acquire() as client:  # type: ignore[attr-defined]
            client.ping()  # it may have to connect
            began = monotonic()
            client.ping()
            return monotonic() - began

    def _brpop_start(self, *args: Any, **options: Any) -> None:
        super()._brpop_start(*args, **options)  # type: ignore[misc]
        self._wanted = 0
        if self._in_poll and self.ahead and self.ahead_queue in self.active_queues:
            self._wanted = max(0, min(self.qos.room() - 1, _MOST_AT_ONCE))
            connection = self.client.connection
            if self._wanted:
                pops = [("RPOP", self.ahead_queue)] * self._wanted
                connection.send_packed_command(connection.pack_commands(pops), check_health=False)

    def _brpop_read(self, **options: Any) -> Any:
        wanted, self._wanted = self._wanted, 0
        if not wanted:
            return super()._brpop_read(**options)  # type: ignore[misc]
        connection = self.client.connection
        try:
            first = self.client.parse_response(connection, "BRPOP", **options)
            more = [self.client.parse_response(connection, "RPOP") for _ in range(wanted)]
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._in_poll = None
        taken = []
        if first:
            taken.append((first[0].decode().rsplit(self.sep, 1)[0], first[1]))
        taken += [(self.ahead_queue, message) for message in more if message]
        if not taken:
            raise Empty
        failure: BaseException | None = None
        for queue, message in taken:
            try:
                self.connection._deliver(_loads(message.decode()), queue)  # noqa: SLF001
            except Exception as error:  # noqa: BLE001 - the others were taken, too
                failure = failure or error
        if failure:
            raise failure
        return True


def fetch_ahead(connection: Any) -> None:
    """Have a connection that is not open yet make such channels, if it is one to Redis."""
    mix_in(connection.transport, FetchingChannel)
