"""Worker processes, as `ParsePool.workers` lists them."""

import contextlib
import os
import signal
import sys
from dataclasses import dataclass

from ck3parse.errors import UsageError


@dataclass
class WorkerProcess:
    """A process that parses one file after another.

    Attributes:
        worker_id: its index among the processes of the pool, from 0.
        pid: its process id, on the machine where its worker runs.
        parse_count: number of batches that it was given; each call of the pool is one.
        own: whether it belongs to an embedded worker of this process.
    """

    worker_id: int
    pid: int
    parse_count: int
    own: bool

    @property
    def alive(self) -> bool:
        """Whether the process exists or, for a worker elsewhere, did when the pool was asked."""
        if not self.own:
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """Kill the process; its file fails as `WorkerCrashed`, and another process replaces it.

        Raises:
            UsageError: it does not belong to an embedded worker of this process.
        """
        # There is no embedded worker on Windows, which has no SIGKILL.
        if sys.platform == "win32" or not self.own:
            raise UsageError(
                f"the process {self.pid} belongs to a worker elsewhere: stop that worker instead"
            )
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
