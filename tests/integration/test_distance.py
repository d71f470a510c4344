"""Workers and brokers that are far away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from command import FAULTY, ck3parse, run_json
from servers import Proxy, Server, Worker
from trial import written

pytestmark = pytest.mark.thorough

DELAY_S = 0.08
"""In each direction: a sixth of a second for a round trip."""
SLOW_S = 4


class Line(NamedTuple):
    """A broker with a distant worker: its URL, and its URL for a client that is as distant."""

    near: str
    far: str


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    env = {"FAULTY_JOURNAL": str(tmp_path / "journal")}
    with (
        Server(tmp_path) as server,
        Proxy(server.port, DELAY_S) as proxy,
        Worker(proxy.url, tmp_path, env=env).wait_ready(),
    ):
        yield Line(server.url, proxy.url)


@pytest.mark.parametrize("where", ["near", "far"])
def test_a_far_worker_is_seen_and_its_slow_file_waited_for(
    where: str, line: Line, tmp_path: Path
) -> None:
    """Issue 19, line 35."""
    broker = getattr(line, where)
    files = {"a.txt": "a = 1", "slow.txt": f"fault = sleep {SLOW_S}"}
    with written(tmp_path / "mod", files) as mod:
        report = run_json(mod, "--broker", broker, "--out", "o.sqlite", cwd=tmp_path, env=FAULTY)
    assert report["parsed"] == 2
    assert sorted((tmp_path / "journal").read_text().split()) == sorted(files)


def test_status_and_diagnose_see_a_far_worker(line: Line, tmp_path: Path) -> None:
    """Issue 19, line 35."""
    done = ck3parse("status", "--json", "--broker", line.far, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (worker,) = json.loads(done.stdout)["workers"]
    assert worker["processes"] == 2
    done = ck3parse("diagnose", "--json", "--broker", line.far, cwd=tmp_path, env=FAULTY)
    found = json.loads(done.stdout)
    assert [name.partition("@")[0] for name in found["workers"]] == ["one"]
    # It may well say that the line is slow.
    assert [each for each in found["findings"] if each["severity"] == "error"] == []
