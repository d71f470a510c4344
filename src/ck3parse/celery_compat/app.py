"""A Celery application that nothing but its own settings steers, and that outlasts any result."""

import logging
from collections.abc import Callable
from typing import Any

from celery import Celery, states
from celery.app.utils import Settings

from ck3parse.celery_compat.handshake import shorten_results

log = logging.getLogger(__name__)


class _OwnSettings(Settings):
    """Celery's settings, as they were given.

    Assumes:
        Celery reads the URLs through these four properties, and prefers `CELERY_BROKER_URL`,
        `CELERY_BROKER_READ_URL`, `CELERY_BROKER_WRITE_URL` and `CELERY_RESULT_BACKEND` in them.
        `app.conf` is one instance of `Settings` from `on_init` on, and can be given this class.
    Read in:
        celery 5.7.0.
    Otherwise:
        In a program that has these variables for its own Celery, ck3parse talks to that program's
        broker.
    Public way:
        `broker_read_url`, `broker_write_url` and `Celery(backend=...)` are preferred to some of the
        variables, and not to all.
    """

    @property
    def broker_url(self) -> str:
        return str(self["broker_url"])

    broker_read_url = broker_write_url = broker_url

    @property
    def result_backend(self) -> str:
        return str(self["result_backend"])


class LastingApplication(Celery):
    """A Celery application to which any bytes on the result backend are a result, or none.

    Assumes:
        `_get_backend` makes the backend. The backend reads a result through its methods `decode`
        and `meta_from_decoded`, and hands what it hears to
        `result_consumer.on_state_change(meta, message)`. A result is a map with `status`,
        `task_id`, `result` and `children`; one without a known status is skipped. `_backend` is the
        backend if it was made; that of Redis caches its redis-py client as `client`.
    Read in:
        celery 5.7.0.
    Otherwise:
        Bytes that are no result, under the id of a task, raise any error in the client that waits
        for it, and end its run.
    Public way:
        A backend class of one's own in the URL (`module.Class+redis://`) would have to exist for
        each kind of backend, and replaces the same methods. Results have no hook before they are
        decoded; their serializer, which is public, does not see what Celery does afterwards.
    """

    amqp_cls = "ck3parse.celery_compat.handshake:QuickAMQP"
    unreadable: Callable[[str], Exception] = ValueError
    """Makes the result of a failure that cannot be turned into an exception."""

    def on_init(self) -> None:
        """Take the settings as they are given."""
        # Past `Settings.__setattr__`, which would make it a setting.
        object.__setattr__(self.conf, "__class__", _OwnSettings)

    def close(self) -> None:
        """Also close the connections to a Redis result backend that are not in use.

        Otherwise they would stay open until the garbage collector finds them.
        """
        super().close()
        # Only a backend that was used has its client: here it must not be made.
        client = vars(self._backend).get("client") if self._backend else None
        if client is not None:
            client.connection_pool.disconnect(inuse_connections=False)

    def _get_backend(self) -> Any:
        backend = super()._get_backend()
        shorten_results(backend)
        decode, to_python = backend.decode, backend.meta_from_decoded
        unreadable = type(self).unreadable

        def decoded(payload: Any) -> Any:
            try:
                return decode(payload)
            except Exception as error:  # noqa: BLE001 - each codec has its own
                log.warning("a result cannot be read (%s)", error)
                return None

        def meta_of(found: Any) -> dict[str, Any]:
            meta = _shaped(found)
            try:
                meta = to_python(meta)
            except Exception as error:  # noqa: BLE001 - it may name any class
                meta["result"] = unreadable(f"a failure that none can be: {error}")
            return meta

        backend.decode, backend.meta_from_decoded = decoded, meta_of
        consumer = getattr(backend, "result_consumer", None)
        if consumer is not None:
            changed = consumer.on_state_change
            consumer.on_state_change = lambda meta, message: changed(_shaped(meta), message)
        return backend


def _shaped(meta: Any) -> dict[str, Any]:
    """Return a task's state in the shape that Celery expects; of anything else, a pending one."""
    found = meta if isinstance(meta, dict) else {}
    status, task_id = found.get("status"), found.get("task_id", "")
    if not (isinstance(status, str) and isinstance(task_id, str) and status in states.ALL_STATES):
        return {"status": states.PENDING, "result": None, "task_id": ""}
    # Tasks of ck3parse have no children.
    return {"result": None, **found, "task_id": task_id, "children": []}
