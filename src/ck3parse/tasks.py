"""The Celery application, its one task, and what a worker process does with one request.

The task is `ck3parse.parse_batch`. It takes a list of maps with the fields of `ParseRequest`, and
answers with a list of maps with those of `ParseResult`, one for each, in the same order; both are
plain msgpack, so that any Celery client can send it.
"""

import hashlib
import logging
import os
import signal
from time import perf_counter
from typing import Any

import billiard.pool
import msgspec
import zstandard
from celery import Celery, Task
from celery.signals import worker_process_init

from ck3parse import parser
from ck3parse.config import Settings, settings
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.reading import CannotReadError, read_script

TASK_NAME = "ck3parse.parse_batch"

ZSTD_LEVEL = 1
"""15 : 1 on AST JSON at over 1 GB/s; higher levels cost more than they save."""

log = logging.getLogger(__name__)


def make_app(of: Settings) -> Celery:
    """Return a Celery application that talks to the broker and result backend of these settings."""
    made = Celery("ck3parse", set_as_current=False)
    made.conf.update(of.celery())
    return made


app = make_app(settings())
app.set_current()
app.steps["worker"].add("ck3parse.worker:ChildrenWatch")


class Child:
    """What one worker process keeps from task to task."""

    def __init__(self, of: Settings) -> None:
        self._settings = of
        self._roots = tuple(os.path.realpath(root) for root in of.roots.split(os.pathsep) if root)
        self._compress = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
        self._files_done = 0

    def begin(self) -> None:
        """Make this process one that the pool can end at once.

        A time limit sends SIGTERM, waits for a tenth of a second and sends SIGKILL, and all that
        while the whole worker stands still. Billiard's handler of SIGTERM unwinds Python first, in
        order to free locks that this kind of pool has not.
        """
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def answer(self, request: ParseRequest) -> ParseResult:
        """Parse what one request asks for; every failure but the process's end is an answer."""
        started = perf_counter()
        result = ParseResult(request.id, request.path or request.name)
        try:
            self._parse(request, result)
        except CannotReadError as reason:
            result.error_type, result.error = reason.error_type, reason.message
        except MemoryError:
            result.error_type = ErrorType.MEMORY
            result.error = "parsing it takes more memory than the worker may use"
        except Exception as error:  # it must not cost its neighbours their answers
            log.exception("a bug of ck3parse met %s", result.path)
            result.error_type = ErrorType.INTERNAL
            result.error = f"{type(error).__name__}: {error}; the worker's log has the traceback"
        result.duration_ms = (perf_counter() - started) * 1000
        return result

    def _parse(self, request: ParseRequest, result: ParseResult) -> None:
        mode, max_depth = request.mode, self._settings.max_depth
        if request.path is not None:
            data = read_script(
                request.path, max_bytes=self._settings.max_file_bytes, roots=self._roots
            )
            result.size = len(data)
            result.content_hash = hashlib.sha256(data).hexdigest()
            outcome = parser.parse_bytes(data, request.name, mode=mode, max_depth=max_depth)
        else:
            text = request.text or ""
            outcome = parser.parse_text(text, request.name, mode=mode, max_depth=max_depth)
        if outcome.ast_json is not None:
            result.ast = self._compress(outcome.ast_json)
        result.ok = outcome.success
        result.node_count = outcome.node_count
        result.error_type, result.error = outcome.error_type, outcome.error
        result.line, result.column = outcome.line, outcome.column
        result.diagnostics = outcome.diagnostics

    def count(self, files: int) -> None:
        """Count files done, and have the process replaced after its task once they are enough.

        Celery counts tasks, and here a task has any number of files. A process leaves its pool
        without losing anything in two ways only, both looked at after a task: its number of tasks
        and its memory. The second is asked for through this function of billiard's, so its answer
        is where this process can say that it is done.
        """
        self._files_done += files
        if self._files_done >= self._settings.max_files_per_child:
            log.info(
                "process %d has parsed %d files: it is replaced", os.getpid(), self._files_done
            )
            billiard.pool.mem_rss = lambda: 1 << 60


_child: Child | None = None


@worker_process_init.connect
def _start_child(**_: Any) -> None:
    # Before the first task, so that no file's time pays for it.
    global _child
    _child = Child(settings())
    parser.parser_in_use()


class ParseTask(Task):
    """Base of the task: a failure of it names its true reason."""

    Request = "ck3parse.worker:ParseTaskRequest"


@app.task(name=TASK_NAME, base=ParseTask)
def parse_batch(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parse files or texts.

    Args:
        requests: maps with the fields of `ParseRequest`. The task's `time_limit` is for all of
            them together, and should be that of one: a healthy batch takes milliseconds.

    Returns:
        One map with the fields of `ParseResult` for each request, in the same order. Fields that
        have their default are left out.

    Raises:
        msgspec.ValidationError: a request has not the shape of a `ParseRequest`.
    """
    child = _child or Child(settings())
    child.begin()
    wanted = msgspec.convert(requests, list[ParseRequest])
    results = [child.answer(request) for request in wanted]
    child.count(len(wanted))
    answers: list[dict[str, Any]] = msgspec.to_builtins(results, builtin_types=(bytes,))
    return answers
