"""The bridge's broker: the one that the settings name, or an embedded one."""

import os
from typing import Any

from celery import Celery

from ck3parse.acceptance import Acceptance
from ck3parse.application import make_app
from ck3parse.bridge.seeker import Seeker
from ck3parse.broker import EmbeddedBroker
from ck3parse.config import Settings
from ck3parse.errors import BrokerError
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.connection import Connected, connect, reach, worker_stats
from ck3parse.pipeline.transport import Give, by_name, giver
from ck3parse.pipeline.window import Window

START_LIMIT_S = 30.0


class Connector:
    """A connection to a broker, and the broker itself if it is an embedded one.

    Args:
        of: settings; without a broker's URL in them an embedded one is started.
        workers: processes of the embedded worker.

    Attributes:
        window: where to send.
        give: how files are given to the workers there.
        seeker: finds results by the ids of futures.

    Raises:
        BrokerError: nothing answers, there is no worker, or it cannot be started.
        UsageError: `CK3PARSE_PARSER` chooses a parser that there is not.
    """

    def __init__(self, of: Settings, workers: int) -> None:
        self._closing = False
        origin = of.origin(parser_in_use().version)
        self._embedded: EmbeddedBroker | None = None
        self.give: Give = by_name
        if of.broker_url:
            self.give = giver(of.transport, of.path_map, of.max_file_bytes)
            connected = connect(of)
        else:
            roots = [root for root in of.roots.split(os.pathsep) if root]
            self._embedded = EmbeddedBroker(workers, roots, keep=True)
            self._embedded.start()
            try:
                self._embedded.wait_ready(START_LIMIT_S)
            except BaseException:
                self._embedded.stop()
                raise
            of = self._embedded.client_settings(of)
            connected = Connected(make_app(of), workers, 1)
        self._of = of
        acceptance = Acceptance(origin, own_worker=self._embedded is not None)
        self.seeker = Seeker(connected.app, acceptance)
        self.window = Window(
            connected.app,
            workers=connected.workers,
            nodes=connected.nodes,
            check=self._check,
            reconnect=self._reconnect,
            patience_s=of.patience_s,
            acceptance=acceptance,
        )

    def closing(self) -> None:
        """Have the window wait for nothing any more."""
        self._closing = True

    def close(self) -> None:
        """End the embedded broker, if there is one."""
        if self._embedded:
            self._embedded.stop()

    def worker_list(self) -> list[dict[str, Any]]:
        """Return `id`, `pid`, `alive` and `parse_count` of each process of each worker.

        Raises:
            BrokerError: the broker cannot be reached.
        """
        app = make_app(self._of)
        try:
            stats = worker_stats(app)
        except Exception as error:  # each transport has its own errors
            raise BrokerError(f"the broker cannot be asked for its workers: {error}") from error
        finally:
            app.close()
        found: list[dict[str, Any]] = []
        for _, worker in sorted(stats.items()):
            pool = worker.get("pool", {})
            raw = pool.get("writes", {}).get("raw", "")
            counts = [int(count) for count in raw.split(",") if count.strip()]
            for place, pid in enumerate(pool.get("processes", [])):
                parse_count = counts[place] if place < len(counts) else 0
                found.append(
                    {"id": len(found), "pid": pid, "alive": True, "parse_count": parse_count}
                )
        return found

    def _reconnect(self) -> Celery:
        self.seeker.app = reach(self._of)
        return self.seeker.app

    def _check(self) -> None:
        if self._closing:
            raise BrokerError("the parse pool was shut down")
        if self._embedded and (reason := self._embedded.failure()):
            raise BrokerError(f"the embedded broker failed: {reason}")
