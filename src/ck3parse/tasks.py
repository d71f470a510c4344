"""The worker's Celery application, its one task, and what a process keeps between tasks.

The task is `ck3parse.parse_batch`. It takes a list of maps with the fields of `ParseRequest`, and
answers with a list of maps with those of `ParseResult`, one for each, in the same order; both are
plain msgpack, so that any Celery client can send it.

The first map of an answer also has `origin`, a map with the fields of `Origin`: which worker
answered, its parser's version and the limits that its results depend on. Clients of ck3parse use no
answer whose origin differs from their own settings, or that has none; others may do without.
"""

import gc
import logging
import os
import sys
from typing import Any

import msgspec
from celery import Task
from celery.signals import worker_before_create_process, worker_init, worker_process_init

from ck3parse.celery_compat.prefork import leave_after_task
from ck3parse.celery_compat.results import expire_next_result
from ck3parse.config import Settings, read_settings, warn_of_unknown_variables
from ck3parse.errors import UsageError
from ck3parse.messages import ParseRequest
from ck3parse.messaging.app import TASK_NAME, TRANSIENT_HEADER, make_app
from ck3parse.parser import parser_in_use
from ck3parse.worker.handler import answerer
from ck3parse.worker.malloc import keep_freed_memory

log = logging.getLogger(__name__)


def _settings_of_worker() -> Settings:
    """Return this environment's settings, those of the `celery` command first.

    Its options `--broker` and `--result-backend` come as these variables.
    """
    of = read_settings()
    return msgspec.structs.replace(
        of,
        broker_url=os.environ.get("CELERY_BROKER_URL") or of.broker_url,
        result_backend=os.environ.get("CELERY_RESULT_BACKEND") or of.result_backend,
    )


try:
    app = make_app(_settings_of_worker())
except UsageError as error:
    # Whoever imports this is a worker, which would show a page of Celery's for one sentence.
    raise SystemExit(f"ck3parse: {error}") from error
app.set_current()
app.steps["worker"].add("ck3parse.worker.prefork:ProcessWatch")
app.steps["consumer"].add("ck3parse.worker.liveness_file:AliveFile")
app.steps["consumer"].add("ck3parse.worker.watchdog:Watchdog")


class Child:
    """What one worker process keeps from task to task.

    Attributes:
        answer: answers one request.
        origin: what its answers are made under, without the worker's name.
        expires_s: seconds after which a task's answer is dropped that nobody fetched, by whether it
            is transient.
    """

    def __init__(self, of: Settings) -> None:
        self.answer = answerer(of)
        self.origin = of.origin(parser_in_use().version)
        self.expires_s = {True: of.transient_expires_s, False: of.result_expires_s}
        self._max_files = of.max_files_per_child
        self._files_done = 0

    def count(self, files: int) -> None:
        """Count files done, and have the process replaced after its task once they are enough.

        Celery counts tasks, and here a task has any number of files.
        """
        self._files_done += files
        if self._files_done >= self._max_files:
            log.info(
                "process %d has parsed %d files: it is replaced", os.getpid(), self._files_done
            )
            leave_after_task()


_child: Child | None = None
_frozen = False


@worker_init.connect
def warn(**_: Any) -> None:
    """Log which variables are no settings, when a worker starts."""
    warn_of_unknown_variables()


@worker_before_create_process.connect
def _freeze(**_: Any) -> None:
    # Celery collects garbage before each fork, which takes 20 ms with all that a worker imports.
    # `gc.get_freeze_count` would tell whether this was done, and counts for 10 ms.
    global _frozen
    if not _frozen:
        _frozen = True
        gc.freeze()
    gc.enable()


@worker_process_init.connect
def _start_child(**_: Any) -> None:
    # Before the first task, so that no file's time pays for it.
    global _child
    of = read_settings()
    keep_freed_memory()
    _limit_memory(of.max_address_space_mb * 1024 * 1024)
    _child = Child(of)


def _limit_memory(limit: int) -> None:
    # A memory bomb fails in its own process with MemoryError, before the system kills another.
    if sys.platform == "linux":
        import resource  # not for clients, which may run where there is none

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class ParseTask(Task):
    """Base of the task: a failure of it names its true reason."""

    Request = "ck3parse.worker.request:ParseTaskRequest"
    # Of an answer, which is a page of bytes, logs and events show the beginning.
    resultrepr_maxsize = 80


@app.task(name=TASK_NAME, base=ParseTask)
def parse_batch(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parse files or texts.

    Args:
        requests: maps with the fields of `ParseRequest`. The task's `time_limit` is for all of
            them together, and should be that of one: a healthy batch takes milliseconds.

    Returns:
        One map with the fields of `ParseResult` for each request, in the same order. Fields that
        have their default are left out. The first one has the `origin` of all.

    Raises:
        msgspec.ValidationError: a request has not the shape of a `ParseRequest`.
    """
    child = _child or Child(read_settings())
    wanted = msgspec.convert(requests, list[ParseRequest])
    results = [child.answer(request) for request in wanted]
    if results:
        worker = parse_batch.request.hostname or ""
        results[0].origin = msgspec.structs.replace(child.origin, worker=worker)
    child.count(len(wanted))
    transient = (parse_batch.request.headers or {}).get(TRANSIENT_HEADER) is True
    expire_next_result(parse_batch, child.expires_s[transient])
    answers: list[dict[str, Any]] = msgspec.to_builtins(results, builtin_types=(bytes,))
    return answers
