"""The report of a run, and its JSON form."""

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from ck3parse.files.walk import Skipped
from ck3parse.lint.excerpt import excerpt
from ck3parse.store import Counts


class Failure(msgspec.Struct, frozen=True):
    """A file without an AST, and what is wrong with it."""

    path: str
    error_type: str
    error: str
    line: int | None = None
    column: int | None = None

    def excerpt(self) -> list[str]:
        """Return the line with a caret below the column; empty if the failure has no place."""
        if self.line is None or self.column is None:
            return []
        return excerpt(self.path, self.line, self.column)


class Report(msgspec.Struct):
    """The results of a run.

    Attributes:
        files: number of files with a result: parsed, unchanged or failed.
        counts: how many files were parsed, unchanged, skipped and failed.
        failures: files that failed in this run or when they were last parsed, in order of path.
        skipped: files that were not parsed because of their names.
        seconds: from start to end.
        megabytes: total size of the files parsed in this run, in units of 10^6 bytes.
        parser: name of the parser.
        store: absolute path of the store.
        dropped: number of answers that did not match their request. Their files were sent again.
        other_origins: a sentence for each worker whose results could not be used.
        interrupted: whether a signal ended the run early.
        error: the error that ended the run early, or `None`.
    """

    files: int
    counts: Counts
    failures: list[Failure]
    skipped: list[Skipped]
    seconds: float
    megabytes: float
    parser: str
    store: str
    dropped: int = 0
    other_origins: Sequence[str] = ()
    interrupted: bool = False
    error: str | None = None

    @property
    def megabytes_per_s(self) -> float:
        """Megabytes parsed per second of the run."""
        return self.megabytes / self.seconds if self.seconds else 0.0

    def warnings(self) -> list[str]:
        """Return what is wrong with workers, as sentences."""
        found = list(self.other_origins)
        if self.dropped:
            found.append(
                f"{self.dropped:,} answers did not match their request and were dropped: look for"
                " another program that uses this broker, or a worker that runs other code"
            )
        return found

    def as_builtins(self, *, verbose: bool) -> dict[str, Any]:
        """Return the report as a JSON object.

        Args:
            verbose: whether to list the skipped files.
        """
        report: dict[str, Any] = {
            "files": self.files,
            **self.counts._asdict(),
            "seconds": round(self.seconds, 3),
            "megabytes": round(self.megabytes, 3),
            "megabytes_per_s": round(self.megabytes_per_s, 3),
            "parser": self.parser,
            "store": self.store,
            "interrupted": self.interrupted,
            "error": self.error,
            "answers_dropped": self.dropped,
            "warnings": self.warnings(),
            "failures": [
                msgspec.to_builtins(failure) | {"excerpt": failure.excerpt()}
                for failure in self.failures
            ],
        }
        if verbose:
            report["skipped_files"] = _skipped_entries(self.skipped)
        return report


def _skipped_entries(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    return [
        {"path": os.path.join(entry.root, entry.name), "reason": entry.reason} for entry in skipped
    ]
