"""A long run with one bad file in a hundred, in which memory must not grow."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import linear_regression, mean
from time import monotonic

import pytest

from embedded import Family, broker_directory
from reliability import Case
from trial import Trial, recorded

FILES = int(os.environ.get("SOAK_FILES", "200000"))
END_LIMIT_S = 3600.0
SAMPLE_INTERVAL_S = 1.0
MAX_GROWTH_MB = 30.0
"""Between the second and the last quarter of the run."""
KINDS = {
    "fault = hang": "ParseTimeout",
    "fault = hang_in_c": "ParseTimeout",
    "fault = segfault": "WorkerCrashed",
    "fault = kill": "WorkerCrashed",
    "fault = abort": "WorkerCrashed",
    "fault = exit": "WorkerCrashed",
    "fault = sys_exit": "WorkerCrashed",
    "fault = bug": "InternalError",
    "fault = memory": "MemoryError",
    "a = {": "ParseError",
}


def resident_mb(pid: int) -> float:
    """Return the private memory of a process; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


class Memory:
    """Samples of a run's memory in MB, for each of its processes."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.samples: dict[str, list[float]] = {"client": [], "largest process": [], "broker": []}

    def take(self, client: int) -> None:
        try:
            family = Family(broker_directory(client))
        except (AssertionError, ValueError, OSError):  # one of them is just starting
            return
        self.times.append(monotonic())
        self.samples["client"].append(resident_mb(client))
        self.samples["largest process"].append(max(map(resident_mb, family.children), default=0))
        self.samples["broker"].append(resident_mb(family.server))

    def growth(self, whose: str) -> float:
        """Return the growth from the second to the last quarter in MB."""
        samples = self.samples[whose]
        quarter = len(samples) // 4
        return mean(samples[-quarter:]) - mean(samples[quarter : 2 * quarter])

    def told(self) -> str:
        parts = []
        for whose, samples in self.samples.items():
            half = len(samples) // 2
            slope = linear_regression(self.times[half:], samples[half:]).slope * 60
            parts.append(f"{whose} {max(samples):.0f} MB at most, {slope:+.2f} MB/min")
        return "; ".join(parts)


@contextlib.contextmanager
def sampled(client: int) -> Iterator[Memory]:
    memory = Memory()
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(SAMPLE_INTERVAL_S):
            memory.take(client)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


@pytest.mark.soak
@pytest.mark.timeout(2 * END_LIMIT_S)
def test_all_results_and_no_growth(tmp_path: Path, case: Case) -> None:
    case.of("soak", f"{FILES:,} files, nearly all sent as tasks of their own, as neighbours fail")
    mod = tmp_path / "mod"
    expected: dict[str, str] = {}
    for number in range(FILES):
        folder = mod / f"d{number // 1000:03}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        name = f"f{number:06}.txt"
        text = f"key_{number} = {{ a = {number} }}"
        if number % 100 == 50:
            fault, kind = list(KINDS.items())[number // 100 % len(KINDS)]
            text, expected[name] = f"{fault} # {number}", kind
        # Bad and good ones have sizes alike, as those of a size travel together.
        (folder / name).write_text(f"{text} # ".ljust(60 + number // 100 % 500, "."))
    with Trial(tmp_path, mod, timeout_ms=500) as trial, sampled(trial.process.pid) as memory:
        report = trial.end(END_LIMIT_S, code=1)
    print(memory.told())  # noqa: T201 - what the run is for
    told = {os.path.basename(f["path"]): f["error_type"] for f in report["failures"]}
    assert told == expected
    assert report["files"] == recorded(trial.store) == FILES
    assert report["parsed"] == FILES - len(expected)
    case.did(report, trial.seconds, memory.told())
    for whose in memory.samples:
        assert memory.growth(whose) < MAX_GROWTH_MB, memory.told()
