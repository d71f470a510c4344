"""Grouping requests into batches; each batch is one task."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from ck3parse.messages import ParseRequest
from ck3parse.pipeline.time_limit import bytes_within, files_within

MAX_FILES = 1024
"""Each task costs milliseconds of its own: with 512 files, tiny files take a sixteenth longer."""
MIN_FILES = 256
"""Files that are worth a task even if that leaves some workers without one."""
MAX_BYTES = 6 * 1024 * 1024
"""One or two tenths of a second of work: an interactive request waits for as long as that."""
MIN_BYTES = 512 * 1024
"""Bytes that are worth a task even if that leaves some workers without one."""


class Limit(NamedTuple):
    """What a batch may hold.

    Attributes:
        files: most files.
        size: most bytes of all files together; a single file may have more.
    """

    files: int
    size: int


class Batch(msgspec.Struct, frozen=True):
    """Requests that are sent as one task; all have the same `timeout_ms`.

    Attributes:
        requests: at least one.
        size: bytes of all files together, as far as they are known.
    """

    requests: list[ParseRequest]
    size: int

    def pieces(self, files: int) -> "list[Batch]":
        """Split it into smaller batches.

        Args:
            files: how many requests each has, except for the last.
        """
        parts = [
            self.requests[start : start + files] for start in range(0, len(self.requests), files)
        ]
        return [Batch(part, self.size * len(part) // len(self.requests)) for part in parts]


def limit_for(files: int, size: int, places: int, timeout_ms: int) -> Limit:
    """Return what each batch of a run may hold, so that all workers finish at the same time.

    Args:
        files: number of files of the run.
        size: bytes of all of them.
        places: how many batches are in flight at once; the run has a few for each place.
        timeout_ms: milliseconds that one file may take.
    """
    most = limit_within(timeout_ms)
    return Limit(
        min(max(MIN_FILES, files // (2 * places)), most.files),
        min(max(MIN_BYTES, size // (4 * places)), most.size),
    )


def limit_within(timeout_ms: int) -> Limit:
    """Return what a batch may hold to be done within the time limit of one file.

    Args:
        timeout_ms: milliseconds that one file may take.
    """
    return Limit(
        min(MAX_FILES, files_within(timeout_ms)),
        min(MAX_BYTES, bytes_within(timeout_ms)),
    )


def in_batches(
    sized: Iterable[tuple[ParseRequest, int]], limit: Callable[[], Limit]
) -> Iterator[Batch]:
    """Group requests by count and bytes, in the order given.

    Args:
        sized: each request with its file's size in bytes.
        limit: returns what the next batch may hold.
    """
    requests: list[ParseRequest] = []
    total = 0
    most = limit()
    for request, size in sized:
        if requests and (len(requests) >= most.files or total + size > most.size):
            yield Batch(requests, total)
            requests, total = [], 0
            most = limit()
        requests.append(request)
        total += size
    if requests:
        yield Batch(requests, total)
