"""The worker's Celery application, its task, and what a process keeps between tasks.

The task is `ck3parse.parse_batch`. Its argument is a list of maps with the fields of
`ParseRequest`; its result is a list of maps with the fields of `ParseResult`, one for each request,
in the same order. Both are plain msgpack, so that any Celery client can use it.

The first map of a result also has `origin`, a map with the fields of `Origin`: which worker
answered, the version of its parser, and the limits that its results depend on. Clients of ck3parse
reject results whose origin is missing or does not match their own settings; other clients may
ignore it.
"""

import gc
import importlib
import logging
import os
import sys
from typing import Any

import msgspec
from celery import Task
from celery.signals import (
    worker_before_create_process,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
)

from ck3parse.celery_compat.prefork import leave_after_task, process_index
from ck3parse.celery_compat.result_text import describe_results
from ck3parse.celery_compat.results import ResultStore, expire_next_result
from ck3parse.config import Settings, read_settings, warn_of_unknown_variables
from ck3parse.errors import UsageError
from ck3parse.extractors import is_known
from ck3parse.extractors.ck3 import rules
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.messaging.app import TASK_NAME, TRANSIENT_HEADER, make_app
from ck3parse.parser import parser_in_use
from ck3parse.plurals import counted
from ck3parse.worker import statistics
from ck3parse.worker.handler import request_handler
from ck3parse.worker.malloc import keep_freed_memory

log = logging.getLogger(__name__)

_REPLACEMENT_SLOTS = 8
"""Parts of `max_files_per_child`: processes are replaced in its second half, each in another."""

_GARBAGE_THRESHOLD = 20_000
"""Objects after which a process looks for garbage: a batch has hundreds, which need no search."""


def _settings_of_worker() -> Settings:
    """Return the settings, with the options of the `celery` command before the environment.

    The command hands on `--broker` and `--result-backend` as the two variables read here.
    """
    settings = read_settings()
    return msgspec.structs.replace(
        settings,
        broker_url=os.environ.get("CELERY_BROKER_URL") or settings.broker_url,
        result_backend=os.environ.get("CELERY_RESULT_BACKEND") or settings.result_backend,
    )


try:
    app = make_app(_settings_of_worker())
except UsageError as error:
    # Only workers import this module, and Celery would show a long traceback.
    raise SystemExit(f"ck3parse: {error}") from error
app.set_current()
app.steps["worker"].add("ck3parse.worker.prefork:ProcessWatch")
app.steps["worker"].add("ck3parse.worker.metrics_server:MetricsServer")
app.steps["consumer"].add("ck3parse.worker.prefetch:Prefetch")
app.steps["consumer"].add("ck3parse.worker.liveness_file:LivenessFile")
app.steps["consumer"].add("ck3parse.worker.watchdog:Watchdog")


class ProcessState:
    """What one worker process keeps from task to task.

    Attributes:
        handle: answers one request.
        origin: what its results depend on, without the worker's name.
        expires_s: seconds for which the backend keeps a result, by whether it is transient.
    """

    def __init__(self, settings: Settings) -> None:
        self.handle = request_handler(settings)
        self.origin = settings.origin(parser_in_use().version)
        self.expires_s = {
            True: settings.transient_expires_s,
            False: settings.result_expires_s,
        }
        self._process = process_index()
        # Processes that start together would be replaced together, and the CPUs idle meanwhile.
        early = settings.max_files_per_child // _REPLACEMENT_SLOTS
        self._max_files = settings.max_files_per_child - early * (
            self._process % (_REPLACEMENT_SLOTS // 2)
        )
        self._files_done = 0

    def count(self, results: list[ParseResult]) -> None:
        """Count the results of a batch, and have the process replaced after enough files.

        Celery can count tasks only, and a task has any number of files.
        """
        statistics.counters.add(self._process, results)
        self._files_done += len(results)
        if self._files_done >= self._max_files:
            log.info(
                "process %d has parsed %s: it is replaced",
                os.getpid(),
                counted(self._files_done, "file"),
            )
            leave_after_task()


_state: ProcessState | None = None
_result_store: ResultStore | None = None
_frozen = False


@worker_init.connect
def warn(**_: Any) -> None:
    """Log unknown `CK3PARSE_` variables when a worker starts."""
    warn_of_unknown_variables()


@worker_before_create_process.connect
def _freeze(**_: Any) -> None:
    # Celery collects garbage before each fork, which takes 20 ms with all that a worker imports.
    # `gc.get_freeze_count` would tell whether this was done, and counts for 10 ms.
    global _frozen
    if not _frozen:
        _frozen = True
        # Most runs write an index, for which each process would read the rules and import this.
        rules()
        importlib.import_module("ck3parse.parser.ck3.source")
        gc.freeze()
    gc.enable()


@worker_process_init.connect
def _start_process(**_: Any) -> None:
    # Before the first task, as it would count towards the time limit of a file.
    global _state, _result_store
    settings = read_settings()
    keep_freed_memory()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    _limit_memory(settings.max_address_space_mb * 1024 * 1024)
    _state = ProcessState(settings)
    statistics.counters.start(process_index())
    # Clients of ck3parse send a task again if its result is lost; others wait for ever.
    _result_store = ResultStore(app, _is_transient)


@worker_process_shutdown.connect
def _end_process(**_: Any) -> None:
    if _result_store:
        _result_store.confirm()


def _is_transient() -> bool:
    return (parse_batch.request.headers or {}).get(TRANSIENT_HEADER) is True


def _limit_memory(limit: int) -> None:
    # A file that takes too much memory fails with MemoryError, before the system kills a process.
    if sys.platform == "linux":
        import resource  # which Windows does not have

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class ParseTask(Task):
    """Base class of the task."""

    Request = "ck3parse.worker.request:ParseTaskRequest"
    # Logs and events show the beginning of results that `describe` knows nothing about.
    resultrepr_maxsize = 80


def describe(result: Any) -> str | None:
    """Return how many files a batch had, and how many of them failed, for logs and events.

    Args:
        result: what a task returned.

    Returns:
        Such as `64 files, 2 failed`, or `None` if it is not the result of a batch.
    """
    match result:
        case [{"origin": _}, *_]:
            failed = sum(not each.get("ok") for each in result)
            files = counted(len(result), "file")
            return f"{files}, {failed:,} failed" if failed else files
    return None


describe_results(describe)


# Not shared: other applications of a host program must not get it too.
@app.task(name=TASK_NAME, base=ParseTask, shared=False)
def parse_batch(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parse files or texts.

    Args:
        requests: maps with the fields of `ParseRequest`. The task's `time_limit` is for all of
            them together. Give it the limit of one file: a healthy batch takes milliseconds.

    Returns:
        One map with the fields of `ParseResult` for each request, in the same order. Fields with
        their default value are left out. The first map has the `origin` of all.

    Raises:
        msgspec.ValidationError: a request is not a valid `ParseRequest`.
    """
    state = _state or ProcessState(read_settings())
    wanted = msgspec.convert(requests, list[ParseRequest])
    results = [state.handle(request) for request in wanted]
    if results:
        worker = parse_batch.request.hostname or ""
        asked = {name for request in wanted for name in request.extract}
        known = sorted(filter(is_known, asked))
        results[0].origin = msgspec.structs.replace(state.origin, worker=worker, extractors=known)
    state.count(results)
    expire_next_result(parse_batch, state.expires_s[_is_transient()])
    answer: list[dict[str, Any]] = msgspec.to_builtins(results, builtin_types=(bytes,))
    return answer
