"""The supervisor of an embedded broker, with programs that only sleep."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from ck3parse.embedded.supervisor import Program, Supervisor
from polling import wait_until

DEATH_LIMIT_S = 10.0


@pytest.fixture
def programs() -> Iterator[tuple[Program, Program]]:
    """A server and a worker. If both are dead, the system reports the older one first."""
    sleep = shutil.which("sleep")
    assert sleep
    worker, server = Program("worker", [sleep, "600"]), Program("server", [sleep, "600"])
    worker.start()
    server.start()
    yield server, worker
    for program in (server, worker):
        if pid := program.pid:
            program.kill()
            os.waitpid(pid, 0)
        for fd in (program.output_fd, program.ready_fd):
            if fd >= 0:
                os.close(fd)


def test_of_two_that_died_in_one_round_both_are_started_again(
    programs: tuple[Program, Program],
) -> None:
    """Issue 19, line 23: only the worker was restarted, and waited forever."""
    server, worker = programs
    supervisor = Supervisor(os.getppid(), server, worker, keep=True, log_fd=-1)
    supervisor._was_up = True
    before = {server.pid, worker.pid}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _is_dead(pid), DEATH_LIMIT_S, "it is dead")  # noqa: B023
    supervisor._reap()
    supervisor._start_again()
    assert before.isdisjoint({server.pid, worker.pid})
    for program in programs:
        os.kill(program.pid, 0)
    os.close(supervisor._wake_fd)
    os.close(supervisor._wake_write_fd)


def _is_dead(pid: int) -> bool:
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, pid, flags) is not None
