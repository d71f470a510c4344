"""The bridge's connection to a broker: the one in the settings, or an embedded one."""

import logging
import threading
import time
from collections.abc import Callable

from ck3parse.bridge import forking
from ck3parse.bridge.result_lookup import ResultLookup
from ck3parse.bridge.worker_process import WorkerProcess
from ck3parse.celery_compat.broker import import_everything
from ck3parse.config import Settings
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.errors import BrokerError
from ck3parse.files.transport import Give, by_name, giver
from ck3parse.messaging.app import make_app
from ck3parse.pipeline.connection import reach, worker_stats
from ck3parse.pipeline.outage import pauses
from ck3parse.pipeline.session import START_LIMIT_S, open_window, own_acceptance
from ck3parse.pipeline.window import Window

log = logging.getLogger(__name__)


class Connector:
    """A connection to a broker; owns the broker if it is an embedded one.

    An embedded broker is started at once; `connect` waits for one that others run.

    Args:
        settings: this process's settings; without a broker's URL an embedded broker is started.
        workers: number of processes of the embedded worker.

    Attributes:
        give: puts a file into a request: its path for the workers there, or its bytes.
        lookup: finds results by the ids of futures.

    Raises:
        BrokerError: an embedded broker cannot be started.
        UsageError: a setting cannot be used, or `CK3PARSE_PARSER` names a parser that does not
            exist.
    """

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        self._closing = threading.Event()
        self._embedded: EmbeddedBroker | None = None
        self._waits_for: str | None = None
        self._acceptance = own_acceptance(settings, embedded=not settings.broker_url)
        self.lookup = ResultLookup(self._acceptance)
        self.give: Give = by_name
        client_settings = settings
        if settings.broker_url:
            self.give = giver(settings.transport, settings.path_map, settings.max_file_bytes)
        else:
            self._embedded = EmbeddedBroker(workers, settings.root_folders, keep=True)
            self._embedded.start()
            client_settings = self._embedded.client_settings(settings)
        try:
            app = make_app(client_settings)
            import_everything(app)
            app.close()
            if self._embedded:
                with forking.let_go():
                    self._embedded.wait_ready(START_LIMIT_S)
        except BaseException:
            self.close()
            raise

    def connect(self, outlast: Callable[[BrokerError], None]) -> Window:
        """Return a window on the broker, once the broker and its workers answer.

        Args:
            outlast: called with what is wrong each time they do not; also passed to the window.

        Raises:
            BrokerError: `closing` was called, or the embedded broker failed.
        """
        waits = pauses()
        while True:
            self._check()
            try:
                with forking.held():
                    return open_window(
                        self._settings,
                        self._embedded,
                        acceptance=self._acceptance,
                        check=self._check,
                        say=self._say,
                        outlast=outlast,
                        sleep=_sleep,
                    )
            except BrokerError as error:
                self._check()
                self._say(str(error))
                outlast(error)
            self._closing.wait(next(waits))

    def closing(self) -> None:
        """Make `connect` and the window stop waiting."""
        self._closing.set()

    def close(self) -> None:
        """Stop the embedded broker, if there is one."""
        if self._embedded:
            self._embedded.stop()

    def worker_list(self) -> list[WorkerProcess]:
        """Return each process of each worker.

        Raises:
            BrokerError: the broker cannot be reached.
        """
        settings = self._settings
        if self._embedded:
            settings = self._embedded.client_settings(settings)
        app = reach(settings)
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

    def _check(self) -> None:
        if self._closing.is_set():
            raise BrokerError("the parse pool was shut down")

    def _say(self, waits_for: str | None) -> None:
        # Log it once per outage. An embedded broker is back within a second, or has failed.
        if waits_for and not self._waits_for and not self._embedded:
            log.warning("%s", waits_for)
        self._waits_for = waits_for


def _sleep(seconds: float) -> None:
    with forking.let_go():
        time.sleep(seconds)
