"""`ck3parse diagnose`: finds out what is wrong with a setup, and where time goes."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import click
import msgspec
from rich.table import Table
from rich.text import Text

from ck3parse.cli import streams
from ck3parse.config import Settings, read_settings
from ck3parse.diagnosis.report import Diagnosis, Finding
from ck3parse.diagnosis.start_times import start_times
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.errors import BrokerError, StoreError
from ck3parse.lint.excerpt import printable
from ck3parse.messages import ParseResult
from ck3parse.plurals import counted
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
Steps:
  A  how long Python takes to start and to import ck3parse
  B  how long each stage of a FILE takes: stat, read, hash, parse and compress in this
     process; publish, queue, worker and way back; store
  C  the code in use, in this process and in each worker: version, files, parser, limits
  D  the route of a request: functions, queues, addresses

\b
Exit codes: 0 everything is fine, apart from warnings, 1 something is wrong, such as a
worker of another version, 2 wrong usage, 3 no broker or worker, 4 the output cannot be
written, 141 the program that reads the output is gone.""",
)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path())
@click.option(
    "--broker",
    metavar="URL",
    help="Diagnose this broker and its workers.  [default: CK3PARSE_BROKER_URL, or an embedded"
    " broker that this command starts]",
)
@click.option(
    "--transport",
    type=click.Choice(["path", "content"]),
    help="How workers get files, as in `run`: by path, or as content.  [default:"
    f" CK3PARSE_TRANSPORT, or {Settings().transport}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    files: Sequence[str],
    broker: str | None,
    transport: Literal["path", "content"] | None,
    as_json: bool,
) -> None:
    """Find out what is wrong with this setup, and where the time of each FILE goes.

    Parses each FILE in this process and in a worker, measures every stage, and compares the
    results. Without FILE, it uses a built-in sample. Each problem comes with what to do about it.
    Nothing is stored.
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
            remedy = "Run it in a folder that you can write, or set another store with `run --out`."
            found.findings.append(Finding("B", "error", _sentence(error), remedy))
    if as_json:
        about = {"broker_url": settings.shown_broker_url, "ok": not found.exit_code}
        report = msgspec.to_builtins(found) | about
        streams.write_json(report)
    else:
        _print(found)
    sys.exit(found.exit_code)


def _diagnose(found: Diagnosis, settings: Settings, files: Sequence[str], stack: ExitStack) -> None:
    from ck3parse.diagnosis.code_in_use import own_findings

    found.findings += own_findings(found.client)
    if found.client.problem:
        return
    embedded = None
    began = perf_counter()
    if not settings.broker_url:
        roots = sorted({os.path.dirname(os.path.abspath(file)) for file in files})
        embedded = stack.enter_context(EmbeddedBroker(1, roots))
        settings = embedded.client_settings(settings)
    from ck3parse.diagnosis.request_route import route_of
    from ck3parse.diagnosis.stages import local_way
    from ck3parse.diagnosis.verdict import file_findings

    found.route = route_of(settings)
    # Before the broker is used, so that its trouble cannot hide these findings.
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
    """Examine the workers, send them the files, and store the results."""
    from ck3parse.diagnosis.code_in_use import ask_workers, clock_findings, worker_findings
    from ck3parse.diagnosis.request_route import queue_findings
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
        if found.route and (unconsumed := queue_findings(mailbox, found.route, roster.workers)):
            found.findings += unconsumed
            return  # no result would arrive
        traveller = Traveller(window, window.app, settings, mapped=mapped, one_clock=not clocks)
        for place, each in enumerate(local):
            if each.data is not None:
                answers[place] = traveller.take(each)
    store_times([(each.stages, there) for each, there in zip(local, answers, strict=True) if there])


def _remedy(settings: Settings) -> str:
    if settings.broker_url:
        return "Run `ck3parse diagnose` without --broker as well, to test this machine alone."
    return "The embedded broker needs a writable temporary folder and free memory."


def _print(found: Diagnosis) -> None:
    console = streams.console()

    def line(text: str, style: str = "") -> None:
        console.print(Text(printable(text), style), soft_wrap=True)

    line("A  starting, in ms", "bold")
    console.print(_times([("", found.starting_ms)]))
    line("B  stages of each file, in ms", "bold")
    for stages in found.files:
        seen_as = f", for the worker at {stages.seen_as}" if stages.seen_as else ""
        line(f"   {stages.path or 'the built-in sample'}: {counted(stages.size, 'byte')}{seen_as}")
        stored = {} if stages.store_ms is None else {"store": stages.store_ms}
        rows = [("this process", stages.local_ms), ("through the worker", stages.trip_ms | stored)]
        console.print(_times([row for row in rows if row[1]]))
    line("C  the code in use", "bold")
    for name, who in {"this process": found.client, **found.workers}.items():
        line(f"   {name}: {_described(who)}")
    line("D  the route of a request", "bold")
    if found.route:
        for stop in found.route.stops:
            line(f"   {stop.who:8} {stop.what}: {stop.where}")
        for queue, waiting in found.route.waiting.items():
            line(f"   {counted(waiting, 'batch waits', 'batches wait')} in {queue}")
    line("")
    for finding in found.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        line(f"{finding.severity} ({finding.step}): {finding.what}", colour)
        line(f"   {finding.remedy}")
    if not found.findings:
        line("everything is fine", "green")


def _times(rows: Sequence[tuple[str, Mapping[str, float]]]) -> Table:
    """Return a table with a row per time, and a total for each title."""
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


def _described(who: Identity | None) -> str:
    if who is None:
        return "does not report its identity"
    parser = f"parser {who.parser} ({who.parser_version}) from {who.parser_file}"
    return (
        f"ck3parse {who.version}, code {who.code}, from {who.package}; {parser};"
        f" Python {who.python}; {who.host}, process {who.pid};"
        f" may read {', '.join(who.roots) or 'any file'}"
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
