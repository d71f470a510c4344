"""Requests grouped into batches: one task each."""

from collections.abc import Iterable, Iterator

import msgspec

from ck3parse.messages import ParseRequest

MAX_FILES = 256
"""A task costs 1.6 ms whatever it holds; over 64 files that is a quarter of a tiny file's cost."""
MAX_BYTES = 1024 * 1024
"""Enough work to hide a task's cost, and little enough that the last batch keeps nobody waiting."""


class Batch(msgspec.Struct, frozen=True):
    """Requests that travel as one task; all of them have the same `timeout_ms`.

    Attributes:
        requests: at least one.
        size: bytes of their files together, as far as they are known.
    """

    requests: list[ParseRequest]
    size: int


def in_batches(sized: Iterable[tuple[ParseRequest, int]]) -> Iterator[Batch]:
    """Group requests by count and bytes, in the order given.

    Args:
        sized: each request with its file's size in bytes.
    """
    requests: list[ParseRequest] = []
    total = 0
    for request, size in sized:
        if requests and (len(requests) >= MAX_FILES or total + size > MAX_BYTES):
            yield Batch(requests, total)
            requests, total = [], 0
        requests.append(request)
        total += size
    if requests:
        yield Batch(requests, total)
