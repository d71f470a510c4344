"""How many batches a worker holds, which depends on how far away its broker is.

Near its broker, a worker takes a batch when a process has none: a batch that waits in one worker
could be parsed by another one. Far away, its processes would idle for as long as the next batch
takes to come. So it holds as many more as they finish meanwhile. Interactive tasks overtake these.
"""

import logging
import math
from typing import Any

from celery import bootsteps

from ck3parse.celery_compat.consumer import fetching_channel
from ck3parse.celery_compat.fetching import FetchingChannel
from ck3parse.config import QUEUE_BULK
from ck3parse.worker import statistics

log = logging.getLogger(__name__)

NEAR_S = 0.003
"""A broker whose round trip takes less than that is near."""
SPARE = 1.5
"""How many round trips the batches in hand have to last."""
MOST_FOR_A_PROCESS = 8
_MEASURE_INTERVAL_S = 30.0
_ADJUST_INTERVAL_S = 1.0


def batches_ahead(processes: int, round_trip_s: float, task_s: float) -> int:
    """Return how many batches a worker holds in addition to one for each process.

    Args:
        processes: how many it has.
        round_trip_s: seconds that a round trip to its broker takes.
        task_s: seconds that a batch takes.
    """
    if round_trip_s < NEAR_S:
        return 0
    each = min(SPARE * round_trip_s / max(task_s, 0.001), MOST_FOR_A_PROCESS)
    return math.ceil(processes * each)


class Prefetch(bootsteps.StartStopStep):
    """Measures the distance to a Redis broker, and has the worker hold as many batches.

    Celery stops this step when the connection is lost, and starts it with the next one.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._channel: FetchingChannel | None = None
        self._round_trip_s = 0.0
        self._timers: list[Any] = []

    def start(self, parent: Any) -> None:
        """Measure, and again now and then."""
        self._channel = fetching_channel(parent)
        if self._channel is None:
            return
        self._channel.ahead_queue = QUEUE_BULK
        self._measure(parent)
        self._timers = [
            parent.timer.call_repeatedly(_MEASURE_INTERVAL_S, self._measure, (parent,)),
            parent.timer.call_repeatedly(_ADJUST_INTERVAL_S, self._adjust, (parent,)),
        ]

    def stop(self, parent: Any) -> None:
        """Stop, until the next start."""
        del parent
        while self._timers:
            self._timers.pop().cancel()

    def _measure(self, parent: Any) -> None:
        if self._channel is not None:
            self._round_trip_s = self._channel.round_trip_s()
            log.debug("a round trip to the broker takes %.1f ms", self._round_trip_s * 1000)
            self._adjust(parent)

    def _adjust(self, parent: Any) -> None:
        if self._channel is not None:
            self._channel.ahead = batches_ahead(
                parent.pool.num_processes, self._round_trip_s, statistics.task_s
            )
