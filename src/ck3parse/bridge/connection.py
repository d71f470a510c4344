"""The bridge's broker: the one that the settings name, or an embedded one."""

import logging
import threading
import time
from collections.abc import Callable

from celery import Celery

from ck3parse.bridge import forking
from ck3parse.bridge.result_lookup import Seeker
from ck3parse.bridge.worker_process import WorkerProcess
from ck3parse.celery_compat.broker import import_everything
from ck3parse.config import Settings
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.errors import BrokerError
from ck3parse.files.transport import Give, by_name, giver
from ck3parse.messaging.acceptance import Acceptance
from ck3parse.messaging.app import make_app
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.connection import Connected, connect, reach, worker_stats
from ck3parse.pipeline.task_lookup import Roster
from ck3parse.pipeline.window import Window

START_LIMIT_S = 30.0
_RETRY_FIRST_S = 0.2
_RETRY_LAST_S = 2.0

log = logging.getLogger(__name__)


class Connector:
    """A connection to a broker, and the broker itself if it is an embedded one.

    An embedded one is started at once; one that others run is waited for in `connect`.

    Args:
        of: settings; without a broker's URL in them an embedded one is started.
        workers: processes of the embedded worker.

    Attributes:
        give: how files are given to the workers there.
        seeker: finds results by the ids of futures.

    Raises:
        BrokerError: an embedded broker cannot be started.
        UsageError: a setting cannot be used, or `CK3PARSE_PARSER` chooses a parser that there is
            not.
    """

    def __init__(self, of: Settings, workers: int) -> None:
        self._closing = threading.Event()
        origin = of.origin(parser_in_use().version)
        self._embedded: EmbeddedBroker | None = None
        self._workers = workers
        self._waits_for: str | None = None
        self.give: Give = by_name
        if of.broker_url:
            self.give = giver(of.transport, of.path_map, of.max_file_bytes)
        else:
            self._embedded = EmbeddedBroker(workers, of.root_folders, keep=True)
            self._embedded.start()
            of = self._embedded.client_settings(of)
        try:
            app = make_app(of)
            import_everything(app)
            app.close()
            if self._embedded:
                with forking.let_go():
                    self._embedded.wait_ready(START_LIMIT_S)
        except BaseException:
            self.close()
            raise
        self._of = of
        self._acceptance = Acceptance(origin, own_worker=self._embedded is not None)
        self.seeker = Seeker(self._acceptance)

    def connect(self, outlast: Callable[[BrokerError], None]) -> Window:
        """Return where to send, once there are broker and workers.

        Args:
            outlast: called with what is wrong whenever there are none, and by the window later.

        Raises:
            BrokerError: `closing` was called, or the embedded broker failed.
        """
        connected = self._connected(outlast)
        self.seeker.app = connected.app
        return Window(
            connected.app,
            workers=connected.workers,
            roster=connected.roster,
            check=self._check,
            reconnect=self._reconnect,
            patience_s=self._of.patience_s,
            outlast=outlast,
            say=self._say,
            sleep=_sleep,
            acceptance=self._acceptance,
        )

    def closing(self) -> None:
        """Have nothing be waited for any more."""
        self._closing.set()

    def close(self) -> None:
        """End the embedded broker, if there is one."""
        if self._embedded:
            self._embedded.stop()

    def worker_list(self) -> list[WorkerProcess]:
        """Return each process of each worker.

        Raises:
            BrokerError: the broker cannot be reached.
        """
        app = reach(self._of)
        try:
            stats = worker_stats(app)
        finally:
            app.close()
        found: list[WorkerProcess] = []
        for _, worker in sorted(stats.items()):
            pool = worker.get("pool", {})
            raw = pool.get("writes", {}).get("raw", "")
            counts = [int(count) for count in raw.split(",") if count.strip()]
            for place, pid in enumerate(pool.get("processes", [])):
                count = counts[place] if place < len(counts) else 0
                found.append(WorkerProcess(len(found), pid, count, self._embedded is not None))
        return found

    def _connected(self, outlast: Callable[[BrokerError], None]) -> Connected:
        if self._embedded:
            return Connected(make_app(self._of), self._workers, Roster(complete=True))
        pause_s = _RETRY_FIRST_S
        while True:
            self._check()
            try:
                with forking.held():
                    connected = connect(self._of)
            except BrokerError as error:
                self._say(str(error))
                outlast(error)
            else:
                self._say(None)
                return connected
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, _RETRY_LAST_S)

    def _reconnect(self) -> Celery:
        self.seeker.app = reach(self._of)
        return self.seeker.app

    def _check(self) -> None:
        if self._closing.is_set():
            raise BrokerError("the parse pool was shut down")
        if self._embedded and (reason := self._embedded.failure()):
            raise BrokerError(f"the embedded broker failed: {reason}")

    def _say(self, waits_for: str | None) -> None:
        # Once, and not as it goes on. An embedded one is back within a second, or has failed.
        if waits_for and not self._waits_for and not self._embedded:
            log.warning("%s", waits_for)
        self._waits_for = waits_for


def _sleep(seconds: float) -> None:
    with forking.let_go():
        time.sleep(seconds)
