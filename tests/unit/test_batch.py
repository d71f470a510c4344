from hypothesis import given
from hypothesis import strategies as st

from ck3parse.messages import DEFAULT_TIMEOUT_MS, ParseRequest
from ck3parse.pipeline.batch import (
    MAX_BYTES,
    MAX_FILES,
    MIN_BYTES,
    MIN_FILES,
    Batch,
    Limit,
    in_batches,
    limit_for,
)
from ck3parse.pipeline.time_limit import SLOW_BYTES_PER_MS, SLOW_FILES_PER_MS

MOST = Limit(MAX_FILES, MAX_BYTES)
FILES, SIZES = st.integers(0, 10**7), st.integers(0, 10**11)


@given(st.lists(st.integers(0, 2 * MAX_BYTES), max_size=300), st.integers(1, 100))
def test_every_request_is_in_one_batch_in_order_and_within_the_limit(
    sizes: list[int], files: int
) -> None:
    sized = [(ParseRequest(str(number)), size) for number, size in enumerate(sizes)]
    batches = list(in_batches(sized, lambda: Limit(files, MAX_BYTES)))
    assert [request for batch in batches for request in batch.requests] == [r for r, _ in sized]
    for batch in batches:
        assert 1 <= len(batch.requests) <= files
        assert len(batch.requests) == 1 or batch.size <= MAX_BYTES
    assert sum(batch.size for batch in batches) == sum(sizes)


def test_a_batch_has_no_more_files_than_the_limit() -> None:
    sized = [(ParseRequest(str(number)), 1) for number in range(2 * MAX_FILES + 1)]
    assert [len(batch.requests) for batch in in_batches(sized, lambda: MOST)] == [
        MAX_FILES,
        MAX_FILES,
        1,
    ]


@given(FILES, SIZES, st.integers(1, 1000))
def test_a_batch_is_a_small_part_of_all_or_worth_its_task(
    files: int, size: int, places: int
) -> None:
    limit = limit_for(files, size, places, DEFAULT_TIMEOUT_MS)
    assert MIN_BYTES <= limit.size <= MAX_BYTES
    assert limit.size in (MIN_BYTES, MAX_BYTES, size // (4 * places))
    assert MIN_FILES <= limit.files <= MAX_FILES
    assert limit.files in (MIN_FILES, MAX_FILES, files // (2 * places))


@given(FILES, SIZES, st.integers(1, 1000), st.integers(1, 10_000))
def test_a_batch_can_be_done_in_the_time_of_one_file(
    files: int, size: int, places: int, timeout_ms: int
) -> None:
    limit = limit_for(files, size, places, timeout_ms)
    assert limit.size <= timeout_ms * SLOW_BYTES_PER_MS
    assert limit.files <= timeout_ms * SLOW_FILES_PER_MS
    assert limit.size <= limit_for(files, size, places, DEFAULT_TIMEOUT_MS).size


def test_pieces_have_each_request_once_and_in_order() -> None:
    requests = [ParseRequest(str(number)) for number in range(70)]
    pieces = Batch(requests, 700).pieces(32)
    assert [len(piece.requests) for piece in pieces] == [32, 32, 6]
    assert [request for piece in pieces for request in piece.requests] == requests
    assert [piece.size for piece in pieces] == [320, 320, 60]
