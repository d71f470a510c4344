"""What is told of a setup; nothing here needs Celery."""

from typing import Literal

import msgspec

from ck3parse.errors import ErrorType, ExitCode
from ck3parse.worker.identity import Identity

Step = Literal["A", "B", "C", "D"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, or that makes a setup slow.

    Attributes:
        step: where it was found.
        severity: `error` if results are missing or cannot be trusted, else `warning`.
        what: what is wrong, in a sentence.
        remedy: what to do, in another.
    """

    step: Step
    severity: Literal["error", "warning"]
    what: str
    remedy: str


class Stages(msgspec.Struct):
    """One file's way.

    Attributes:
        path: the file; empty for a made-up text.
        size: its bytes.
        seen_as: where the worker was told to look for it; empty if its content was sent.
        local_ms: milliseconds of each stage in this process, in order.
        trip_ms: milliseconds of each stage through broker and worker, in order; of some trips the
            one whose total is the median.
        store_ms: milliseconds of the transaction that stores it.
        error_type: why it has no AST, or `None`.
        error: the same in a sentence.
        same: whether the worker's AST, or failure, is this process's; `None` if there is none.
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
    """One stop on the way: who does it, what, and in which function of which file, or where."""

    who: str
    what: str
    where: str


class Route(msgspec.Struct):
    """The way of a request.

    Attributes:
        broker: its address, without a password.
        result_backend: likewise.
        stops: in order.
        waiting: batches that wait in each queue, by its name; empty if it cannot be told.
    """

    broker: str
    result_backend: str
    stops: list[Stop]
    waiting: dict[str, int] = {}


class Diagnosis(msgspec.Struct):
    """What `diagnose` tells.

    Attributes:
        findings: what is wrong; empty if all is well.
        starting_ms: step A, milliseconds by what is started.
        files: step B.
        client: step C, this process.
        workers: step C, each worker by its name; `None` for one that cannot say what it is.
        route: step D; `None` without a parser.
        reached: whether broker and worker were there.
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
        """What the command ends with."""
        if not self.reached and not self.client.problem:
            return ExitCode.UNAVAILABLE
        errors = any(finding.severity == "error" for finding in self.findings)
        return ExitCode.SOME_FAILED if errors else ExitCode.OK
