"""How the benchmark of a distant farm splits a run into phases."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from distance import phases


def test_a_run_is_split_where_processes_begin_and_end(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.slept").write_text(f"102 105\n105 {108 if number else 109}\n")
    ramp, steady, tail = phases(tmp_path, 100.0, 110.0, 10)
    assert tuple(ramp) == ("ramp-up", 2.0, 0.0)
    assert tuple(steady) == ("steady", 6.0, 1.0)
    assert tail[:2] == ("tail", 2.0)
    assert tail.efficiency == pytest.approx(0.05)


def test_a_process_that_never_begins_is_idle(tmp_path: Path) -> None:
    (tmp_path / "1.slept").write_text("100 110\n")
    assert tuple(phases(tmp_path, 100.0, 110.0, 2)[0]) == ("ramp-up", 10.0, 0.5)
