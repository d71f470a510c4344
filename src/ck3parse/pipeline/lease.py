"""A batch that is out with the workers, and what becomes of it when it does not come back."""

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
"""How often a batch is sent that is lost without a reason, before its files are tried alone."""
MAX_CRASHES = 2
"""How often a file alone may take its process along. Once can be something else that killed it."""
MAX_OTHER_ORIGINS = 12
"""How often a batch is sent that workers answer who parse otherwise, while one that does not is
there. Where half of them do, one batch in four thousand comes to its end so."""
PIECE_FILES = 32
"""How many files of a batch that crashed are sent together, to find the one without trying all."""
MISSED_LOOKS = 2
"""How often in a row a batch must be nowhere: once it may be on its way from queue to worker."""


class Step(Enum):
    """What is next for a batch without an answer: again, in pieces, its files alone, or no more."""

    AGAIN = "again"
    PIECES = "pieces"
    ALONE = "alone"
    GIVE_UP = "give up"


class Lease(msgspec.Struct, eq=False):
    """A batch that was published and not answered yet.

    Attributes:
        batch: what was sent.
        queue: where it was sent.
        keep: whether the task and its result are left to others, as its id is known elsewhere.
        replies: the tasks it was sent as, the last one last.
        tries: how often it was sent because it was lost.
        crashes: how often its process died with it.
        other_origins: how often a worker answered that parses otherwise than is wanted.
        missed: in how many looks in a row it was nowhere.
        sent: when it was sent last, in seconds of `time.monotonic`.
        answers_before: how many answers from its queue had come then.
        holder: the worker that had it in the last look in which one had it since then.
        resumed: whether the broker went while it was in flight, and may deliver a task twice.
    """

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
        """Whether it is one file, which can be blamed."""
        return len(self.batch.requests) == 1

    def spare_ids(self) -> list[str]:
        """Return the tasks of it that may yet be answered, once one was and it has ended."""
        if len(self.replies) == 1 and not self.resumed:
            return []
        # Of one to be kept others know the first.
        return [reply.id for reply in self.replies[1 if self.keep else 0 :]]

    def after_failure(self, reason: BaseException) -> Step:
        """Say what is next, as its task failed."""
        if not self.alone:
            # One of them took its neighbours' process with it. Alone, each fails for itself. A
            # crash is soon seen again, where a hang would take its whole limit once more.
            hangs = isinstance(reason, TimeLimitExceeded)
            few = len(self.batch.requests) <= PIECE_FILES
            return Step.ALONE if hangs or few else Step.PIECES
        if isinstance(reason, TimeLimitExceeded):
            return Step.GIVE_UP
        self.crashes += 1
        return Step.AGAIN if self.crashes < MAX_CRASHES else Step.GIVE_UP

    def after_loss(self) -> Step:
        """Say what is next, as nothing is left of it."""
        if self.tries < MAX_TRIES:
            self.tries += 1
            return Step.AGAIN
        return Step.GIVE_UP if self.alone else Step.ALONE

    def after_other_origin(self, *, usable: bool) -> Step:
        """Say what is next, as a worker answered that parses otherwise than is wanted.

        Args:
            usable: whether there is a worker whose answers are used, as far as is known.
        """
        self.other_origins += 1
        most = MAX_OTHER_ORIGINS if usable else MAX_TRIES
        return Step.AGAIN if self.other_origins < most else Step.GIVE_UP

    def is_lost(self, evidence: Evidence, *, overtaken: bool) -> bool:
        """Take a look at it into account, and say whether it is lost.

        It is not as long as the one that had it last, or anybody if that is not known, may have it
        and has not replied.

        Args:
            evidence: what workers and queues say; at least one worker does.
            overtaken: whether so many later ones were answered that no queue can have it.
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


def end(replies: Sequence[AsyncResult], *, keep: bool = False) -> None:
    """Have results that nobody here waits for any more listen no more.

    Left alone, one that is never answered is held by Celery until its application is collected, by
    which time its broker may be gone.

    Args:
        replies: what was awaited.
        keep: leave them on the result backend.

    Raises:
        BrokerCallError: the backend does not serve. They are let go even so.
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
    """Return the result of a request that was tried alone and did not come back.

    Args:
        request: what was asked.
        reason: what its task raised, or what was seen.
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
        result.error = f"the process that parsed it died, {MAX_CRASHES} times alone: {reason}"
    else:
        result.error_type = ErrorType.INTERNAL
        result.error = f"its task failed: {type(reason).__name__}: {reason}"
    return result
