"""Connections to the broker.

Importing this module does not import Celery, as `bridge.engine` is imported without it.
"""

import codecs
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery
    from kombu.connection import Connection


def redis_client(connection: "Connection") -> Any:
    """Return the redis-py client of a connection to the broker, or `None` if it is no Redis.

    Assumes:
        A channel of kombu's Redis transport has it as `client`. A channel of any other transport
        has no attribute of that name, or one without `info`.
    Read in:
        kombu 5.7.0.
    Otherwise:
        A Redis Cluster is not recognized, and fails with the first key that another node has;
        `ck3parse status` does not show the broker's memory.
    Public way:
        None, for the reasons in `results.redis_client`.
    """
    return getattr(connection.default_channel, "client", None)


def reconnect_failure(error: RuntimeError) -> BaseException | None:
    """Return why Celery could not reconnect to its result backend, if that is what an error says.

    Assumes:
        Celery raises a `RuntimeError` in that case, whose `__cause__` is the connection's error.
    Read in:
        celery 5.7.0 (`celery.backends.asynchronous.BaseResultConsumer.reconnect_on_error`).
    Otherwise:
        Another error passes `pipeline.broker_calls` and ends the run with a traceback, where the
        client would have waited for the broker.
    Public way:
        None: the application "must be restarted" then, which is what the client does.
    """
    return error.__cause__


def import_everything(app: "Celery") -> None:
    """Import all modules that talking to the broker and its result backend will take.

    A module that one thread is importing when another thread forks stays half imported in the
    child.

    Assumes:
        These attributes are computed on first use and import what they need, as does the first
        use of the codecs, which are for names of hosts and tasks.
    Read in:
        celery 5.7.0, kombu 5.7.0.
    Otherwise:
        A fork during the first call can leave the child waiting for an import lock.
    Public way:
        None.
    """
    # An URL that cannot be used is reported when it is used.
    with contextlib.suppress(Exception):
        app.connection_for_write().transport  # noqa: B018 - properties that import
        app.amqp.send_task_message, app.backend, app.control.mailbox  # noqa: B018
        for codec in ("unicode_escape", "idna"):
            codecs.lookup(codec)
        app.finalize()


def release_inherited_connections() -> None:
    """Release all connections of Celery's that a forked child has inherited.

    Assumes:
        Celery and kombu register with `billiard.util` what a child has to do after a fork, and
        `_run_after_forkers` does it, as in billiard's own children. `_afterfork_registry` has the
        objects. A channel of Redis that is closed reads what it has asked for if `_in_poll` is set.
    Read in:
        celery 5.7.0, kombu 5.7.0, billiard 4.3.2.
    Otherwise:
        The child sends on its parent's connections if it uses another Celery application, or waits
        for five seconds for an answer that its parent gets.
    Public way:
        `kombu.pools.reset` closes connections, with messages on sockets that the parent uses.
        `os.register_at_fork` is what neither Celery nor kombu uses.
    """
    if "billiard.util" not in sys.modules:
        return
    from billiard.util import _afterfork_registry, _run_after_forkers

    with contextlib.suppress(Exception):
        for inherited in list(_afterfork_registry.values()):
            if getattr(inherited, "_in_poll", False):
                inherited._in_poll = False  # noqa: SLF001 - stated above
        _run_after_forkers()


def oldest_headers(client: Any, queue: str) -> dict[str, Any] | None:
    """Return the headers of the oldest message in a queue, or `None` if it is empty.

    Assumes:
        A queue is a Redis list of that name, whose last element is the oldest message. It is a JSON
        object with the message's `headers`. Messages without priority are in no other list.
    Read in:
        kombu 5.7.0 (`kombu.transport.redis.Channel._put`, `_brpop_start`).
    Otherwise:
        `ck3parse metrics` does not say for how long batches wait.
    Public way:
        None that leaves the message in the queue.

    Args:
        client: the redis-py client of a connection to the broker.
        queue: name of the queue.
    """
    message = client.lindex(queue, -1)
    if message is None:
        return None
    try:
        headers = json.loads(message)["headers"]
    except (ValueError, LookupError, TypeError):  # another program's
        return {}
    return headers if isinstance(headers, dict) else {}
