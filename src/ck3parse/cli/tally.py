"""Counting what comes of a run's files."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ck3parse.cli.report import Failure
from ck3parse.messages import ParseResult
from ck3parse.pipeline.plan import Plan
from ck3parse.pipeline.walk import Found
from ck3parse.store import Counts, StoredFile

if TYPE_CHECKING:
    from ck3parse.pipeline.window import Window


class Tally:
    """Counts and failures of a run, from its plan on.

    Args:
        plan: what is settled without parsing counts at once.

    Attributes:
        files: how many have their result.
        parsed_bytes: bytes of the files that were parsed.
        dropped: answers that were not to what was asked.
        other_origins: a sentence on each worker whose answers could not be used.
    """

    def __init__(self, plan: Plan) -> None:
        self._skipped = len(plan.skipped)
        self._parsed = self._unchanged = 0
        self._failures: list[Failure] = []
        self.files = plan.file_count - len(plan.to_parse)
        self.parsed_bytes = 0
        self.dropped = 0
        self.other_origins: list[str] = []
        settled: Iterable[tuple[Found, StoredFile | ParseResult]] = [*plan.unchanged, *plan.known]
        for found, outcome in settled:
            if outcome.ok:
                self._unchanged += 1
            else:
                self._fail(found.path, outcome)
        for problem in plan.problems:
            self._failures.append(Failure(problem.path, problem.error_type, problem.message))

    def add(self, outcomes: list[tuple[Found, ParseResult]]) -> int:
        """Count files that were parsed, and return how many of them failed."""
        failed = 0
        for found, result in outcomes:
            self.parsed_bytes += found.size
            if result.ok:
                self._parsed += 1
            else:
                failed += 1
                self._fail(found.path, result)
        self.files += len(outcomes)
        return failed

    def look_at(self, window: "Window") -> None:
        """Note what became of answers, once there are no more."""
        self.dropped = window.dropped
        self.other_origins = sorted(window.other_origins)

    def counts(self) -> Counts:
        """Return how many files were parsed, unchanged, skipped and failed."""
        return Counts(self._parsed, self._unchanged, self._skipped, len(self._failures))

    def failures(self) -> list[Failure]:
        """Return the failures in order of path."""
        return sorted(self._failures, key=lambda failure: failure.path.split(os.sep))

    def _fail(self, path: str, outcome: StoredFile | ParseResult) -> None:
        self._failures.append(
            Failure(
                path, outcome.error_type or "", outcome.error or "", outcome.line, outcome.column
            )
        )
