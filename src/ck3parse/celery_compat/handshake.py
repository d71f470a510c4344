"""Connections to a Redis server that are opened with as few round trips as possible.

A connection of redis-py sends up to five commands before its first one that is of use, and waits
for each reply. Far from the server, that is most of a client's start.
"""

from functools import cache
from time import monotonic
from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection, ConnectionPool, PooledConnection

from ck3parse.celery_compat.unwaited import mix_in


class ShortHandshake:
    """A connection of redis-py that says only what the server must know; a mixin.

    Assumes:
        A connection that was just opened says `HELLO`, or logs in, in `on_connect_check_health`.
        That also sends `CLIENT SETINFO` if there is a `driver_info`, and asks for notifications of
        maintenance in `activate_maint_notifications_handling_if_enabled`; no server that one
        installs has these. Before a command it sends a `PING` if `next_health_check` has passed,
        by the monotonic clock in seconds.
    Read in:
        redis-py 8.1.0.
    Otherwise:
        Each connection takes up to four round trips more.
    Public way:
        `driver_info=None` and `maint_notifications_config`, which neither Celery nor kombu passes
        on. A new connection's `PING` goes with `health_check_interval`, which is needed.
    """

    health_check_interval: float
    next_health_check: float

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.driver_info = None

    def activate_maint_notifications_handling_if_enabled(self, *args: Any, **options: Any) -> None:
        """Do not ask for notifications."""

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, and select the database."""
        del check_health
        self.next_health_check = monotonic() + self.health_check_interval
        super().on_connect_check_health(check_health=False)  # type: ignore[misc]


@cache
def with_short_handshake(connection_class: type) -> type:
    """Return a class of redis-py's connections with the mixin."""
    if issubclass(connection_class, ShortHandshake):
        return connection_class
    return type(connection_class.__name__, (ShortHandshake, connection_class), {})


def shorten_results(backend: Any) -> None:
    """Have a result backend that was just made open such connections, if it is a Redis server.

    Assumes:
        A Redis backend makes its pool of `connparams`, with the class `connection_class` or
        redis-py's `Connection`.
    Read in:
        celery 5.7.0.
    Otherwise:
        As above.
    Public way:
        None.
    """
    options = getattr(backend, "connparams", None)
    if options is None or "hosts" in options:  # those of Sentinel are other ones
        return
    import redis  # no other result backend needs it

    given = options.get("connection_class", redis.Connection)
    options["connection_class"] = with_short_handshake(given)


class _Channel:
    """A channel of kombu's Redis transport that opens such connections; a mixin.

    Assumes:
        `_connparams(asynchronous)` returns the options of redis-py's pool, and `connection_class`.
    Read in:
        kombu 5.7.0.
    Otherwise:
        KeyError or AttributeError with the first connection.
    Public way:
        None: the class is no transport option.
    """

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        options: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        options["connection_class"] = with_short_handshake(options["connection_class"])
        return options


class _Connection:
    """A connection to the broker, with a short handshake if that is a Redis server; a mixin.

    Assumes:
        `create_transport` makes the transport, also for a connection's clones.
    Read in:
        kombu 5.7.0.
    Otherwise:
        As above.
    Public way:
        A transport class of one's own would have to exist for each kind of Redis.
    """

    def create_transport(self) -> Any:
        transport = super().create_transport()  # type: ignore[misc]
        mix_in(transport, _Channel)
        return transport


class _PooledConnection(_Connection, PooledConnection):
    pass


class _Pool(ConnectionPool):
    """A pool of such connections.

    Assumes:
        `new` makes one of `connection._info(resolve=False)`, and `BrokerConnection.Pool` makes the
        pool.
    Read in:
        kombu 5.7.0.
    Otherwise:
        As above.
    Public way:
        None.
    """

    def new(self) -> PooledConnection:
        options = self.connection._info(resolve=False)  # noqa: SLF001 - stated above
        return _PooledConnection(self, **dict(options))  # type: ignore[no-untyped-call]


class BrokerConnection(_Connection, Connection):
    """A connection to the broker that is not from a pool."""

    def Pool(self, limit: int | None = None, **kwargs: Any) -> ConnectionPool:  # noqa: N802 - kombu's
        """Return a pool of connections to the same broker."""
        clone = self.clone(**kwargs)  # type: ignore[no-untyped-call]
        return _Pool(clone, limit)  # type: ignore[no-untyped-call]


class QuickAMQP(AMQP):
    """What an application makes its connections to the broker with.

    Assumes:
        `Connection` is the class of them.
    Read in:
        celery 5.7.0.
    Otherwise:
        As above.
    Public way:
        The argument `amqp` of an application is public; its attributes are documented nowhere.
    """

    Connection = BrokerConnection
