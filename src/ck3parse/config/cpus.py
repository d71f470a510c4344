"""The number of CPUs that this process may use, by its affinity and the quotas of its cgroups."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use, at least 1.

    A quota is rounded up: `docker run --cpus 1.5` counts as 2 CPUs.
    """
    return max(1, min([_affinity(), *map(math.ceil, _quotas())]))


def _affinity() -> int:
    if hasattr(os, "process_cpu_count"):  # new in Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas() -> Iterator[float]:
    """Yield the quotas in CPUs of this process's cgroups and their parents."""
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
            # `cpu` is a link if several controllers are mounted together.
            for folder in _upwards(_CGROUPS / "cpu", path):
                quota, period = folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"
                yield from _quota(_words(quota) + _words(period))


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    # In a container, the path may be the host's, of which only the end is mounted: folders that do
    # not exist have no quota, and the files in the mount itself are the container's.
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
    # Without a quota, the word is `max` in version 2, and -1 in version 1.
    if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
        yield int(words[0]) / int(words[1])
