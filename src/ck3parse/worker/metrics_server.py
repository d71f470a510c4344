"""Metrics that a worker serves itself."""

from typing import Any

from celery import bootsteps

from ck3parse.config import read_settings
from ck3parse.errors import UsageError
from ck3parse.metrics import Served, serve, worker_metrics
from ck3parse.worker import statistics


class MetricsServer(bootsteps.StartStopStep):
    """Serves what this worker counts at `CK3PARSE_METRICS_ADDRESS`, in a thread.

    Raises:
        SystemExit: the address cannot be used.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stop: Served | None = None

    def include_if(self, parent: Any) -> bool:
        """Return whether an address is set."""
        del parent
        return bool(read_settings().metrics_address)

    def start(self, parent: Any) -> None:
        """Begin to serve."""
        try:
            self._stop = serve(
                read_settings().metrics_address,
                lambda: worker_metrics({parent.hostname: statistics.counts(parent.pool)}),
            )
        except UsageError as error:
            raise SystemExit(f"ck3parse: CK3PARSE_METRICS_ADDRESS: {error}") from error

    def stop(self, parent: Any) -> None:
        """End it."""
        del parent
        if self._stop:
            self._stop()
            self._stop = None

    terminate = stop
