"""How many CPUs this process may use: those of its affinity, within the quota of its cgroups."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cpus() -> int:
    """Return how many CPUs this process may use, one at least.

    A quota of one and a half CPUs, as `docker run --cpus 1.5` sets it, counts as two.
    """
    return max(1, min([_affinity(), *map(math.ceil, _quotas())]))


def _affinity() -> int:
    if hasattr(os, "process_cpu_count"):  # new in Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas() -> Iterator[float]:
    """Yield, in CPUs, each quota that is set for a cgroup of this process or one above it."""
    try:
        lines = _OWN_CGROUPS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            for folder in _upwards(_CGROUPS, path):
                yield from _quota(_words(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            # `cpu` is a link where several controllers are mounted together.
            for folder in _upwards(_CGROUPS / "cpu", path):
                quota, period = folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"
                yield from _quota(_words(quota) + _words(period))


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    # In a container the path may be the host's, of which nothing but the end is mounted: what is
    # not there has no quota, and the mount's own files are those of the container.
    folder = mount / path.lstrip("/")
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _words(file: Path) -> list[str]:
    try:
        return file.read_text("ascii").split()
    except (OSError, ValueError):
        return []


def _quota(words: list[str]) -> Iterator[float]:
    # No quota is the word `max` in version 2, and -1 in version 1.
    if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
        yield int(words[0]) / int(words[1])
