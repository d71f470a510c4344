"""`ck3parse status`: what a broker and its workers are doing."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from ck3parse.cli import streams
from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings, read_settings
from ck3parse.config.broker_url import masked, without_passwords
from ck3parse.errors import BrokerError, UsageError

if TYPE_CHECKING:
    from ck3parse.pipeline.mailbox import Mailbox

RATE_INTERVAL_S = 1.0
"""Rates are what is done between two looks so far apart."""
_BYTES_PER_MB = 1_000_000


class WorkerStatus(msgspec.Struct):
    """One worker.

    Attributes:
        name: as Celery calls it.
        processes: how many of them parse.
        children: their process ids, on the worker's machine.
        tasks_done: tasks, that is batches, that it took and has no more in hand.
        tasks_failed: those of them that crashed or ran out of time.
        tasks_in_hand: tasks that its processes have now.
        tasks_per_second: tasks done between two looks, for each second between them.
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
        broker: its URL, without the password.
        queues: by name, how many batches wait in each.
        workers: by their names' order.
        broker_memory_mb: what the broker's server holds, or `None` where it does not say.
    """

    broker: str
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
Exit codes: 0 there is a worker, 2 wrong usage, 3 no broker or no worker, 4 the output cannot
be written, 130 --watch was ended by Ctrl-C, 141 nobody reads the output.""",
)
@click.option(
    "--broker",
    metavar="URL",
    help="The broker to ask, as `ck3parse serve` prints it.  [default: CK3PARSE_BROKER_URL]",
)
@click.option("--watch", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print it as JSON; with --watch an object a line."
)
def command(broker: str | None, watch: bool, as_json: bool) -> None:
    """Show a broker's queues and workers.

    What is counted are batches, of up to 1,024 files each.
    """
    of = read_settings().given(broker_url=broker)
    if not of.broker_url:
        raise UsageError(
            "there is no broker to ask: name one with --broker or CK3PARSE_BROKER_URL, as"
            " `ck3parse serve` prints it"
        )
    looks = _looks(of)
    if not watch:
        status = next(looks)
        if as_json:
            streams.write_json(status)
        else:
            Console().print(_shown(status))
    elif as_json:
        for status in looks:
            streams.write_json(status, indent=0)
    else:
        with Live(auto_refresh=False) as live:
            for status in looks:
                live.update(_shown(status), refresh=True)


def _looks(of: Settings) -> Iterator[Status]:
    """Yield what there is to see, look by look; the first comes with the second look.

    Raises:
        BrokerError: the broker cannot be reached, or at first has no worker.
    """
    from ck3parse.pipeline import connection
    from ck3parse.pipeline.mailbox import Mailbox

    app = connection.reach(of)
    try:
        with Mailbox(app) as mailbox:
            before, then = _look(app, mailbox, of), time.monotonic()
            if not before.workers:
                raise connection.no_worker(of.broker_url)
            while True:
                time.sleep(RATE_INTERVAL_S)
                status, now = _look(app, mailbox, of), time.monotonic()
                done = {worker.name: worker.tasks_done for worker in before.workers}
                for worker in status.workers:
                    more = worker.tasks_done - done.get(worker.name, worker.tasks_done)
                    worker.tasks_per_second = round(max(0, more) / (now - then), 1)
                yield status
                before, then = status, now
    finally:
        app.close()


def _look(app: Any, mailbox: "Mailbox", of: Settings) -> Status:
    from ck3parse.pipeline import connection
    from ck3parse.pipeline.broker_calls import BrokerCallError

    try:
        stats = mailbox.replies_to("stats")
        active = mailbox.replies_to("active", known=stats) if stats else {}
        counts = mailbox.replies_to("ck3parse_counts", known=stats) if stats else {}
        queues = mailbox.queue_lengths((QUEUE_INTERACTIVE, QUEUE_BULK))
        memory = _memory_mb(app)
    except BrokerCallError as error:
        reason = without_passwords(str(error), of.broker_url, of.result_backend)
        raise BrokerError(
            f"the broker {masked(of.broker_url)} does not answer any more: {reason}"
        ) from error
    workers = []
    for name, reply in sorted(stats.items()):
        told = reply.body
        in_hand = len(active[name].body) if name in active else 0
        workers.append(
            WorkerStatus(
                name,
                connection.process_count(told),
                told.get("pool", {}).get("processes", []),
                max(0, sum(told.get("total", {}).values()) - in_hand),
                counts[name].body.get("failed", 0) if name in counts else 0,
                in_hand,
            )
        )
    return Status(masked(of.broker_url), queues, workers, memory)


def _memory_mb(app: Any) -> float | None:
    from redis.exceptions import ResponseError

    from ck3parse.celery_compat.broker import redis_client
    from ck3parse.pipeline.broker_calls import calling_broker

    with calling_broker(), app.pool.acquire(block=True) as connection:
        client = redis_client(connection)
        if client is None:
            return None
        try:
            used: int = client.info("memory")["used_memory"]
        except ResponseError:  # its user may not ask
            return None
    return round(used / _BYTES_PER_MB, 1)


def _shown(status: Status) -> Group:
    table = Table(title=status.broker, title_justify="left")
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
    lines = [f"{waiting:,} batches wait in {name}" for name, waiting in status.queues.items()]
    if status.broker_memory_mb is not None:
        lines.append(f"the broker holds {status.broker_memory_mb:,.1f} MB")
    return Group(table, *lines)
