"""`ck3parse status`: shows the queues and workers of a broker."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Group
from rich.live import Live
from rich.table import Table

from ck3parse.cli import streams
from ck3parse.cli.broker_option import broker_option
from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings
from ck3parse.config.broker_url import masked, without_passwords
from ck3parse.errors import BrokerError
from ck3parse.plurals import counted

if TYPE_CHECKING:
    from ck3parse.pipeline.mailbox import Mailbox

RATE_INTERVAL_S = 1.0
"""Rates are computed from two samples this many seconds apart."""
_BYTES_PER_MB = 1_000_000


class WorkerStatus(msgspec.Struct):
    """One worker.

    Attributes:
        name: its name in Celery.
        processes: number of its processes that parse.
        children: their process ids on the worker's machine.
        tasks_done: tasks that it has finished. A task is one batch.
        tasks_failed: finished tasks that crashed or ran out of time.
        tasks_in_hand: tasks that its processes work on now.
        tasks_per_second: tasks finished per second between two samples.
    """

    name: str
    processes: int
    children: list[int]
    tasks_done: int
    tasks_failed: int
    tasks_in_hand: int
    tasks_per_second: float = 0.0


class Status(msgspec.Struct):
    """A broker and its workers.

    Attributes:
        broker_url: its URL without the password.
        queues: number of waiting batches in each queue, by its name.
        workers: in order of name.
        broker_memory_mb: memory that the broker uses for its data, or `None` if unknown.
    """

    broker_url: str
    queues: dict[str, int]
    workers: list[WorkerStatus]
    broker_memory_mb: float | None = None


@click.command(
    name="status",
    epilog="""\b
Examples:
  ck3parse status --broker redis://localhost:6379/0
  ck3parse status --watch
  CK3PARSE_BROKER_URL=redis://localhost:6379/0 ck3parse status --json

\b
Exit codes: 0 there is a worker, 2 wrong usage, 3 no broker or no worker, 4 the output
cannot be written, 130 --watch was ended by Ctrl-C, 141 the program that reads the output
is gone.""",
)
@broker_option
@click.option("--watch", is_flag=True, help="Update every second until Ctrl-C.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; with --watch, one object per line."
)
def command(settings: Settings, watch: bool, as_json: bool) -> None:
    """Show the queues and workers of a broker.

    All numbers are batches, of up to 1,024 files each.
    """
    samples = _samples(settings)
    if not watch:
        status = next(samples)
        if as_json:
            streams.write_json(status)
        else:
            streams.console().print(_shown(status))
    elif as_json:
        for status in samples:
            streams.write_json(status, indent=0)
    else:
        with Live(auto_refresh=False) as live:
            for status in samples:
                live.update(_shown(status), refresh=True)


def _samples(settings: Settings) -> Iterator[Status]:
    """Yield the status again and again. The first takes two samples, for the rates.

    Raises:
        BrokerError: the broker cannot be reached, or has no worker at first.
    """
    from ck3parse.pipeline import connection
    from ck3parse.pipeline.mailbox import Mailbox

    app = connection.reach(settings)
    try:
        with Mailbox(app) as mailbox:
            before, then = _sample(app, mailbox, settings), time.monotonic()
            if not before.workers:
                raise connection.no_worker(settings.broker_url)
            while True:
                time.sleep(RATE_INTERVAL_S)
                status, now = _sample(app, mailbox, settings), time.monotonic()
                done = {worker.name: worker.tasks_done for worker in before.workers}
                for worker in status.workers:
                    more = worker.tasks_done - done.get(worker.name, worker.tasks_done)
                    worker.tasks_per_second = round(max(0, more) / (now - then), 1)
                yield status
                before, then = status, now
    finally:
        app.close()


def _sample(app: Any, mailbox: "Mailbox", settings: Settings) -> Status:
    from ck3parse.pipeline import broker_state
    from ck3parse.pipeline.broker_calls import BrokerCallError
    from ck3parse.pipeline.census import process_count

    try:
        stats = mailbox.replies_to("stats")
        active = mailbox.replies_to("active", known=stats) if stats else {}
        counts = mailbox.replies_to("ck3parse_counts", known=stats) if stats else {}
        queues = mailbox.queue_lengths((QUEUE_INTERACTIVE, QUEUE_BULK))
        memory = broker_state.memory(app)
    except BrokerCallError as error:
        reason = without_passwords(str(error), settings.broker_url, settings.result_backend)
        raise BrokerError(
            f"the broker {masked(settings.broker_url)} no longer answers: {reason}"
        ) from error
    workers = []
    for name, reply in sorted(stats.items()):
        stat = reply.body
        in_hand = len(active[name].body) if name in active else 0
        workers.append(
            WorkerStatus(
                name,
                process_count(stat),
                stat.get("pool", {}).get("processes", []),
                max(0, sum(stat.get("total", {}).values()) - in_hand),
                counts[name].body.get("failed", 0) if name in counts else 0,
                in_hand,
            )
        )
    memory_mb = None if memory is None else round(memory.used / _BYTES_PER_MB, 1)
    return Status(masked(settings.broker_url), queues, workers, memory_mb)


def _shown(status: Status) -> Group:
    table = Table(title=status.broker_url, title_justify="left")
    headings = ("worker", "processes", "batches done", "failed", "in hand", "a second")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "worker" else "right")
    for worker in status.workers:
        table.add_row(
            worker.name,
            f"{worker.processes:,}",
            f"{worker.tasks_done:,}",
            f"{worker.tasks_failed:,}",
            f"{worker.tasks_in_hand:,}",
            f"{worker.tasks_per_second:,.1f}",
        )
    lines = [
        f"{counted(waiting, 'batch waits', 'batches wait')} in {name}"
        for name, waiting in status.queues.items()
    ]
    if status.broker_memory_mb is not None:
        lines.append(f"the broker uses {status.broker_memory_mb:,.1f} MB")
    return Group(table, *lines)
