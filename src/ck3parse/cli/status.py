"""`ck3parse status`: what a broker and its workers are doing."""

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings, settings
from ck3parse.errors import UsageError


class WorkerStatus(msgspec.Struct):
    """One worker: its name, its processes, and the tasks it has done and has in hand."""

    name: str
    processes: int
    tasks_done: int
    tasks_in_hand: int


class Status(msgspec.Struct):
    """A broker's queues, by name with the batches waiting in each, and its workers."""

    broker: str
    queues: dict[str, int]
    workers: list[WorkerStatus]


@click.command(
    name="status",
    epilog="""\b
Examples:
  ck3parse status --broker redis://localhost:6379/0
  CK3PARSE_BROKER_URL=redis://localhost:6379/0 ck3parse status --json

\b
Exit codes: 0 there is a worker, 2 wrong usage, 3 no broker or no worker.""",
)
@click.option(
    "--broker",
    metavar="URL",
    envvar="CK3PARSE_BROKER_URL",
    help="The broker to ask, as `ck3parse serve` prints it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(broker: str | None, as_json: bool) -> None:
    """Show a broker's queues and workers."""
    if not broker:
        raise UsageError(
            "there is no broker to ask: name one with --broker or CK3PARSE_BROKER_URL, as"
            " `ck3parse serve` prints it"
        )
    status = _ask(msgspec.structs.replace(settings(), broker_url=broker))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(status)))
    else:
        _print(status)


def _ask(of: Settings) -> Status:
    from ck3parse.pipeline import connection
    from ck3parse.pipeline.evidence import queue_lengths

    app = connection.reach(of)
    try:
        stats = connection.worker_stats(app)
        if not stats:
            raise connection.no_worker(of.broker_url)
        active: dict[str, list[Any]] = app.control.inspect(timeout=0.3).active() or {}
        queues = queue_lengths(app, (QUEUE_INTERACTIVE, QUEUE_BULK))
        return Status(
            connection.masked(of.broker_url),
            queues,
            [
                WorkerStatus(
                    name,
                    connection.process_count(of_worker),
                    sum(of_worker.get("total", {}).values()),
                    len(active.get(name, ())),
                )
                for name, of_worker in sorted(stats.items())
            ],
        )
    finally:
        app.close()


def _print(status: Status) -> None:
    table = Table(title=status.broker, title_justify="left")
    for heading in ("worker", "processes", "batches done", "in hand"):
        table.add_column(heading, justify="left" if heading == "worker" else "right")
    for worker in status.workers:
        table.add_row(
            worker.name,
            f"{worker.processes:,}",
            f"{worker.tasks_done:,}",
            f"{worker.tasks_in_hand:,}",
        )
    console = Console()
    console.print(table)
    for name, waiting in status.queues.items():
        console.print(f"{waiting:,} batches wait in {name}", highlight=False)
