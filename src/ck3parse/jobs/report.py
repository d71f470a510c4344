"""The report of a run, and its JSON form."""

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from ck3parse.files.walk import Skipped
from ck3parse.lint.excerpt import excerpt
from ck3parse.store import Counts


class Failure(msgspec.Struct, frozen=True):
    """A file without a syntax tree, and what is wrong with it.

    Attributes:
        path: absolute path of the file.
        error_type: one of `ck3parse.errors.ErrorType`.
        error: what is wrong, in one sentence.
        line: where, from 1; `None` if the failure has no place.
        column: where, in code points from 1.
    """

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


class RunReport(msgspec.Struct, frozen=True):
    """The results of a run.

    Attributes:
        files: number of files with a result: parsed, unchanged or failed.
        counts: how many files were parsed, unchanged, skipped and failed.
        failures: files that failed in this run or when they were last parsed, in order of path.
        skipped_files: files that were not parsed because of their names.
        seconds: from start to end.
        megabytes: total size of the files parsed in this run, in units of 10^6 bytes.
        parser: name of the parser, `native` or `python`.
        store: absolute path of the store.
        localization_files: how many of the files are localization files.
        faulty_localization_files: how many of them have faults, which `ck3parse check` tells. Their
            texts are in the store but for those that cannot be read.
        broker_url: the broker without its password; `None` if the run started its own, or none.
        elsewhere: number of files of other shards, which were left out.
        answers_dropped: number of answers that did not match their request. Their files were sent
            again.
        warnings: what is probably wrong with workers or the playset, a sentence each.
        interrupted: whether a signal ended the run early.
        error: the error that ended the run early, or `None`.
    """

    files: int
    counts: Counts
    failures: tuple[Failure, ...]
    skipped_files: tuple[Skipped, ...]
    seconds: float
    megabytes: float
    parser: str
    store: str
    localization_files: int = 0
    faulty_localization_files: int = 0
    broker_url: str | None = None
    elsewhere: int = 0
    answers_dropped: int = 0
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    error: str | None = None

    @property
    def parsed(self) -> int:
        """Number of files that were parsed in this run."""
        return self.counts.parsed

    @property
    def unchanged(self) -> int:
        """Number of files whose syntax tree the store had already."""
        return self.counts.unchanged

    @property
    def skipped(self) -> int:
        """Number of files that are no script."""
        return self.counts.skipped

    @property
    def failed(self) -> int:
        """Number of files without a syntax tree."""
        return self.counts.failed

    @property
    def megabytes_per_s(self) -> float:
        """Megabytes parsed per second of the run."""
        return self.megabytes / self.seconds if self.seconds else 0.0

    def as_builtins(self, *, verbose: bool = False) -> dict[str, Any]:
        """Return the report as a JSON object, which matches `run.schema.json`.

        Args:
            verbose: whether to list the skipped files.
        """
        report: dict[str, Any] = {
            "files": self.files,
            "localization_files": self.localization_files,
            "faulty_localization_files": self.faulty_localization_files,
            **self.counts._asdict(),
            "seconds": round(self.seconds, 3),
            "megabytes": round(self.megabytes, 3),
            "megabytes_per_s": round(self.megabytes_per_s, 3),
            "parser": self.parser,
            "store": self.store,
            "broker_url": self.broker_url,
            "interrupted": self.interrupted,
            "error": self.error,
            "elsewhere": self.elsewhere,
            "answers_dropped": self.answers_dropped,
            "warnings": self.warnings,
            "failures": [
                msgspec.to_builtins(failure) | {"excerpt": failure.excerpt()}
                for failure in self.failures
            ],
        }
        if verbose:
            report["skipped_files"] = _skipped_entries(self.skipped_files)
        return report


def _skipped_entries(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    return [
        {"path": os.path.join(entry.root, entry.name), "reason": entry.reason} for entry in skipped
    ]
