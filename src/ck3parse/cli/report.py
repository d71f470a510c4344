"""What a run tells at its end: a table for people, JSON for scripts."""

import os
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ck3parse.cli.excerpt import excerpt, printable
from ck3parse.pipeline.walk import Skipped
from ck3parse.store import Counts

MAX_FAILURES_SHOWN = 20


class Failure(msgspec.Struct, frozen=True):
    """A file without an AST: where it is, and what is wrong with it."""

    path: str
    error_type: str
    error: str
    line: int | None = None
    column: int | None = None


class Report(msgspec.Struct):
    """What came of a run.

    Attributes:
        files: files that have a result: those parsed, unchanged and failed.
        failures: those that failed, now or when they were last parsed, in order of path.
        seconds: from start to end.
        megabytes: read and parsed in this run, in units of 10^6 bytes.
    """

    files: int
    counts: Counts
    failures: list[Failure]
    skipped: list[Skipped]
    seconds: float
    megabytes: float
    parser: str
    store: str
    interrupted: bool = False

    @property
    def megabytes_per_s(self) -> float:
        """Megabytes parsed in each second of the run."""
        return self.megabytes / self.seconds if self.seconds else 0.0

    def as_json(self, *, verbose: bool) -> bytes:
        """Return the report as a JSON object.

        Args:
            verbose: whether to name each file that was skipped.
        """
        return msgspec.json.format(
            msgspec.json.encode(
                {
                    "files": self.files,
                    **self.counts._asdict(),
                    "seconds": round(self.seconds, 3),
                    "megabytes": round(self.megabytes, 3),
                    "megabytes_per_s": round(self.megabytes_per_s, 3),
                    "parser": self.parser,
                    "store": self.store,
                    "interrupted": self.interrupted,
                    "failures": [
                        msgspec.to_builtins(failure) | {"excerpt": _excerpt_of(failure)}
                        for failure in self.failures
                    ],
                }
                | ({"skipped_files": _skipped_entries(self.skipped)} if verbose else {})
            )
        )

    def print(self, console: Console, *, verbose: bool) -> None:
        """Print the failures and the table.

        Args:
            console: where to.
            verbose: whether to name each file that was skipped, and to show each failure.
        """
        if verbose:
            for entry in self.skipped:
                path = printable(os.path.join(entry.root, entry.name))
                console.print(Text(f"skipped {path}: {entry.reason}", "dim"), soft_wrap=True)
        shown = self.failures if verbose else self.failures[:MAX_FAILURES_SHOWN]
        for failure in shown:
            _print_failure(console, failure)
        if len(shown) < len(self.failures):
            console.print(
                f"… and {len(self.failures) - len(shown):,} more: --verbose shows them all\n"
            )
        console.print(self._table())

    def _table(self) -> Table:
        table = Table(show_header=False, title=None)
        table.add_column(justify="left")
        table.add_column(justify="right")
        failed = self.counts.failed
        table.add_row("parsed", f"{self.counts.parsed:,}", style="green")
        table.add_row("unchanged", f"{self.counts.unchanged:,}")
        table.add_row("skipped", f"{self.counts.skipped:,}")
        table.add_row("failed", f"{failed:,}", style="red" if failed else "")
        table.add_row("seconds", f"{self.seconds:,.2f}")
        table.add_row("MB/s", f"{self.megabytes_per_s:,.1f}")
        table.add_row("parser", self.parser)
        table.add_row("store", Text(printable(_short(self.store)), overflow="fold"))
        return table


def _print_failure(console: Console, failure: Failure) -> None:
    place = printable(_short(failure.path))
    if failure.line is not None:
        place += f":{failure.line}:{failure.column}"
    console.print(
        Text.assemble(
            (place, "bold"), ": ", (failure.error_type, "red"), ": ", printable(failure.error)
        ),
        soft_wrap=True,
    )
    for line in _excerpt_of(failure):
        console.print(Text("    " + line), soft_wrap=True)
    console.print()


def _excerpt_of(failure: Failure) -> list[str]:
    if failure.line is None or failure.column is None:
        return []
    return excerpt(failure.path, failure.line, failure.column)


def _skipped_entries(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    return [
        {"path": os.path.join(entry.root, entry.name), "reason": entry.reason} for entry in skipped
    ]


def _short(path: str) -> str:
    """Return a path relative to the current folder where it lies beneath it."""
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)
