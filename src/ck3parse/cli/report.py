"""What a run tells at its end, and its JSON for scripts."""

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from ck3parse.check.excerpt import excerpt
from ck3parse.files.walk import Skipped
from ck3parse.store import Counts


class Failure(msgspec.Struct, frozen=True):
    """A file without an AST: where it is, and what is wrong with it."""

    path: str
    error_type: str
    error: str
    line: int | None = None
    column: int | None = None

    def excerpt(self) -> list[str]:
        """Return the line with a caret beneath, or nothing if the failure has no place."""
        if self.line is None or self.column is None:
            return []
        return excerpt(self.path, self.line, self.column)


class Report(msgspec.Struct):
    """What came of a run.

    Attributes:
        files: files that have a result: those parsed, unchanged and failed.
        failures: those that failed, now or when they were last parsed, in order of path.
        seconds: from start to end.
        megabytes: read and parsed in this run, in units of 10^6 bytes.
        dropped: answers that were not to what was asked, and that were asked for again.
        other_origins: a sentence on each worker whose answers could not be used.
        interrupted: whether a signal ended the run early.
        error: what else ended the run early, in one sentence, or `None`.
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
        """Megabytes parsed in each second of the run."""
        return self.megabytes / self.seconds if self.seconds else 0.0

    def warnings(self) -> list[str]:
        """Return what is wrong with workers, a sentence each."""
        found = list(self.other_origins)
        if self.dropped:
            found.append(
                f"answers were dropped that were not to what was asked ({self.dropped:,}): look"
                " for another program that uses this broker, or for a worker of other code"
            )
        return found

    def as_builtins(self, *, verbose: bool) -> dict[str, Any]:
        """Return the report as the JSON object that it is for scripts.

        Args:
            verbose: whether to name each file that was skipped.
        """
        told: dict[str, Any] = {
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
            told["skipped_files"] = _skipped_entries(self.skipped)
        return told


def _skipped_entries(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    return [
        {"path": os.path.join(entry.root, entry.name), "reason": entry.reason} for entry in skipped
    ]
