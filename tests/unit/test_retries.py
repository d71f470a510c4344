from billiard.exceptions import TimeLimitExceeded, WorkerLostError

from ck3parse.messages import ParseRequest
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.lease import Lease
from ck3parse.pipeline.retries import (
    MAX_CRASHES,
    MAX_TRIES,
    PIECE_FILES,
    Step,
    after_failure,
    after_loss,
)


def lease(files: int) -> Lease:
    requests = [ParseRequest(str(number), f"/mod/{number}.txt") for number in range(files)]
    return Lease("t", Batch(requests, files * 10), "bulk", keep=False)


def test_a_batch_that_crashes_is_sent_in_pieces_until_a_file_can_be_tried_alone() -> None:
    crash = WorkerLostError("signal 11 (SIGSEGV)")
    assert after_failure(lease(512), crash) is Step.PIECES
    assert after_failure(lease(PIECE_FILES + 1), crash) is Step.PIECES
    assert after_failure(lease(PIECE_FILES), crash) is Step.ALONE
    assert after_failure(lease(2), crash) is Step.ALONE


def test_a_batch_that_hangs_costs_its_limit_once_more_and_not_twice() -> None:
    assert after_failure(lease(512), TimeLimitExceeded(30)) is Step.ALONE


def test_a_file_alone_is_given_up_at_its_first_hang_and_its_last_crash() -> None:
    assert after_failure(lease(1), TimeLimitExceeded(30)) is Step.GIVE_UP
    alone = lease(1)
    steps = [after_failure(alone, WorkerLostError("exitcode 3")) for _ in range(MAX_CRASHES)]
    assert steps == [Step.AGAIN] * (MAX_CRASHES - 1) + [Step.GIVE_UP]


def test_a_batch_that_is_lost_for_no_reason_is_sent_again_and_then_its_files_alone() -> None:
    for files, last in ((1, Step.GIVE_UP), (512, Step.ALONE)):
        lost = lease(files)
        steps = [after_loss(lost) for _ in range(MAX_TRIES)]
        assert steps == [Step.AGAIN] * (MAX_TRIES - 1) + [last]
