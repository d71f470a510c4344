"""`ck3parse metrics`: serves metrics of a broker and its workers to Prometheus."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from ck3parse.cli import streams
from ck3parse.cli.broker_option import broker_option
from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings
from ck3parse.config.broker_url import masked
from ck3parse.errors import BrokerError, ExitCode
from ck3parse.metrics import PREFIX, registry_of, serve, worker_metrics

if TYPE_CHECKING:
    from prometheus_client.core import Metric

DEFAULT_ADDRESS = "127.0.0.1:9808"
QUEUES = (QUEUE_INTERACTIVE, QUEUE_BULK)


@click.command(
    name="metrics",
    epilog="""\b
Examples:
  ck3parse metrics --broker redis://localhost:6379/0
  ck3parse metrics --listen 0.0.0.0:9808        for a Prometheus on another machine
  ck3parse metrics --once                       print the metrics once

\b
Exit codes: 0 ended by SIGTERM, or printed, 2 wrong usage, 3 --once found no broker,
130 ended by Ctrl-C.""",
)
@broker_option
@click.option(
    "--listen",
    metavar="ADDRESS",
    default=DEFAULT_ADDRESS,
    show_default=True,
    help="IP address and port to serve at.",
)
@click.option("--once", is_flag=True, help="Print the metrics in Prometheus' format, and end.")
def command(settings: Settings, listen: str, once: bool) -> None:
    """Serve metrics of a broker and of all its workers to Prometheus until Ctrl-C.

    Each request asks the broker and the workers: files and bytes, failures by error type, batches
    that failed or were sent again, processes replaced, what waits in the queues and for how long. A
    broker that does not answer is a metric too: ck3parse_broker_up is 0.
    """
    # With --once, what is wrong is the error of this command.
    asked = BrokerMetrics(settings, say=(lambda _: None) if once else streams.say)
    if once:
        streams.write(_once(asked))
        return
    signal.signal(signal.SIGTERM, _end)
    stop = serve(listen, asked.collect)
    try:
        streams.write(f"http://{listen}/metrics")
        streams.say(f"ck3parse: metrics of {masked(settings.broker_url)}; press Ctrl-C to stop")
        threading.Event().wait()
    finally:
        stop()


class BrokerMetrics:
    """Asks a broker and its workers.

    Args:
        settings: the broker.
        say: called with why the broker does not answer.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._turn = threading.Lock()
        self.error: BrokerError | None = None

    def collect(self) -> "Iterable[Metric]":
        """Return the metrics; those of requests at the same time come one after the other."""
        from prometheus_client.core import GaugeMetricFamily

        with self._turn:
            try:
                metrics = self._ask()
                self.error = None
            except BrokerError as error:
                self._say(f"ck3parse: {error}")
                metrics, self.error = [], error
        up = GaugeMetricFamily(f"{PREFIX}_broker_up", "Whether the broker answers.")
        up.add_metric([], 0 if self.error else 1)
        return [up, *metrics]

    def _ask(self) -> "list[Metric]":
        from prometheus_client.core import GaugeMetricFamily

        from ck3parse.config.broker_url import without_passwords
        from ck3parse.pipeline import broker_state, connection
        from ck3parse.pipeline.broker_calls import BrokerCallError
        from ck3parse.pipeline.mailbox import Mailbox

        settings = self._settings
        app = connection.reach(settings)
        try:
            with Mailbox(app) as mailbox:
                replies = mailbox.replies_to("ck3parse_counts")
                workers = {name: reply.body for name, reply in sorted(replies.items())}
                waiting = mailbox.queue_lengths(QUEUES)
            memory = broker_state.memory(app)
            ages = broker_state.oldest_ages_s(app, QUEUES, time.time())
        except BrokerCallError as error:
            reason = without_passwords(str(error), settings.broker_url, settings.result_backend)
            raise BrokerError(
                f"the broker {masked(settings.broker_url)} does not answer: {reason}"
            ) from error
        finally:
            app.close()
        count = GaugeMetricFamily(f"{PREFIX}_workers", "Workers that answer.")
        count.add_metric([], len(workers))
        queued = GaugeMetricFamily(
            f"{PREFIX}_queue_batches", "Batches that wait in a queue.", labels=["queue"]
        )
        for queue, length in waiting.items():
            queued.add_metric([queue], length)
        oldest = GaugeMetricFamily(
            f"{PREFIX}_queue_oldest_seconds",
            "Seconds for which the oldest batch of a queue waits, by the clock of its client.",
            labels=["queue"],
        )
        for queue, age_s in ages.items():
            oldest.add_metric([queue], age_s)
        metrics: list[Metric] = [count, queued, oldest]
        if memory is not None:
            used = GaugeMetricFamily(
                f"{PREFIX}_broker_memory_bytes", "Memory that the broker uses for its data."
            )
            used.add_metric([], memory.used)
            limit = GaugeMetricFamily(
                f"{PREFIX}_broker_memory_limit_bytes",
                "Memory that the broker may use for its data; 0 if it has no limit.",
            )
            limit.add_metric([], memory.limit)
            metrics += [used, limit]
        return [*metrics, *worker_metrics(workers)]


def _once(asked: BrokerMetrics) -> str:
    registry = registry_of(asked.collect)
    from prometheus_client import generate_latest

    text = generate_latest(registry).decode().rstrip("\n")
    if asked.error:
        raise asked.error
    return text


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    sys.exit(ExitCode.OK)
