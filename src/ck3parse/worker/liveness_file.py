"""A file that a worker writes as long as it is well, for whoever looks after its container.

A look at a file's time costs nothing. `celery inspect ping` starts a Python that imports all of
Celery, half a second of processor time every few seconds.
"""

from pathlib import Path
from typing import Any

from celery import bootsteps

from ck3parse.config import read_settings

INTERVAL_S = 5.0


class AliveFile(bootsteps.StartStopStep):
    """Writes `CK3PARSE_ALIVE_FILE` every five seconds while the worker is connected to its broker.

    Celery stops this step when the connection is lost and starts it again with the next one, and
    the timer runs only while the worker's event loop does: no file is a worker that waits for its
    broker, and an old one is a worker that is stuck.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._file = Path(read_settings().alive_file)
        self._timer: Any = None

    def include_if(self, parent: Any) -> bool:
        """Say whether anyone wants the file."""
        del parent
        return bool(read_settings().alive_file)

    def start(self, parent: Any) -> None:
        """Begin to write."""
        self._file.touch()
        self._timer = parent.timer.call_repeatedly(INTERVAL_S, self._file.touch)

    def stop(self, parent: Any) -> None:
        """Write no more, and take the file away."""
        del parent
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._file.unlink(missing_ok=True)
