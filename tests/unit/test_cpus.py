"""Issue 19, line 32."""

from pathlib import Path

import pytest

from ck3parse.config import cpus


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/a", {"a/cpu.max": "1600000 100000"}, 8),
        ("4:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        (
            "3:memory:/\n4:cpuacct,cpu:/docker/0123",
            {"cpu/cpu.cfs_quota_us": "10000", "cpu/cpu.cfs_period_us": "100000"},
            1,
        ),
        ("2:cpuacct:/\n3:cpuset:/", {"cpu/cpu.cfs_quota_us": "100000"}, 8),
        ("0::/", {"cpu.max": "nonsense\n"}, 8),
        ("0::/", {"cpu.max": "100000 0"}, 8),
        ("", {}, 8),
    ],
)
def test_the_lowest_quota_counts(
    own: str,
    files: dict[str, str],
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(cpus, "_CGROUPS", tmp_path)
    monkeypatch.setattr(cpus, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(cpus, "_affinity", lambda: 8)
    assert cpus.usable_cpus() == expected


def test_where_there_are_no_cgroups_the_affinity_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpus, "_OWN_CGROUPS", tmp_path / "missing")
    monkeypatch.setattr(cpus, "_affinity", lambda: 3)
    assert cpus.usable_cpus() == 3
