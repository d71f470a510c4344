"""How many batches a worker holds, by the distance of its broker."""

import pytest

from ck3parse.worker.prefetch import MOST_FOR_A_PROCESS, NEAR_S, batches_ahead


def test_a_worker_near_its_broker_holds_no_more_than_it_works_on() -> None:
    assert batches_ahead(8, NEAR_S / 2, 0.0) == 0


@pytest.mark.parametrize(
    ("round_trip_s", "task_s", "batches"), [(0.1, 0.21, 6), (0.3, 0.21, 18), (0.1, 60.0, 1)]
)
def test_a_distant_worker_holds_what_it_parses_in_one_and_a_half_round_trips(
    round_trip_s: float, task_s: float, batches: int
) -> None:
    assert batches_ahead(8, round_trip_s, task_s) == batches


def test_there_is_a_limit() -> None:
    assert batches_ahead(4, 5.0, 0.0) == 4 * MOST_FOR_A_PROCESS
