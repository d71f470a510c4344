"""Requests grouped into batches: one task each."""

from collections.abc import Iterable, Iterator

import msgspec

from ck3parse.messages import ParseRequest

MAX_FILES = 512
"""A task costs 2.6 ms whatever it holds; over 256 files that is a fifth of a tiny file's cost."""
MAX_BYTES = 6 * 1024 * 1024
"""A tenth of a second's work or two, which is how long a request with a queue of its own waits."""
MIN_BYTES = 512 * 1024
"""As little work as a task is worth, where there is little to share out."""
SLOW_BYTES_PER_MS = 1000
"""No parser should be slower: a batch has a single file's time. The one of Python has 8,000."""


class Batch(msgspec.Struct, frozen=True):
    """Requests that travel as one task; all of them have the same `timeout_ms`.

    Attributes:
        requests: at least one.
        size: bytes of their files together, as far as they are known.
    """

    requests: list[ParseRequest]
    size: int

    def pieces(self, files: int) -> "list[Batch]":
        """Return it as several batches.

        Args:
            files: how many each of them has, but for the last.
        """
        parts = [
            self.requests[start : start + files] for start in range(0, len(self.requests), files)
        ]
        return [Batch(part, self.size * len(part) // len(self.requests)) for part in parts]


def bytes_for(total: int, places: int, timeout_ms: int) -> int:
    """Return how many bytes a batch should hold, so that all workers end together.

    Args:
        total: bytes of all files.
        places: batches that are in flight at once; each place is to see a few.
        timeout_ms: milliseconds that one file may take.
    """
    return min(max(MIN_BYTES, total // (4 * places)), bytes_within(timeout_ms))


def bytes_within(timeout_ms: int) -> int:
    """Return how many bytes a batch may hold at most, to be done in the time that one file has.

    Args:
        timeout_ms: milliseconds that one file may take.
    """
    return min(MAX_BYTES, SLOW_BYTES_PER_MS * timeout_ms)


def in_batches(
    sized: Iterable[tuple[ParseRequest, int]], max_bytes: int = MAX_BYTES
) -> Iterator[Batch]:
    """Group requests by count and bytes, in the order given.

    Args:
        sized: each request with its file's size in bytes.
        max_bytes: bytes that a batch holds at most, unless it is one file.
    """
    requests: list[ParseRequest] = []
    total = 0
    for request, size in sized:
        if requests and (len(requests) >= MAX_FILES or total + size > max_bytes):
            yield Batch(requests, total)
            requests, total = [], 0
        requests.append(request)
        total += size
    if requests:
        yield Batch(requests, total)
