"""What the processes of a worker have done, counted in memory that they share.

Each process adds to a row of its own, without locks, and the worker's main process adds the rows
up. A process that is killed leaves its row as it was, and its replacement goes on with it.
"""

import mmap
import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from ck3parse.config import MOST_WORKERS
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseResult

_ERRORS: Final = tuple(ErrorType)
_ROW: Final = struct.Struct(f"={4 + len(_ERRORS)}Q")
_US_PER_MS = 1000


class Counts(msgspec.Struct):
    """Sums since the worker started.

    Attributes:
        processes: how many processes were started.
        files: files that have a result.
        size: their total size in bytes.
        busy_s: seconds that processes were at work on files.
        failures: failed files by `ErrorType`. A file whose process was killed is not among them:
            only its client knows which one of a batch it was.
    """

    processes: int = 0
    files: int = 0
    size: int = 0
    busy_s: float = 0.0
    failures: dict[str, int] = {}


class Counters:
    """The rows of all processes of a worker. Make it before they are forked.

    Args:
        processes: the largest number of processes at a time.
    """

    def __init__(self, processes: int = MOST_WORKERS) -> None:
        self._rows = processes
        self._memory = mmap.mmap(-1, processes * _ROW.size)

    def start(self, process: int) -> None:
        """Count the start of a process.

        Args:
            process: its number among those that run, from 0.
        """
        self._add(process, [1])

    def add(self, process: int, results: Sequence[ParseResult]) -> None:
        """Count the results of a batch.

        Args:
            process: the number of the process.
            results: of its files.
        """
        failures = [0] * len(_ERRORS)
        size, duration_ms = 0, 0.0
        for result in results:
            size += result.size or 0
            duration_ms += result.duration_ms
            if result.error_type is not None:
                failures[_ERRORS.index(result.error_type)] += 1
        self._add(process, [0, len(results), size, int(duration_ms * _US_PER_MS), *failures])

    def _add(self, process: int, more: Sequence[int]) -> None:
        at = process % self._rows * _ROW.size
        row = list(_ROW.unpack_from(self._memory, at))
        for field, number in enumerate(more):
            row[field] += number
        _ROW.pack_into(self._memory, at, *row)

    def counts(self) -> Counts:
        """Return the sums of all processes."""
        rows = _ROW.iter_unpack(self._memory)
        processes, files, size, busy_us, *failures = map(sum, zip(*rows, strict=True))
        failed = {str(name): count for name, count in zip(_ERRORS, failures, strict=True)}
        return Counts(processes, files, size, busy_us / 1e6, failed)
