"""The report of a run as text: its failures and a table."""

import os

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ck3parse.jobs.report import Failure, RunReport
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.plurals import counted

MAX_FAILURES_SHOWN = 20


def print_report(report: RunReport, console: Console, *, verbose: bool) -> None:
    """Print the failures and the table.

    Args:
        report: the report.
        console: where to print.
        verbose: whether to list the skipped files and every failure.
    """
    if verbose:
        for entry in report.skipped_files:
            path = printable(os.path.join(entry.root, entry.name))
            console.print(Text(f"skipped {path}: {entry.reason}", "dim"), soft_wrap=True)
    shown = report.failures if verbose else report.failures[:MAX_FAILURES_SHOWN]
    for failure in shown:
        _print_failure(console, failure)
    if len(shown) < len(report.failures):
        console.print(
            f"… and {len(report.failures) - len(shown):,} more; --verbose shows all of them\n"
        )
    console.print(_table(report))
    if count := report.faulty_localization_files:
        files = counted(count, "localization file has", "localization files have")
        console.print(f"{files} faults: `ck3parse check` tells which", highlight=False)


def _table(report: RunReport) -> Table:
    table = Table(show_header=False, title=None)
    table.add_column(justify="left")
    table.add_column(justify="right")
    failed = report.failed
    table.add_row("parsed", f"{report.parsed:,}", style="green")
    table.add_row("unchanged", f"{report.unchanged:,}")
    table.add_row("skipped", f"{report.skipped:,}")
    table.add_row("failed", f"{failed:,}", style="red" if failed else "")
    if report.localization_files:
        table.add_row("localization", f"{report.localization_files:,}")
    table.add_row("seconds", f"{report.seconds:,.2f}")
    table.add_row("MB/s", f"{report.megabytes_per_s:,.1f}")
    table.add_row("parser", report.parser)
    table.add_row("store", Text(printable(relative_path(report.store)), overflow="fold"))
    return table


def _print_failure(console: Console, failure: Failure) -> None:
    place = printable(relative_path(failure.path))
    if failure.line is not None:
        place += f":{failure.line}:{failure.column}"
    console.print(
        Text.assemble(
            (place, "bold"), ": ", (failure.error_type, "red"), ": ", printable(failure.error)
        ),
        soft_wrap=True,
    )
    for line in failure.excerpt():
        console.print(Text("    " + line), soft_wrap=True)
    console.print()
