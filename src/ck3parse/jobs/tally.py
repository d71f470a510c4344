"""Counts of a run's results."""

import itertools
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ck3parse.files.walk import Found
from ck3parse.jobs.report import Failure
from ck3parse.messages import ParseResult
from ck3parse.pipeline.plan import Plan
from ck3parse.plurals import counted
from ck3parse.store import Counts, StoredFile

if TYPE_CHECKING:
    from ck3parse.pipeline.window import Window


class Tally:
    """Counts the results and failures of a run.

    Args:
        plan: the plan of the run. Files whose result is known without parsing count at once.
            Localization files count like others.

    Attributes:
        parsed_bytes: total size of the files that were parsed.
        dropped: number of answers that did not match their request.
        other_origins: a sentence for each worker whose results could not be used.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._plans = [plan] if plan.texts is None else [plan, plan.texts]
        self._parsed = 0
        self._failures: list[Failure] = []
        self.parsed_bytes = 0
        self.dropped = 0
        self.other_origins: list[str] = []

    @property
    def files(self) -> int:
        """Number of files with a result."""
        settled = sum(plan.file_count - len(plan.to_parse) for plan in self._plans)
        return settled + self._parsed + len(self._failures)

    def add(self, outcomes: list[tuple[Found, ParseResult]]) -> int:
        """Count the results of a batch, and return how many files failed."""
        failed = 0
        for found, result in outcomes:
            self.parsed_bytes += found.size
            if result.ok:
                self._parsed += 1
            else:
                failed += 1
                self._failures.append(_failure(found.path, result))
        return failed

    def read_window(self, window: "Window") -> None:
        """Take over what a window counted. Call it once all results have arrived."""
        self.dropped = window.dropped
        self.other_origins = sorted(window.other_origins)

    def warnings(self) -> list[str]:
        """Return what is wrong with workers, as sentences."""
        found = list(self.other_origins)
        if self.dropped:
            found.append(
                f"{counted(self.dropped, 'answer')} did not match a request: look for another"
                " program that uses this broker, or a worker that runs other code"
            )
        return found

    def counts(self) -> Counts:
        """Return how many files were parsed, unchanged, skipped and failed."""
        unchanged = sum(bool(outcome.ok) for _, outcome in self._settled())
        failed = len(self.failures())
        return Counts(self._parsed, unchanged, len(self._plan.skipped), failed)

    def failures(self) -> tuple[Failure, ...]:
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
        return tuple(sorted(found, key=lambda failure: failure.path.split(os.sep)))

    def _settled(self) -> Iterable[tuple[Found, StoredFile | ParseResult]]:
        return itertools.chain.from_iterable((*plan.unchanged, *plan.known) for plan in self._plans)


def _failure(path: str, outcome: StoredFile | ParseResult) -> Failure:
    return Failure(
        path, outcome.error_type or "", outcome.error or "", outcome.line, outcome.column
    )
