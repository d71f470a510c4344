"""Worker processes of `check`, which check files on all cores.

A worker reads batches of files from its standard input and writes their outcomes to its standard
output, each in a frame: its length in four bytes, and msgpack. It ends with its input, however the
process that started it ends.
"""

import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO

import msgspec

from ck3parse.child_process import command_for
from ck3parse.errors import ErrorType
from ck3parse.lint.file_check import Conditions, FileCheck, FileOutcome
from ck3parse.lint.rules.rule import Place
from ck3parse.messages import ParseResult
from ck3parse.parser import parser_in_use

_BATCH_BYTES = 1_000_000
_BATCH_FILES = 100
_LENGTH_BYTES = 4


class Task(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A file to check.

    Attributes:
        path: its absolute path.
        place: where it is in its mod.
        size: in bytes, to make batches of.
    """

    path: str
    place: Place
    size: int


Batch = list[tuple[int, Task]]
"""Tasks, each with its number."""

_decode_tasks = msgspec.msgpack.Decoder(list[Task]).decode
_decode_outcomes = msgspec.msgpack.Decoder(list[FileOutcome]).decode


def check_in_processes(
    tasks: Sequence[Task], conditions: Conditions, count: int
) -> Iterator[list[tuple[int, FileOutcome]]]:
    """Check files in worker processes. A file that ends its process fails alone.

    Args:
        tasks: the files.
        conditions: what the findings depend on.
        count: how many processes to start.

    Yields:
        The outcomes of a batch, each with the index of its task, in any order of batches.
    """
    batches = deque(_batches(tasks))
    done: queue.SimpleQueue[list[tuple[int, FileOutcome]] | BaseException] = queue.SimpleQueue()
    workers = [_Worker(batches, conditions, done) for _ in range(count)]
    left = len(tasks)
    try:
        for worker in workers:
            worker.start()
        while left:
            outcomes = done.get()
            if isinstance(outcomes, BaseException):
                raise outcomes
            left -= len(outcomes)
            yield outcomes
    finally:
        batches.clear()
        for worker in workers:
            worker.stop()


class _Worker(threading.Thread):
    """A worker process, and the thread that gives it batches."""

    def __init__(
        self,
        batches: deque[Batch],
        conditions: Conditions,
        done: "queue.SimpleQueue[list[tuple[int, FileOutcome]] | BaseException]",
    ) -> None:
        super().__init__(name="ck3parse", daemon=True)
        self._batches = batches
        self._conditions = conditions
        self._done = done
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> None:
        try:
            while True:
                try:
                    batch = self._batches.popleft()
                except IndexError:
                    return
                self._done.put(self._outcomes(batch))
        except BaseException as error:  # noqa: BLE001 - it must reach the caller
            if not self._stopped:
                self._done.put(error)

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()
        self.join()
        if self._process is not None:
            with self._process:  # closes its pipes
                pass

    def _outcomes(self, batch: Batch) -> list[tuple[int, FileOutcome]]:
        answers = self._ask([task for _, task in batch])
        if isinstance(answers, str) and len(batch) > 1:
            # One of them ended the process: the others shall not pay for it.
            return [outcome for each in batch for outcome in self._outcomes([each])]
        if isinstance(answers, str):
            [(number, task)] = batch
            message = f"the process that checked it died: {answers}"
            result = ParseResult("", task.path, error_type=ErrorType.WORKER_CRASHED, error=message)
            return [(number, FileOutcome(result))]
        return [(number, answer) for (number, _), answer in zip(batch, answers, strict=True)]

    def _ask(self, tasks: list[Task]) -> list[FileOutcome] | str:
        """Return the outcomes of files, or how the process ended."""
        if self._stopped:
            raise InterruptedError
        if self._process is None:
            self._process = _started(self._conditions)
        process = self._process
        answer = None
        with suppress(OSError):  # the process has ended
            _write(process.stdin, msgspec.msgpack.encode(tasks))
            answer = _read(process.stdout)
        if answer is not None:
            return _decode_outcomes(answer)
        self._process = None
        with suppress(OSError), process:
            process.kill()
        code = process.returncode
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _started(conditions: Conditions) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        command_for("ck3parse.lint.processes.main"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with suppress(OSError):  # it ended at once, which is seen at the first answer
        _write(process.stdin, msgspec.msgpack.encode(conditions))
    return process


def _batches(tasks: Sequence[Task]) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for number, task in enumerate(tasks):
        if batch and (size + task.size > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append((number, task))
        size += task.size
    if batch:
        yield batch


def _write(stream: IO[bytes] | None, body: bytes) -> None:
    if stream is None:
        raise BrokenPipeError
    stream.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
    stream.flush()


def _read(stream: IO[bytes] | None) -> bytes | None:
    """Return the next frame, or `None` if the stream has ended."""
    if stream is None:
        return None
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    body = stream.read(length)
    return body if len(body) == length else None


def main() -> None:
    """Run a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it ends it
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a parser of the user's own prints is no frame
    conditions = _read(source)
    if conditions is None:
        return
    check = FileCheck(msgspec.msgpack.decode(conditions, type=Conditions), parser_in_use())
    with suppress(BrokenPipeError):
        while (tasks := _read(source)) is not None:
            outcomes = [check.of_path(task.path, task.place) for task in _decode_tasks(tasks)]
            _write(target, msgspec.msgpack.encode(outcomes))
