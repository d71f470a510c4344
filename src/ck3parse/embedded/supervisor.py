"""The process that starts the embedded server and worker, and ends them with its owner.

The owner starts it in a separate session, so that Ctrl-C in a terminal reaches the owner only. It
imports little of the standard library, and nothing else, to start server and worker within 15 ms.
Its descriptors:

- 0, a pipe that reaches its end when the owner closes it or dies in any way;
- 1, a pipe for reports to the owner, one line each: a word, a tab, a text with escaped newlines.

The reports are `started` (`server` or `worker`, and its process id), `ready` (the worker takes
tasks), `again` (what died and was started again, one line each) and `failed` (why all has ended).
"""

import os
import select
import sys
from time import monotonic, sleep

READY_FD = 3
"""Descriptor to which the worker writes a byte once it takes tasks."""
PROMPT_STARTS = 3
RECENT_S = 60.0
"""The first `PROMPT_STARTS` deaths in this period lead to a start at once, others to a pause."""
FIRST_PAUSE_S = 0.5
LAST_PAUSE_S = 10.0
"""The pause doubles from death to death, up to this."""
KEPT_OUTPUT_BYTES = 2048
"""How much of a program's last output is kept, to report it if the program dies."""

_OWNER_CHECK_INTERVAL_MS = 500
_END_LIMIT_S = 1.0
_LOOK_INTERVAL_S = 0.001
_SIGKILL = 9
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Program:
    """The server or the worker: its command, its process and its last output.

    Args:
        name: its name in reports.
        argv: the command; the first item is the path of the program.
    """

    def __init__(self, name: str, argv: list[str]) -> None:
        self.name = name
        self.ready = False
        self.pid = 0
        self.output_fd = self.ready_fd = -1
        self._argv = argv
        self._kept_output = b""

    def start(self) -> None:
        """Start it in a new process group, with pipes for its output and its readiness."""
        self.ready = False
        self._kept_output = b""
        for fd in (self.output_fd, self.ready_fd):
            if fd >= 0:
                os.close(fd)
        self.output_fd, output = os.pipe()
        self.ready_fd, ready = os.pipe()
        os.set_blocking(self.output_fd, False)
        supervisor = os.getpid()
        self.pid = os.fork()
        if self.pid:
            _make_group(self.pid)
        else:
            try:
                self._execute(supervisor, output, ready)
            except OSError as error:
                os.write(2, f"{self._argv[0]}: {error}\n".encode(errors="replace"))
            finally:
                os._exit(127)
        os.close(output)
        os.close(ready)

    def _execute(self, supervisor: int, output: int, ready: int) -> None:
        os.dup2(output, 1)
        os.dup2(output, 2)
        _make_group(0)
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        if os.getppid() != supervisor:  # it died before the line above
            os._exit(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(ready, READY_FD)
        os.set_inheritable(READY_FD, True)
        os.execv(self._argv[0], self._argv)  # noqa: S606 - a shell is the last thing it needs

    def take_output(self) -> bytes:
        """Return what the program has written since the last call."""
        if self.output_fd < 0:
            return b""
        try:
            output = os.read(self.output_fd, 65536)
        except BlockingIOError:
            return b""
        if not output:
            os.close(self.output_fd)
            self.output_fd = -1
        self._kept_output = (self._kept_output + output)[-KEPT_OUTPUT_BYTES:]
        return output

    def kill(self) -> None:
        """Kill the program and its children."""
        if self.pid:
            kill_group(self.pid)

    def cause_of_death(self, status: int) -> str:
        """Return how the program ended, and its last output, as a clause that starts with `its`."""
        self.kill()
        self.pid = 0
        while self.take_output():
            pass
        code = os.waitstatus_to_exitcode(status)
        how = ending(code)
        if self.name == "worker" and not self.ready and code >= 0:
            how = f"cannot start: it {how}"
        output = self._kept_output.decode(errors="replace").strip()
        lines = "".join(f"\n  {line}" for line in output.splitlines()[-12:])
        return f"its {self.name} {how}{lines and '; its last output:'}{lines}"


class Failure(Exception):  # noqa: N818 - it ends the process, and has no caller
    """The server or the worker has died, and is not started again."""


class Supervisor:
    """Starts the server and the worker, watches them, and ends them with their owner.

    Args:
        owner_pid: the process that holds the other ends of the pipes.
        server: the broker.
        worker: the worker that uses it.
        keep: whether to start server and worker again when they die.
        log_fd: descriptor to which the worker's output is copied, or -1.
    """

    def __init__(
        self, owner_pid: int, server: Program, worker: Program, *, keep: bool, log_fd: int
    ) -> None:
        self._owner_pid = owner_pid
        self._server = server
        self._worker = worker
        self._keep = keep
        self._log_fd = log_fd
        self._wake_fd, self._wake_write_fd = os.pipe()
        self._deaths: list[float] = []
        """Times of the deaths of the last minute."""
        self._deaths_to_report: list[str] = []
        """What died and was not started again yet."""
        self._start_at = 0.0
        self._was_up = False
        self._ended = False

    def run(self) -> None:
        """Supervise until the owner closes its pipe or is gone.

        Raises:
            Failure: the server or the worker died, and is not to be started again.
        """
        # The children of a killed worker become this process's, which can then wait for their end.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        # Both at once: the server is up long before the worker has imported what it needs.
        self._start(self._server)
        self._start(self._worker)
        self._watch_for_signals()
        self._reap()
        while not self._ended and os.getppid() == self._owner_pid:
            self._wait()

    def end(self) -> None:
        """Kill everything that was started, and wait for its end, for a second at most."""
        deadline = monotonic() + _END_LIMIT_S
        while monotonic() < deadline:
            self._worker.kill()
            self._server.kill()
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                sleep(_LOOK_INTERVAL_S)

    def _start(self, program: Program) -> None:
        program.start()
        report("started", f"{program.name} {program.pid}")

    def _watch_for_signals(self) -> None:
        # Imported late, so that server and worker start earlier.
        import signal

        def end(signum: int, frame: object) -> None:
            del signum, frame
            self._ended = True

        os.set_blocking(self._wake_fd, False)
        os.set_blocking(self._wake_write_fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ending in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            # A signal that the owner ignores, as after `nohup`, stays ignored.
            if signal.getsignal(ending) != signal.SIG_IGN:
                signal.signal(ending, end)
        signal.set_wakeup_fd(self._wake_write_fd, warn_on_full_buffer=False)

    def _wait(self) -> None:
        """Wait for one event, and handle it."""
        watched = select.poll()
        watched.register(0, select.POLLIN)
        watched.register(self._wake_fd, select.POLLIN)
        for program in (self._server, self._worker):
            if program.output_fd >= 0:
                watched.register(program.output_fd, select.POLLIN)
        if self._worker.pid and not self._worker.ready:
            watched.register(self._worker.ready_fd, select.POLLIN)
        timeout_ms = _OWNER_CHECK_INTERVAL_MS
        if self._deaths_to_report:
            timeout_ms = min(timeout_ms, max(0, int((self._start_at - monotonic()) * 1000) + 1))
        happened = {fd for fd, _ in watched.poll(timeout_ms)}
        if 0 in happened and not os.read(0, 1):
            self._ended = True
            return
        self._server.take_output()
        self._log(self._worker.take_output())
        if self._worker.ready_fd in happened and os.read(self._worker.ready_fd, 1):
            self._worker.ready = self._was_up = True
            report("ready", "")
        if self._wake_fd in happened:
            os.read(self._wake_fd, 4096)
            self._reap()
        if self._deaths_to_report and monotonic() >= self._start_at:
            self._start_again()

    def _reap(self) -> None:
        died = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for program in (self._server, self._worker):
                if pid == program.pid:
                    self._deaths_to_report.append(program.cause_of_death(status))
                    died = True
        if died:
            self._plan_to_start_again()

    def _plan_to_start_again(self) -> None:
        # A worker that was never ready would not be ready the next time.
        if not self._keep or not self._was_up:
            raise Failure(self._deaths_to_report[0])
        now = monotonic()
        self._deaths = [t for t in self._deaths if t > now - RECENT_S]
        self._deaths.append(now)
        # A new server does not know the tasks of an old worker.
        if not self._server.pid:
            self._worker.kill()
            self._worker.pid = 0
        self._start_at = now + pause_s(len(self._deaths))

    def _start_again(self) -> None:
        for program in (self._server, self._worker):
            if not program.pid:
                self._start(program)
        report("again", "\n".join(self._deaths_to_report))
        self._deaths_to_report.clear()

    def _log(self, output: bytes) -> None:
        if not output or self._log_fd < 0:
            return
        # Output that cannot be written at once is dropped: a stopped terminal must not stop this.
        for start in range(0, len(output), select.PIPE_BUF):
            if not select.select([], [self._log_fd], [], 0)[1]:
                return
            try:
                os.write(self._log_fd, output[start : start + select.PIPE_BUF])
            except OSError:  # the terminal is gone, or the disk is full
                return


def pause_s(deaths: int) -> float:
    """Return how many seconds to wait before starting again what died.

    Args:
        deaths: how many deaths there were in the last `RECENT_S` seconds.
    """
    if deaths <= PROMPT_STARTS:
        return 0.0
    return float(min(FIRST_PAUSE_S * 2 ** (deaths - PROMPT_STARTS - 1), LAST_PAUSE_S))


def report(word: str, text: str) -> None:
    """Send a report to the owner."""
    try:
        os.write(1, f"{word}\t".encode() + text.encode("unicode_escape") + b"\n")
    except OSError:
        return  # the owner no longer listens


def ending(code: int) -> str:
    """Return how a process ended, by its exit code or the negative number of its signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    from signal import Signals

    name = next((known.name for known in Signals if known == -code), f"signal {-code}")
    return f"was killed by {name}"


def kill_group(leader: int) -> None:
    """Kill what is left of a process group, by the id of its first process."""
    try:
        os.killpg(leader, _SIGKILL)
    except OSError:
        return


def _make_group(pid: int) -> None:
    """Make a process lead a new group. It and its parent both do, so that neither has to wait."""
    try:
        os.setpgid(pid, pid)
    except OSError:
        return  # the other one was first, or the process has ended


def _prctl(option: int, value: int) -> None:
    """Set an option of this process, on Linux only."""
    if sys.platform == "linux":
        try:
            import ctypes

            ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value))
        except (ImportError, OSError, AttributeError):
            return


def _remove(directory: str) -> None:
    """Remove the private directory. `shutil.rmtree` would take long to import."""
    try:
        for folder, folders, files in os.walk(directory, topdown=False):
            for name in files:
                os.unlink(os.path.join(folder, name))
            for name in folders:
                os.rmdir(os.path.join(folder, name))
        os.rmdir(directory)
    except OSError:
        return


def main() -> None:
    """Run; the arguments are `DIRECTORY OWNER_PID KEEP LOG_FD -- SERVER... -- WORKER...`."""
    directory, owner_pid, keep, log_fd, _, *programs = sys.argv[1:]
    cut = programs.index("--")
    os.set_blocking(1, False)
    supervisor = Supervisor(
        int(owner_pid),
        Program("server", programs[:cut]),
        Program("worker", programs[cut + 1 :]),
        keep=keep == "keep",
        log_fd=int(log_fd),
    )
    try:
        supervisor.run()
    except Failure as failure:
        report("failed", str(failure))
    except Exception as error:  # noqa: BLE001 - it is reported to the owner
        report("failed", f"its supervisor met a bug: {type(error).__name__}: {error}")
    finally:
        supervisor.end()
        _remove(directory)
        os._exit(0)
