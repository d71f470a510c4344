"""Requests grouped into batches: one task each."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from ck3parse.messages import ParseRequest

MAX_FILES = 1024
"""A task costs milliseconds whatever it holds: with 512, tiny files cost a sixteenth more."""
MIN_FILES = 256
"""As many as are worth a task, where there are few to share out."""
MAX_BYTES = 6 * 1024 * 1024
"""A tenth of a second's work or two, which is how long a request with a queue of its own waits."""
MIN_BYTES = 512 * 1024
"""As little work as a task is worth, where there is little to share out."""
SLOW_BYTES_PER_MS = 1000
"""No parser should be slower: a batch has a single file's time. The one of Python has 8,000."""
SLOW_FILES_PER_MS = 2
"""The same of tiny files. The parser of Python has 40."""


class Limit(NamedTuple):
    """What a batch may hold.

    Attributes:
        files: how many at most.
        size: bytes of their files at most, unless it is one file.
    """

    files: int
    size: int


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


def limit_for(files: int, size: int, places: int, timeout_ms: int) -> Limit:
    """Return what each batch of a run may hold, so that all workers end together.

    Args:
        files: how many there are in all.
        size: bytes of all of them.
        places: batches that are in flight at once; each place is to see a few.
        timeout_ms: milliseconds that one file may take.
    """
    most = limit_within(timeout_ms)
    return Limit(
        min(max(MIN_FILES, files // (2 * places)), most.files),
        min(max(MIN_BYTES, size // (4 * places)), most.size),
    )


def limit_within(timeout_ms: int) -> Limit:
    """Return what a batch may hold at most, to be done in the time that one file has.

    Args:
        timeout_ms: milliseconds that one file may take.
    """
    return Limit(
        min(MAX_FILES, SLOW_FILES_PER_MS * timeout_ms),
        min(MAX_BYTES, SLOW_BYTES_PER_MS * timeout_ms),
    )


def in_batches(sized: Iterable[tuple[ParseRequest, int]], limit: Limit) -> Iterator[Batch]:
    """Group requests by count and bytes, in the order given.

    Args:
        sized: each request with its file's size in bytes.
        limit: what a batch may hold.
    """
    requests: list[ParseRequest] = []
    total = 0
    for request, size in sized:
        if requests and (len(requests) >= limit.files or total + size > limit.size):
            yield Batch(requests, total)
            requests, total = [], 0
        requests.append(request)
        total += size
    if requests:
        yield Batch(requests, total)
