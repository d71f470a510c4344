"""An engine that parses each file in a process of its own, a few of them at a time."""

import logging
import queue
import subprocess
import threading
from time import monotonic

import msgspec

from ck3parse.bridge import subprocess_parser
from ck3parse.bridge.future import deliver
from ck3parse.bridge.protocols import Sink
from ck3parse.bridge.worker_process import WorkerProcess
from ck3parse.config import read_settings
from ck3parse.errors import BrokerError, ErrorType
from ck3parse.messages import ParseRequest, ParseResult

_STOP_LIMIT_S = 3.0
_STOPPED = "the parse pool was shut down"

log = logging.getLogger(__name__)


class Subprocesses:
    """An engine that needs no broker.

    Args:
        workers: number of processes at a time; `None`: as in the settings.

    Attributes:
        workers: as above.
        max_file_bytes: a larger text is not parsed.
        stopped: whether it was closed.

    Raises:
        UsageError: a setting cannot be used.
    """

    def __init__(self, workers: int | None = None) -> None:
        settings = read_settings()
        self.workers = workers or settings.worker_count
        self.max_file_bytes = settings.max_file_bytes
        self.stopped = False
        self._jobs: queue.SimpleQueue[tuple[ParseRequest, Sink] | None] = queue.SimpleQueue()
        self._dropped: set[str] = set()
        self._ids = 0
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._threads = [
            threading.Thread(target=self._run, name="ck3parse", daemon=True)
            for _ in range(self.workers)
        ]
        for thread in self._threads:
            thread.start()

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
        """Accept a request, to be parsed once a process is free.

        Raises:
            BrokerError: it was closed.
        """
        del size, bulk, urgent, keep
        with self._lock:
            if self.stopped:
                raise BrokerError(_STOPPED)
            self._ids += 1
            request_id = f"legacy-{self._ids}:0"
            self._jobs.put((msgspec.structs.replace(request, id=request_id), sink))
        return request_id

    def is_answering(self) -> bool:
        """Return whether the calling thread is one that delivers results."""
        return threading.current_thread() in self._threads

    def flush(self) -> None:
        """Do nothing: there are no batches."""

    def drop(self, request_id: str) -> None:
        """Skip a request that nobody waits for any more."""
        self._dropped.add(request_id)

    def taken(self, request_id: str) -> None:
        """Do nothing: no results are kept."""

    def close(self) -> None:
        """Fail what is still waiting, and end all processes and threads."""
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
            for process in self._processes:
                process.kill()
        for _ in self._threads:
            self._jobs.put(None)
        deadline = monotonic() + _STOP_LIMIT_S
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - monotonic()))

    def worker_list(self) -> list[WorkerProcess]:
        """Return an empty list: each process ends with its file."""
        return []

    def _run(self) -> None:
        while job := self._jobs.get():
            request, sink = job
            if request.id in self._dropped:
                self._dropped.discard(request.id)
                continue
            deliver(sink, self._answer(request))

    def _answer(self, request: ParseRequest) -> ParseResult:
        failed = ParseResult(request.id, request.name)
        try:
            if not self.stopped:
                answer = subprocess_parser.parse(request, self._began, self._ended)
                answer.path = request.name
                if not self.stopped:
                    return answer
            failed.error_type, failed.error = ErrorType.WORKER_UNAVAILABLE, _STOPPED
        except Exception as error:  # the caller that waits needs a result
            log.exception("no subprocess could be run")
            failed.error_type, failed.error = ErrorType.WORKER_CRASHED, str(error)
        return failed

    def _began(self, process: "subprocess.Popen[bytes]") -> None:
        with self._lock:
            self._processes.add(process)
            if self.stopped:
                process.kill()

    def _ended(self, process: "subprocess.Popen[bytes]") -> None:
        with self._lock:
            self._processes.discard(process)
