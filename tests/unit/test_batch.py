from hypothesis import given
from hypothesis import strategies as st

from ck3parse.messages import ParseRequest
from ck3parse.pipeline.batch import MAX_BYTES, MAX_FILES, MIN_BYTES, bytes_for, in_batches


@given(st.lists(st.integers(0, 2 * MAX_BYTES), max_size=300))
def test_every_request_is_in_one_batch_in_order_and_within_the_limits(sizes: list[int]) -> None:
    sized = [(ParseRequest(str(number)), size) for number, size in enumerate(sizes)]
    batches = list(in_batches(sized))
    assert [request for batch in batches for request in batch.requests] == [r for r, _ in sized]
    for batch in batches:
        assert 1 <= len(batch.requests) <= MAX_FILES
        assert len(batch.requests) == 1 or batch.size <= MAX_BYTES
    assert sum(batch.size for batch in batches) == sum(sizes)


@given(st.integers(0, 10**11), st.integers(1, 1000))
def test_a_batch_is_a_small_part_of_all_or_worth_its_task(total: int, places: int) -> None:
    limit = bytes_for(total, places)
    assert MIN_BYTES <= limit <= MAX_BYTES
    assert limit in (MIN_BYTES, MAX_BYTES, total // (4 * places))
