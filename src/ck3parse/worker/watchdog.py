"""Ends a worker whose event loop stands still, so that its supervisor starts it again.

A worker that waits for something that never comes looks alive: its process exists, its connection
is open, and it holds tasks that no other worker gets. A thread watches a pulse that a timer of the
event loop gives. It counts only seconds in which it ran itself, so that it does not end a worker
that was stopped, or one on a laptop that was closed. It does not end a worker that waits for its
broker or result backend either: both must answer first. A worker that was told to end at once is
ended if that takes as long.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any

from celery import bootsteps

from ck3parse.celery_compat.consumer import ends_at_once
from ck3parse.celery_compat.prefork import process_ids
from ck3parse.celery_compat.results import redis_client
from ck3parse.config import Settings, read_settings
from ck3parse.messaging.app import make_app

log = logging.getLogger(__name__)

EXIT_CODE = 70
"""Exit code of a worker that stood still: `EX_SOFTWARE`."""
_PULSE_INTERVAL_S = 0.5
_LOOK_INTERVAL_S = 1.0
_SUSPENDED_S = 3.0
"""After such a gap between two looks, the whole process was suspended."""
_LOG_LIMIT_S = 2.0
_CONNECT_LIMIT_S = 3.0
_STANDS_STILL = (
    "this worker's loop stands still, for %d s now, although its broker answers: the worker ends,"
    " to be started again; the loop stands at:\n%s"
)
_DOES_NOT_END = (
    "this worker was told to end %d s ago, and has not ended: it is killed; it stands at:\n%s"
)


class Watchdog(bootsteps.StartStopStep):
    """Watches the loop while the worker is connected to its broker.

    Celery stops this step when the connection is lost, and starts it with the next one.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._settings = read_settings()
        self._timer: Any = None
        self._pulse = 0
        self._watching = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool: Any = None

    def include_if(self, parent: Any) -> bool:
        """Return whether there is an event loop, and the watchdog is switched on."""
        return parent.hub is not None and self._settings.watchdog_s > 0

    def start(self, parent: Any) -> None:
        """Start to watch."""
        self._pool = parent.pool
        self._timer = parent.timer.call_repeatedly(_PULSE_INTERVAL_S, self._beat)
        self._watching.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()

    def stop(self, parent: Any) -> None:
        """Stop watching until the next start."""
        del parent
        self._watching.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        self._pulse += 1

    def _watch(self) -> None:
        limit = max(1, round(self._settings.watchdog_s / _LOOK_INTERVAL_S))
        still, ending, pulse, looked = 0, 0, -1, time.monotonic()
        servers_answer = False
        while True:
            time.sleep(_LOOK_INTERVAL_S)
            before, looked = looked, time.monotonic()
            was_suspended = looked - before >= _SUSPENDED_S
            if ends_at_once():
                ending += not was_suspended
                if ending >= 2 * limit:
                    self._end(_DOES_NOT_END, ending)
            if self._pulse != pulse or not self._watching.is_set():
                still, pulse, servers_answer = 0, self._pulse, False
            elif not was_suspended:
                still += 1
            if still < limit:
                continue
            if servers_answer:
                self._end(_STANDS_STILL, still)
            # The loop may wait for its broker or result backend, which is no reason to end.
            servers_answer = _servers_answer(self._settings)
            still, looked = 0, time.monotonic()

    def _end(self, sentence: str, seconds: int) -> None:
        # In a thread: the one that stands still may hold the log's lock.
        logged = threading.Thread(
            target=log.critical, args=(sentence, seconds, _stack()), daemon=True
        )
        logged.start()
        logged.join(_LOG_LIMIT_S)
        for pid in process_ids(self._pool):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(EXIT_CODE)


def _servers_answer(settings: Settings) -> bool:
    """Return whether broker and result backend answer on a new connection."""
    app = make_app(settings)
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_CONNECT_LIMIT_S)
        if client := redis_client(app):
            client.ping()
    except Exception as error:  # noqa: BLE001 - each transport has its own errors
        log.warning("this worker's loop stands still, and its broker does not answer: %s", error)
        return False
    finally:
        app.close()
    return True


def _stack() -> str:
    frames = sys._current_frames()  # noqa: SLF001 - it is documented
    main = threading.main_thread().ident or 0
    return "".join(traceback.format_stack(frames[main])) if main in frames else ""
