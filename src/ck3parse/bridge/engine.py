"""The engines of a process: the pipeline, or a new subprocess for each file.

A process has at most one of each, made on first use and closed at exit. After a fork, the child
makes its own.
"""

import atexit
import logging
import os
import threading
from collections.abc import Callable, Mapping

from ck3parse.bridge import forking
from ck3parse.bridge.protocols import Engine, Sink
from ck3parse.bridge.subprocess_engine import Subprocesses
from ck3parse.bridge.worker_process import WorkerProcess
from ck3parse.celery_compat.broker import release_inherited_connections
from ck3parse.config import read_settings, warn_of_unknown_variables
from ck3parse.errors import NoEmbeddedBrokerError
from ck3parse.event_log import event_log
from ck3parse.messages import ParseRequest

log = logging.getLogger(__name__)

SWITCH = "QBUILDER_PERSISTENT_PARSE"
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})


def switched_on(env: Mapping[str, str] = os.environ) -> bool:
    """Return whether `QBUILDER_PERSISTENT_PARSE` switches the pipeline on."""
    return env.get(SWITCH, "").strip().lower() in _ON


def switched_off(env: Mapping[str, str] = os.environ) -> bool:
    """Return whether `QBUILDER_PERSISTENT_PARSE` switches the pipeline off; unset does not."""
    return env.get(SWITCH, "").strip().lower() in _OFF


class Pipeline:
    """An engine that parses through Celery, with the broker of the settings or an embedded one.

    Args:
        workers: number of processes of an embedded worker; `None`: as in the settings.

    Attributes:
        workers: as above.
        max_file_bytes: a larger text is not parsed.

    Raises:
        BrokerError: an embedded broker cannot be started.
        UsageError: a setting cannot be used.
    """

    def __init__(self, workers: int | None = None) -> None:
        # No other thread may fork while this one imports and sets up.
        with forking.held():
            self._make(workers)

    def _make(self, workers: int | None) -> None:
        # Imported here because programs that use subprocesses do not need Celery.
        from ck3parse.bridge.connection import Connector
        from ck3parse.bridge.dispatcher import Dispatcher

        warn_of_unknown_variables()
        settings = read_settings()
        self.workers = workers or settings.worker_count
        self.max_file_bytes = settings.max_file_bytes
        self._connector = Connector(settings, self.workers)
        self._dispatcher = Dispatcher(
            self._connector.connect,
            self._connector.lookup,
            self._connector.give,
            settings.patience_s,
        )
        self._closed = False
        _pipelines.append(self)
        atexit.register(self.close)
        if events := event_log():
            events.write("run_start", worker_id=str(os.getpid()), extra={"workers": self.workers})

    @property
    def stopped(self) -> bool:
        """Whether it was closed or has failed."""
        return self._dispatcher.stopped

    def submit(
        self,
        request: ParseRequest,
        size: int,
        sink: Sink,
        *,
        bulk: bool = False,
        urgent: bool = False,
        keep: bool = False,
    ) -> str:
        """Accept a request; see `Dispatcher.submit`."""
        return self._dispatcher.submit(request, size, sink, bulk=bulk, urgent=urgent, keep=keep)

    def is_answering(self) -> bool:
        """Return whether the calling thread is the one that delivers results."""
        return self._dispatcher.is_answering()

    def flush(self) -> None:
        """Send all open batches at once."""
        self._dispatcher.flush()

    def drop(self, request_id: str) -> None:
        """Withdraw a request that nobody waits for any more."""
        self._dispatcher.drop(request_id)

    def taken(self, request_id: str) -> None:
        """Note that the result of a request was delivered."""
        self._dispatcher.taken(request_id)

    def seek(self, future_id: str, sink: Sink, limit_s: float) -> Callable[[], None]:
        """Look for the result of a future of any process; see `Dispatcher.seek`."""
        return self._dispatcher.seek(future_id, sink, limit_s)

    def close(self) -> None:
        """Fail what is still waiting, and stop the embedded broker."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._connector.closing()
        self._dispatcher.stop("the parse pool was shut down")
        self._connector.close()
        _pipelines.remove(self)
        if events := event_log():
            events.write("run_complete", worker_id=str(os.getpid()))

    def forked(self) -> None:
        """Become unusable in a forked child: everything belongs to the parent."""
        self._closed = True
        atexit.unregister(self.close)
        self._dispatcher.forked()

    def worker_list(self) -> list[WorkerProcess]:
        """Return all worker processes."""
        with forking.held():
            return self._connector.worker_list()


_lock = threading.Lock()
_pipeline: Pipeline | None = None
_subprocesses: Subprocesses | None = None
_pipelines: list[Pipeline] = []
_of_parent: list[Pipeline] = []
"""In a forked child: pipelines of the parent, kept so that the child does not finalize them."""
_warned = False
"""Whether it was logged that no pipeline is possible here."""


def engine() -> Engine:
    """Return this process's engine, made on first use.

    It is the pipeline, unless that is switched off, or no broker is configured and no embedded one
    can run here.

    Raises:
        BrokerError: an embedded broker cannot be started.
        UsageError: a setting cannot be used.
    """
    return _engine(Pipeline)


def new_engine(workers: int) -> Engine:
    """Return a new engine; the caller closes it.

    Args:
        workers: number of worker processes, if it starts them.

    Raises:
        BrokerError: as for `engine`.
        UsageError: as for `engine`.
    """
    return _where_possible(lambda: Pipeline(workers)) or Subprocesses(workers)


def shared_engine(workers: int) -> Engine:
    """Return this process's engine, made on first use with this number of worker processes."""
    return _engine(lambda: Pipeline(workers))


def pipeline() -> Pipeline:
    """Return this process's pipeline, made on first use.

    Raises:
        BrokerError: as for `engine`.
        UsageError: as for `engine`.
    """
    with _lock:
        return _shared_pipeline(Pipeline)


def running_pipeline() -> Pipeline | None:
    """Return this process's pipeline, if it has one."""
    with _lock:
        return None if _pipeline is None or _pipeline.stopped else _pipeline


def shut_down() -> None:
    """Close this process's engines, if there are any; the next use makes new ones."""
    global _pipeline, _subprocesses
    with _lock:
        for running in (_pipeline, _subprocesses):
            if running:
                running.close()
        _pipeline = _subprocesses = None


def _engine(make: Callable[[], Pipeline]) -> Engine:
    global _subprocesses
    with _lock:
        if pipeline := _where_possible(lambda: _shared_pipeline(make)):
            return pipeline
        if _subprocesses is None:
            _subprocesses = Subprocesses()
        return _subprocesses


def _where_possible(make: Callable[[], Pipeline]) -> Pipeline | None:
    """Return the pipeline, or `None` if it is switched off or not possible here."""
    global _warned
    if switched_off():
        return None
    try:
        return make()
    except NoEmbeddedBrokerError as error:
        if not _warned:
            _warned = True
            log.warning("%s. Until then each file is parsed in a slow process of its own", error)
        return None


def _shared_pipeline(make: Callable[[], Pipeline]) -> Pipeline:
    global _pipeline
    if _pipeline is None or _pipeline.stopped:
        if _pipeline:
            _pipeline.close()
            _pipeline = None
        _pipeline = make()
    return _pipeline


def _after_fork() -> None:
    global _lock, _pipeline, _subprocesses, _pipelines
    _lock = threading.Lock()
    if _pipelines:
        release_inherited_connections()
    for inherited in _pipelines:
        inherited.forked()
    _of_parent.extend(_pipelines)
    _pipelines, _pipeline, _subprocesses = [], None, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
