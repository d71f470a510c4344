"""Counting what comes of a run's files."""

import itertools
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ck3parse.cli.report import Failure
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.pipeline.plan import Plan
from ck3parse.store import Counts, StoredFile

if TYPE_CHECKING:
    from ck3parse.pipeline.window import Window


class Tally:
    """Counts and failures of a run, from its plan on.

    Args:
        plan: what is settled without parsing counts at once.

    Attributes:
        parsed_bytes: bytes of the files that were parsed.
        dropped: answers that were not to what was asked.
        other_origins: a sentence on each worker whose answers could not be used.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parsed = 0
        self._failures: list[Failure] = []
        self.parsed_bytes = 0
        self.dropped = 0
        self.other_origins: list[str] = []

    @property
    def files(self) -> int:
        """How many have their result."""
        plan = self._plan
        return plan.file_count - len(plan.to_parse) + self._parsed + len(self._failures)

    def add(self, outcomes: list[tuple[Found, ParseResult]]) -> int:
        """Count files that were parsed, and return how many of them failed."""
        failed = 0
        for found, result in outcomes:
            self.parsed_bytes += found.size
            if result.ok:
                self._parsed += 1
            else:
                failed += 1
                self._failures.append(_failure(found.path, result))
        return failed

    def look_at(self, window: "Window") -> None:
        """Note what became of answers, once there are no more."""
        self.dropped = window.dropped
        self.other_origins = sorted(window.other_origins)

    def counts(self) -> Counts:
        """Return how many files were parsed, unchanged, skipped and failed."""
        unchanged = sum(bool(outcome.ok) for _, outcome in self._settled())
        failed = len(self.failures())
        return Counts(self._parsed, unchanged, len(self._plan.skipped), failed)

    def failures(self) -> list[Failure]:
        """Return the failures in order of path."""
        found = [
            *self._failures,
            *(
                _failure(entry.path, outcome)
                for entry, outcome in self._settled()
                if not outcome.ok
            ),
            *(
                Failure(problem.path, problem.error_type, problem.message)
                for problem in self._plan.problems
            ),
        ]
        return sorted(found, key=lambda failure: failure.path.split(os.sep))

    def _settled(self) -> Iterable[tuple[Found, StoredFile | ParseResult]]:
        return itertools.chain(self._plan.unchanged, self._plan.known)


def _failure(path: str, outcome: StoredFile | ParseResult) -> Failure:
    return Failure(
        path, outcome.error_type or "", outcome.error or "", outcome.line, outcome.column
    )
