"""The report of `ck3parse diagnose`. Nothing here imports Celery."""

from typing import Literal

import msgspec

from ck3parse.errors import ErrorType, ExitCode
from ck3parse.worker.identity import Identity

Step = Literal["A", "B", "C", "D"]


class Finding(msgspec.Struct, frozen=True):
    """A problem with the setup, or something that makes it slow.

    Attributes:
        step: the step that found it.
        severity: `error` if results are missing or cannot be trusted, otherwise `warning`.
        what: what is wrong, in one sentence.
        remedy: what to do, in one sentence.
    """

    step: Step
    severity: Literal["error", "warning"]
    what: str
    remedy: str


class Stages(msgspec.Struct):
    """The times of one file.

    Attributes:
        path: the file; empty for the built-in sample.
        size: its size in bytes.
        seen_as: the path that the worker was given; empty if the content was sent.
        local_ms: milliseconds of each stage in this process, in order.
        trip_ms: milliseconds of each stage through broker and worker, in order. Of several trips,
            the one with the median total.
        store_ms: milliseconds of the transaction that stores the result.
        error_type: why the file has no AST, or `None`.
        error: the same as a sentence.
        same: whether the worker's AST or failure equals this process's; `None` if unknown.
    """

    path: str
    size: int = 0
    seen_as: str = ""
    local_ms: dict[str, float] = {}
    trip_ms: dict[str, float] = {}
    store_ms: float | None = None
    error_type: ErrorType | None = None
    error: str | None = None
    same: bool | None = None


class Stop(msgspec.Struct, frozen=True):
    """One stop of a request: who handles it, what happens, and in which function or address."""

    who: str
    what: str
    where: str


class Route(msgspec.Struct):
    """The route of a request.

    Attributes:
        broker: its URL without the password.
        result_backend: its URL without the password.
        stops: in order.
        waiting: number of waiting batches in each queue, by its name; empty if unknown.
    """

    broker: str
    result_backend: str
    stops: list[Stop]
    waiting: dict[str, int] = {}


class Diagnosis(msgspec.Struct):
    """Everything that `diagnose` reports.

    Attributes:
        findings: the problems; empty if everything is fine.
        starting_ms: step A: milliseconds by what is started.
        client: step C: this process.
        workers: step C: each worker by its name; `None` if it does not report its identity.
        files: step B.
        route: step D; `None` without a parser.
        reached: whether a broker and a worker answered.
    """

    findings: list[Finding]
    starting_ms: dict[str, float]
    client: Identity
    workers: dict[str, Identity | None]
    files: list[Stages]
    route: Route | None = None
    reached: bool = False

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if not self.reached and not self.client.problem:
            return ExitCode.UNAVAILABLE
        errors = any(finding.severity == "error" for finding in self.findings)
        return ExitCode.SOME_FAILED if errors else ExitCode.OK
