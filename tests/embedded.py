"""The processes of embedded brokers, and clients."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from celery import Celery

from ck3parse.config import QUEUE_BULK, Settings
from ck3parse.messaging.app import TASK_NAME, make_app
from polling import wait_until

START_LIMIT_S = 30.0
ANSWER_LIMIT_S = 30.0


def directory_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path)).parent


def processes_of(directory: Path) -> dict[int, str]:
    """Return the command lines of all processes that contain the directory, by process id.

    These are the supervisor, the server, the worker and its children.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if os.fsencode(directory) in command:
                    found[int(entry.name)] = os.fsdecode(command.replace(b"\0", b" "))
    return found


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def children_of(parent: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if parent_of(int(entry.name)) == parent:
                    found.add(int(entry.name))
    return found


def broker_directory(owner: int) -> Path:
    """Return the directory of the embedded broker of a process."""
    for child in children_of(owner):
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if match := re.search(rb"\0([^\0]*/ck3parse-[^/\0]+)\0", command):
            return Path(os.fsdecode(match[1]))
    raise AssertionError("no embedded broker")


class Family:
    """The processes of a running embedded broker, by their roles."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        processes = processes_of(directory)
        (self.supervisor,) = (pid for pid, line in processes.items() if "supervisor.main" in line)
        (self.server,) = (
            pid
            for pid, line in processes.items()
            if "valkey-server" in line and pid != self.supervisor
        )
        workers = [pid for pid in processes if pid not in (self.supervisor, self.server)]
        (self.worker,) = (pid for pid in workers if parent_of(pid) == self.supervisor)
        self.children = [pid for pid in workers if pid != self.worker]


def wait_until_gone(directory: Path, deadline_s: float = 15.0) -> None:
    wait_until(lambda: not processes_of(directory), deadline_s, "all processes are gone")
    wait_until(lambda: not directory.exists(), deadline_s, "the directory is gone")


@contextlib.contextmanager
def client(url: str) -> Iterator[Celery]:
    app = make_app(Settings(broker_url=url, result_backend=url))
    try:
        yield app
    finally:
        app.backend.client.close()
        app.close()


def send(app: Celery, request: dict[str, Any]) -> Any:
    return app.send_task(TASK_NAME, args=([{"id": "1", **request}],), queue=QUEUE_BULK)


def parse(url: str, **request: Any) -> dict[str, Any]:
    """Have a file or text parsed, and return the answer."""
    with client(url) as app:
        reply = send(app, request)
        ((answer),) = reply.get(timeout=ANSWER_LIMIT_S)
        reply.forget()
    assert isinstance(answer, dict)
    return answer


def hang_a_child(app: Celery, path: Path) -> None:
    """Send a file that hangs, and wait until a worker process has started it."""
    send(app, {"path": str(path)})
    wait_until(
        lambda: any((app.control.inspect(timeout=0.2).active() or {}).values()),
        ANSWER_LIMIT_S,
        "a child has the task in hand",
    )


def tasks_done(url: str) -> int:
    """Return the number of parse tasks that the only worker has finished."""
    with client(url) as app:
        (stats,) = app.control.inspect(timeout=1).stats().values()
    count: int = stats["total"].get(TASK_NAME, 0)
    return count


def have_it_stand_still(app: Celery, command: str = "stand_still") -> None:
    """Block the event loop of the only worker, whose parser is `faulty`, now or at its end."""
    asked = app.control.inspect(timeout=START_LIMIT_S, limit=1)
    assert asked._request("ck3parse_version")
    app.control.broadcast(command)


def die_together(family: Family) -> None:
    """Kill server and worker so that their supervisor notices both deaths at the same time."""
    os.kill(family.supervisor, signal.SIGSTOP)
    for pid in (family.server, family.worker):
        os.kill(pid, signal.SIGKILL)
    os.kill(family.supervisor, signal.SIGCONT)
