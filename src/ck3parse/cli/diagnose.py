"""`ck3parse diagnose`: where a file's time goes, and what is wrong with a setup."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ck3parse.check.excerpt import printable
from ck3parse.cli import streams
from ck3parse.config import Settings, read_settings
from ck3parse.diagnosis.report import Diagnosis, Finding
from ck3parse.diagnosis.starting import start_times
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.errors import BrokerError, StoreError
from ck3parse.messages import ParseResult
from ck3parse.worker.identity import Identity, identity

if TYPE_CHECKING:
    from ck3parse.diagnosis.stages import Local

START_LIMIT_S = 30.0
PATIENCE_S = 10.0


@click.command(
    name="diagnose",
    epilog="""\b
Examples:
  ck3parse diagnose
  ck3parse diagnose events/my_events.txt
  ck3parse diagnose events/my_events.txt --broker redis://server:6379/0
  ck3parse diagnose --json | jq '.findings[].what'

\b
The steps:
  A  how long processes take to start and to import
  B  the way of each FILE (or of a made-up text) in stages: stat, read, hash, parse,
     compress; published, waiting in the queue, in the worker, back; stored
  C  the code in use, here and in each worker: version, files, parser, limits
  D  the way of a request: functions, queues, addresses

\b
Exit codes: 0 all is well (there may be warnings), 1 something is wrong, such as a worker
of another version, 2 wrong usage, 3 no broker or worker, 4 the output cannot be written,
141 nobody reads it.""",
)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path())
@click.option(
    "--broker",
    metavar="URL",
    help="Look at this broker and its workers; without it and CK3PARSE_BROKER_URL, an embedded one"
    " is started.",
)
@click.option(
    "--transport",
    type=click.Choice(["path", "content"]),
    help="Name files to the workers, or send their bytes, as in `run`.  [default:"
    f" CK3PARSE_TRANSPORT, or {Settings().transport}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    files: Sequence[str],
    broker: str | None,
    transport: Literal["path", "content"] | None,
    as_json: bool,
) -> None:
    """Tell where the time of each FILE goes, and what is wrong with this setup, in words.

    Takes each FILE through every stage, here and in a worker, and compares the two. Without FILE it
    is a made-up text. Nothing is kept.
    """
    settings = read_settings().given(broker_url=broker, transport=transport)
    starting_ms, findings = start_times()
    found = Diagnosis(findings, starting_ms, identity(), {}, [])
    with ExitStack() as stack:
        try:
            _diagnose(found, settings, files, stack)
        except BrokerError as error:
            found.reached = False
            found.findings.append(Finding("D", "error", _sentence(error), _remedy(settings)))
        except StoreError as error:
            remedy = "Run in a folder that you can write to, or name a store with `run --out`."
            found.findings.append(Finding("B", "error", _sentence(error), remedy))
    if as_json:
        told = msgspec.to_builtins(found) | {"ok": not found.exit_code}
        streams.write_json(told)
    else:
        _print(found)
    sys.exit(found.exit_code)


def _diagnose(found: Diagnosis, settings: Settings, files: Sequence[str], stack: ExitStack) -> None:
    from ck3parse.diagnosis.code import own_findings

    found.findings += own_findings(found.client)
    if found.client.problem:
        return
    embedded = None
    began = perf_counter()
    if not settings.broker_url:
        roots = sorted({os.path.dirname(os.path.abspath(file)) for file in files})
        embedded = stack.enter_context(EmbeddedBroker(1, roots))
        settings = embedded.client_settings(settings)
    from ck3parse.diagnosis.route import route_of
    from ck3parse.diagnosis.stages import local_way
    from ck3parse.diagnosis.verdict import file_findings

    found.route = route_of(settings)
    # First, as no broker has a part in it.
    local = [local_way(file, settings) for file in files or ("",)]
    found.files = [each.stages for each in local]
    answers: list[ParseResult | None] = [None] * len(local)
    try:
        if embedded:
            embedded.wait_ready(START_LIMIT_S)
            found.starting_ms["broker"] = (perf_counter() - began) * 1000
            embedded.wait_ready(START_LIMIT_S, worker=True)
            found.starting_ms["broker and worker"] = (perf_counter() - began) * 1000
        _travel(found, settings, local, answers, mapped=not embedded)
    finally:
        workers = {name: worker for name, worker in found.workers.items() if worker}
        for each, there in zip(local, answers, strict=True):
            found.findings += file_findings(each.stages, each.result, there, workers)


def _travel(
    found: Diagnosis,
    settings: Settings,
    local: "Sequence[Local]",
    answers: list[ParseResult | None],
    *,
    mapped: bool,
) -> None:
    """Look at the workers, and take the files to them and into a store."""
    from ck3parse.diagnosis.code import ask_workers, clock_findings, worker_findings
    from ck3parse.diagnosis.route import queue_findings
    from ck3parse.diagnosis.stages import Traveller, store_times
    from ck3parse.messaging.acceptance import ANY
    from ck3parse.pipeline.mailbox import Mailbox
    from ck3parse.pipeline.session import open_window

    patient = msgspec.structs.replace(settings, patience_s=PATIENCE_S)
    # Workers that parse otherwise are findings, and so is the first error of a broker.
    window = open_window(patient, acceptance=ANY, reconnect=False)
    found.reached = True
    with closing(window), Mailbox(window.app) as mailbox:
        roster = window.roster
        before = time.time()
        found.workers = ask_workers(mailbox, roster.workers)
        clocks = clock_findings((before, time.time()), found.workers)
        found.findings += worker_findings(found.client, found.workers) + clocks
        if found.route and (unheard := queue_findings(mailbox, found.route, roster.workers)):
            found.findings += unheard
            return  # an answer would be waited for in vain
        traveller = Traveller(window, window.app, settings, mapped=mapped, one_clock=not clocks)
        for place, each in enumerate(local):
            if each.data is not None:
                answers[place] = traveller.take(each)
    store_times([(each.stages, there) for each, there in zip(local, answers, strict=True) if there])


def _remedy(settings: Settings) -> str:
    if settings.broker_url:
        return "Run `ck3parse diagnose` without --broker too: what it says is about this machine."
    return "Look for what the embedded broker needs: a writable temporary folder, and free memory."


def _print(found: Diagnosis) -> None:
    console = Console()

    def line(text: str, style: str = "") -> None:
        console.print(Text(printable(text), style), soft_wrap=True)

    line("A  starting, in ms", "bold")
    console.print(_times([("", found.starting_ms)]))
    line("B  each file's way, in ms", "bold")
    for stages in found.files:
        seen_as = f", for the worker {stages.seen_as}" if stages.seen_as else ""
        line(f"   {stages.path or 'a made-up text'}: {stages.size:,} bytes{seen_as}")
        stored = {} if stages.store_ms is None else {"store": stages.store_ms}
        rows = [("here", stages.local_ms), ("through the worker", stages.trip_ms | stored)]
        console.print(_times([row for row in rows if row[1]]))
    line("C  the code in use", "bold")
    for name, which in {"this process": found.client, **found.workers}.items():
        line(f"   {name}: {_told(which)}")
    line("D  the way of a request", "bold")
    if found.route:
        for stop in found.route.stops:
            line(f"   {stop.who:8} {stop.what}: {stop.where}")
        for queue, waiting in found.route.waiting.items():
            line(f"   {waiting:,} batches wait in {queue}")
    line("")
    for finding in found.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        line(f"{finding.severity} ({finding.step}): {finding.what}", colour)
        line(f"   {finding.remedy}")
    if not found.findings:
        line("all is well", "green")


def _times(rows: Sequence[tuple[str, Mapping[str, float]]]) -> Table:
    """Return a line for each time, under a title of their own where there are several."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=22)
    table.add_column()
    table.add_column(justify="right")
    for title, times in rows:
        for place, (name, ms) in enumerate(times.items()):
            table.add_row("" if place else f"   {title}", name, f"{ms:,.2f}")
        if title:
            table.add_row("", "total", f"{sum(times.values()):,.2f}", style="bold")
    return table


def _told(which: Identity | None) -> str:
    if which is None:
        return "does not say"
    parser = f"parser {which.parser} ({which.parser_version}) from {which.parser_file}"
    return (
        f"ck3parse {which.version}, code {which.code}, from {which.package}; {parser};"
        f" Python {which.python}; {which.host}, process {which.pid};"
        f" may read {', '.join(which.roots) or 'any file'}"
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
