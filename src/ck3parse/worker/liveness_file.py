"""Heartbeat file for liveness probes.

A probe that looks at the file's time costs nothing. `celery inspect ping` imports all of Celery,
which takes half a second of processor time for each probe.
"""

from pathlib import Path
from typing import Any

from celery import bootsteps

from ck3parse.config import read_settings

INTERVAL_S = 5.0


class LivenessFile(bootsteps.StartStopStep):
    """Touches `CK3PARSE_ALIVE_FILE` every five seconds while the worker is connected to its broker.

    Celery stops this step when the connection is lost, and starts it with the next one. The timer
    runs in the worker's event loop. So the file is missing while a worker waits for its broker, and
    old if a worker is stuck.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._file = Path(read_settings().alive_file)
        self._timer: Any = None

    def include_if(self, parent: Any) -> bool:
        """Return whether the file is configured."""
        del parent
        return bool(read_settings().alive_file)

    def start(self, parent: Any) -> None:
        """Start to touch the file."""
        self._file.touch()
        self._timer = parent.timer.call_repeatedly(INTERVAL_S, self._file.touch)

    def stop(self, parent: Any) -> None:
        """Stop, and delete the file."""
        del parent
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._file.unlink(missing_ok=True)
