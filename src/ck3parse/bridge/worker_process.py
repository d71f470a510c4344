"""The worker processes of a pool, as it tells of them."""

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
        worker_id: its place among those of the pool, from 0.
        pid: its process id, on the machine where its worker runs.
        parse_count: batches it was given; each call of the pool is one.
        own: whether it is one of an embedded worker of this process.
    """

    worker_id: int
    pid: int
    parse_count: int
    own: bool

    @property
    def alive(self) -> bool:
        """Whether it is there: of a worker elsewhere, whether it was when the pool was asked."""
        if not self.own:
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """Kill it. The file in its hands is a `WorkerCrashed`, and another process takes its place.

        Raises:
            UsageError: its worker is not this process's own.
        """
        # An embedded worker is nowhere but where there is SIGKILL.
        if sys.platform == "win32" or not self.own:
            raise UsageError(
                f"the process {self.pid} belongs to a worker elsewhere: stop that worker instead"
            )
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
