"""What happens to a batch that failed, was killed or was lost: it is sent again, or its files fail.

A batch whose process was killed is sent again in pieces, until the one file that kills processes
is alone. That file fails.
"""

from enum import Enum

from billiard.exceptions import TimeLimitExceeded, WorkerLostError

from ck3parse.errors import ErrorType
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.messaging.acceptance import OtherOriginError
from ck3parse.pipeline.lease import Lease

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


def after_failure(lease: Lease, reason: BaseException) -> Step:
    """Return what to do after the task of a batch failed.

    Args:
        lease: the batch.
        reason: what the task raised.
    """
    if not lease.alone:
        # One file failed the whole batch. A crash in a piece of it shows soon; a hang would
        # use up the time limit once more, so each file goes alone.
        hangs = isinstance(reason, TimeLimitExceeded)
        few = len(lease.batch.requests) <= PIECE_FILES
        return Step.ALONE if hangs or few else Step.PIECES
    if isinstance(reason, TimeLimitExceeded):
        return Step.GIVE_UP
    lease.crashes += 1
    return Step.AGAIN if lease.crashes < MAX_CRASHES else Step.GIVE_UP


def after_loss(lease: Lease) -> Step:
    """Return what to do after a batch was lost.

    Args:
        lease: the batch.
    """
    if lease.tries < MAX_TRIES:
        lease.tries += 1
        return Step.AGAIN
    return Step.GIVE_UP if lease.alone else Step.ALONE


def after_other_origin(lease: Lease, *, usable: bool) -> Step:
    """Return what to do after a worker with another parser or other limits answered.

    Args:
        lease: the batch.
        usable: whether some worker's results can be used, as far as is known.
    """
    lease.other_origins += 1
    most = MAX_OTHER_ORIGINS if usable else MAX_TRIES
    return Step.AGAIN if lease.other_origins < most else Step.GIVE_UP


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
