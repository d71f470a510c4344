"""Issue 19, line 32: the number of processes depends on the CPUs that this process may use."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from embedded import client
from services import worker

_CGROUPS = Path("/sys/fs/cgroup")
_COUNT = "from ck3parse.config import Settings; print(Settings().worker_count)"
_OS_CPUS = os.cpu_count() or 1


def counted(**options: Any) -> int:
    """Return the number of processes that a worker would have, computed in another process."""
    return int(subprocess.check_output([sys.executable, "-c", _COUNT], **options))


def one_cpu() -> Callable[[], None]:
    first = min(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {first})


@contextmanager
def cgroup(cpus: float) -> Iterator[Callable[[], None]]:
    """Create a cgroup with a quota, and return a function with which a new process enters it."""
    version_1 = _CGROUPS / "cpu"
    folder = (version_1 if version_1.is_dir() else _CGROUPS) / f"ck3parse-test-{os.getpid()}"
    quota = str(round(cpus * 100_000))
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        try:
            if version_1.is_dir():
                (folder / "cpu.cfs_period_us").write_text("100000")
                (folder / "cpu.cfs_quota_us").write_text(quota)
            else:
                (folder / "cpu.max").write_text(f"{quota} 100000")
        except OSError as error:
            pytest.skip(f"no cgroup here can have a quota: {error}")

        def enter() -> None:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

        yield enter
    finally:
        folder.rmdir()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
@pytest.mark.skipif(_OS_CPUS < 2, reason="the machine has one CPU")
def test_an_affinity_for_one_cpu_makes_two_processes(broker: str, tmp_path: Path) -> None:
    assert counted(preexec_fn=one_cpu()) == 2
    before = os.sched_getaffinity(0)
    one_cpu()()
    try:
        # Celery itself would count the machine's.
        with worker(broker, cwd=tmp_path, processes=None) as process, client(broker) as app:
            assert process.poll() is None
            (stats,) = app.control.inspect(timeout=10, limit=1).stats().values()
    finally:
        os.sched_setaffinity(0, before)
    assert stats["pool"]["max-concurrency"] == 2


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(_OS_CPUS < 2, reason="the machine has one CPU")
@pytest.mark.parametrize(("cpus", "processes"), [(0.5, 2), (1, 2), (1.5, 3)])
def test_a_cgroup_s_quota_counts(cpus: float, processes: int) -> None:
    with cgroup(cpus) as enter:
        assert counted(preexec_fn=enter) == processes
