"""A batch in flight, and what to do if no result comes back."""

from collections.abc import Sequence
from enum import Enum

import msgspec
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.result import AsyncResult

from ck3parse.celery_compat.results import detach, stop_waiting
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.messaging.acceptance import OtherOriginError
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.broker_calls import calling_broker
from ck3parse.pipeline.task_lookup import Evidence

MAX_TRIES = 3
"""How often a batch that is lost for no known reason is sent, before each file is sent alone."""
MAX_CRASHES = 2
"""How often a process may die with a single file. Once, something else may have killed it."""
MAX_OTHER_ORIGINS = 12
"""How often a batch is sent to workers whose results cannot be used, while some worker's can.

If half of the workers are of that kind, one batch in four thousand uses up all its tries.
"""
PIECE_FILES = 32
"""Files in each piece of a batch that crashed: finds the one without sending each file alone."""
MISSED_LOOKS = 2
"""How many looks in a row must not find a batch: once, it may be between queue and worker."""


class Step(Enum):
    """What to do with a batch that failed or was lost.

    Attributes:
        AGAIN: send it again.
        PIECES: send it in pieces of `PIECE_FILES`.
        ALONE: send each file alone.
        GIVE_UP: send it no more; its files fail.
    """

    AGAIN = "again"
    PIECES = "pieces"
    ALONE = "alone"
    GIVE_UP = "give up"


class Lease(msgspec.Struct, eq=False):
    """A batch in flight.

    Attributes:
        task_id: id of the first task that it is sent as; unique among leases.
        batch: the batch.
        queue: the queue that it is sent to.
        keep: whether to leave the task and its result to others, who know the id.
        replies: the tasks that it was sent as, oldest first.
        tries: 1, and 1 more for each time that it was lost.
        crashes: how often its process died.
        other_origins: how often a worker with another parser or other limits answered.
        missed: how many looks in a row have not found it.
        sent: when it was last sent, in seconds of `time.monotonic`.
        answers_before: how many answers from its queue had come by then.
        holder: the worker that the last successful look since then found it with.
        resumed: whether the broker went while it was in flight, so that it may deliver a task
            twice.
    """

    task_id: str
    batch: Batch
    queue: str
    keep: bool
    replies: list[AsyncResult] = []
    tries: int = 1
    crashes: int = 0
    other_origins: int = 0
    missed: int = 0
    sent: float = 0.0
    answers_before: int = 0
    holder: str | None = None
    resumed: bool = False

    @property
    def alone(self) -> bool:
        """Whether it is a single file, so that a crash is that file's fault."""
        return len(self.batch.requests) == 1

    def spare_ids(self) -> list[str]:
        """Return the tasks that may still be answered although the lease has ended."""
        if len(self.replies) == 1 and not self.resumed:
            return []
        # Others may ask for the first one by its id.
        return [reply.id for reply in self.replies[1 if self.keep else 0 :]]

    def after_failure(self, reason: BaseException) -> Step:
        """Return what to do after its task failed.

        Args:
            reason: what the task raised.
        """
        if not self.alone:
            # One file failed the whole batch. A crash in a piece of it shows soon; a hang would
            # use up the time limit once more, so each file goes alone.
            hangs = isinstance(reason, TimeLimitExceeded)
            few = len(self.batch.requests) <= PIECE_FILES
            return Step.ALONE if hangs or few else Step.PIECES
        if isinstance(reason, TimeLimitExceeded):
            return Step.GIVE_UP
        self.crashes += 1
        return Step.AGAIN if self.crashes < MAX_CRASHES else Step.GIVE_UP

    def after_loss(self) -> Step:
        """Return what to do after it was lost."""
        if self.tries < MAX_TRIES:
            self.tries += 1
            return Step.AGAIN
        return Step.GIVE_UP if self.alone else Step.ALONE

    def after_other_origin(self, *, usable: bool) -> Step:
        """Return what to do after a worker with another parser or other limits answered.

        Args:
            usable: whether some worker's results can be used, as far as is known.
        """
        self.other_origins += 1
        most = MAX_OTHER_ORIGINS if usable else MAX_TRIES
        return Step.AGAIN if self.other_origins < most else Step.GIVE_UP

    def is_lost(self, evidence: Evidence, *, overtaken: bool) -> bool:
        """Take a look into account, and return whether the batch is lost.

        It is not lost while a worker that may have it has not replied: the worker that last had it
        or, if that is unknown, any worker.

        Args:
            evidence: what the look found; at least one worker replied.
            overtaken: whether so many later batches were answered that no queue can still have it.
        """
        holders = [evidence.holders[r.id] for r in self.replies if r.id in evidence.holders]
        if holders:
            self.holder = holders[-1]
        if holders or (evidence.queued > 0 and not overtaken):
            self.missed = 0
            return False
        self.missed += 1
        unheard = self.holder in evidence.silent if self.holder else bool(evidence.silent)
        return self.missed >= MISSED_LOOKS and not unheard


def forget(replies: Sequence[AsyncResult], *, keep: bool = False) -> None:
    """Unsubscribe from results that are not needed any more, and detach them.

    Otherwise Celery keeps those that never come until the application is collected, by which time
    the broker may be gone.

    Args:
        replies: the results.
        keep: whether to leave them on the result backend.

    Raises:
        BrokerCallError: the backend does not serve. The results are detached even so.
    """
    try:
        with calling_broker():
            for reply in replies:
                if keep:
                    stop_waiting(reply)
                else:
                    reply.forget()
    finally:
        detach(replies)


def failed(request: ParseRequest, reason: BaseException | str) -> ParseResult:
    """Return the result of a request that the window gave up.

    Args:
        request: the request.
        reason: what its task raised, or what was found.
    """
    result = ParseResult(request.id, request.path or request.name)
    if isinstance(reason, OtherOriginError):
        result.error_type, result.error = ErrorType.WORKER_UNAVAILABLE, str(reason)
    elif isinstance(reason, str):
        result.error_type = ErrorType.WORKER_UNAVAILABLE
        result.error = f"no worker answered for it in {MAX_TRIES} tries: {reason}"
    elif isinstance(reason, TimeLimitExceeded):
        result.error_type = ErrorType.PARSE_TIMEOUT
        result.error = f"parsing it took longer than the limit of {request.timeout_ms:,} ms"
    elif isinstance(reason, WorkerLostError | SystemExit):
        result.error_type = ErrorType.WORKER_CRASHED
        result.error = (
            f"the process that parsed it died {MAX_CRASHES} times, with this file alone: {reason}"
        )
    else:
        result.error_type = ErrorType.INTERNAL
        result.error = f"its task failed: {type(reason).__name__}: {reason}"
    return result
