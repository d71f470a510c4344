"""Memory and processor time of a command and all that it starts, looked at from outside.

A run has a client, which starts a supervisor, which starts the broker's server and the worker,
which forks its processes. The system's own sums do not tell them apart, and worker processes are
replaced while a run goes on; so they are looked at several times a second, which costs a
thousandth of a core. Linux only: elsewhere nothing is found.
"""

import os
import subprocess
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import msgspec

LOOK_INTERVAL_S = 0.05
_CHILD_DEPTH = 3
"""Client, supervisor, worker, worker process."""
_SERVERS = frozenset({"valkey-server", "redis-server"})


class Use(msgspec.Struct):
    """What processes of one kind used.

    Attributes:
        peak_mb: the most that one of them had resident, in units of 10^6 bytes.
        cpu_s: processor seconds of all of them together, of what was seen before they ended.
    """

    peak_mb: float = 0.0
    cpu_s: float = 0.0


class Ran(NamedTuple):
    """A command that has ended.

    Attributes:
        code: its exit code.
        out: its standard output.
        err: its messages.
        seconds: from start to end.
        uses: by kind: `client`, `supervisor`, `broker`, `worker` and `children`; empty where the
            system does not tell.
    """

    code: int
    out: bytes
    err: bytes
    seconds: float
    uses: dict[str, Use]


class _Seen(NamedTuple):
    kind: str
    peak_mb: float
    cpu_s: float


def run_watched(command: Sequence[str], *, given: bytes = b"") -> Ran:
    """Run a command to its end and watch the processes of it.

    Args:
        command: program and arguments.
        given: its standard input.
    """
    seen: dict[int, _Seen] = {}
    ended = threading.Event()
    began = perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:

        def watch() -> None:
            while not ended.wait(LOOK_INTERVAL_S):
                for pid, now in _look(process.pid).items():
                    before = seen.get(pid, now)
                    # At the end a worker process can outlive its worker, and is the supervisor's.
                    kind = before.kind if before.kind == "children" else now.kind
                    # One that has ended and is not reaped has no memory any more.
                    peak_mb = max(now.peak_mb, before.peak_mb)
                    seen[pid] = now._replace(kind=kind, peak_mb=peak_mb)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            out, err = process.communicate(given)
        except BaseException:
            process.kill()
            raise
        finally:
            seconds = perf_counter() - began
            ended.set()
            watching.join()
    uses: defaultdict[str, Use] = defaultdict(Use)
    for one in seen.values():
        use = uses[one.kind]
        use.peak_mb = max(use.peak_mb, one.peak_mb)
        use.cpu_s += one.cpu_s
    return Ran(process.returncode, out, err, seconds, dict(uses))


def _look(root: int) -> dict[int, _Seen]:
    """Return what a process and those below it have used so far, by process id."""
    parents: dict[int, tuple[int, str, float]] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit() and (stat := _stat(name)):
                parents[int(name)] = stat
    found = {}
    for pid, (_, program, cpu_s) in parents.items():
        depth = _depth(pid, root, parents)
        if depth is None:
            continue
        if program in _SERVERS:
            kind = "broker"
        else:
            kind = ("client", "supervisor", "worker", "children")[min(depth, _CHILD_DEPTH)]
        found[pid] = _Seen(kind, peak_mb_of(pid), cpu_s)
    return found


def _depth(pid: int, root: int, parents: dict[int, tuple[int, str, float]]) -> int | None:
    depth = 0
    while pid != root:
        if pid not in parents:
            return None
        pid = parents[pid][0]
        depth += 1
    return depth


def _stat(pid: str) -> tuple[int, str, float] | None:
    """Return a process's parent, its program's name and the processor seconds it has used."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    ticks = int(fields[11]) + int(fields[12])
    return int(fields[1]), head.partition("(")[2], ticks / os.sysconf("SC_CLK_TCK")


def peak_mb_of(pid: int) -> float:
    """Return the most memory that a process had resident, in units of 10^6 bytes; 0 if unknown."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
