"""Memory and processor time of a command and all processes below it, by kind of process.

A run has a client, which starts a supervisor, which starts the broker's server and the worker,
which forks its processes. The totals that the system keeps do not tell these apart, and worker
processes are replaced during a run. So this module samples them several times a second.
"""

import os
import subprocess
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    # At run time only where it is needed: nothing else than `bench` uses it.
    import psutil

SAMPLE_INTERVAL_S = 0.05
_KINDS = ("client", "supervisor", "worker", "children")
"""Kinds of processes by their depth below the command; deeper ones are children too."""
_SERVERS = frozenset({"valkey-server", "redis-server"})


class Use(msgspec.Struct):
    """What the processes of one kind used.

    Attributes:
        peak_mb: the largest resident memory that one of them had, in units of 10^6 bytes.
        cpu_s: processor seconds of all of them together, up to the last sample of each.
    """

    peak_mb: float = 0.0
    cpu_s: float = 0.0


class Ran(NamedTuple):
    """A command that has ended.

    Attributes:
        code: its exit code.
        out: its standard output.
        err: its standard error.
        seconds: from start to end.
        uses: by kind: `client`, `supervisor`, `broker`, `worker` and `children`.
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
    """Run a command to its end, and sample its processes.

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
            while not ended.wait(SAMPLE_INTERVAL_S):
                for pid, now in _sample(process.pid).items():
                    before = seen.get(pid, now)
                    # A worker process that outlives its worker becomes the supervisor's child.
                    kind = before.kind if before.kind == "children" else now.kind
                    # A process that has ended and is not reaped yet has no memory.
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


def _sample(root: int) -> dict[int, _Seen]:
    """Return what a process and those below it have used so far, by process id."""
    import psutil

    found: dict[int, _Seen] = {}
    depths: dict[int, int] = {}
    with suppress(psutil.Error):
        top = psutil.Process(root)
        # Parents come before their children.
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.Error, KeyError), process.oneshot():
                depth = depths[process.ppid()] + 1 if process.pid != root else 0
                depths[process.pid] = depth
                kind = _KINDS[min(depth, len(_KINDS) - 1)]
                if process.name().removesuffix(".exe") in _SERVERS:
                    kind = "broker"
                cpu = process.cpu_times()
                found[process.pid] = _Seen(kind, _peak_mb(process), cpu.user + cpu.system)
    return found


def own_peak_mb() -> float:
    """Return the largest resident memory of this process so far, in units of 10^6 bytes."""
    # Importing psutil would add to the figure.
    if (peak_mb := _linux_peak_mb(os.getpid())) is not None:
        return peak_mb
    import psutil

    return _peak_mb(psutil.Process())


def _peak_mb(process: "psutil.Process") -> float:
    if (peak_mb := _linux_peak_mb(process.pid)) is not None:
        return peak_mb
    memory = process.memory_info()
    peak: int = getattr(memory, "peak_wset", memory.rss)  # the peak, or on macOS what it is now
    return peak / 1e6


def _linux_peak_mb(pid: int) -> float | None:
    """Return the peak that psutil does not have on Linux, or `None`."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return None
