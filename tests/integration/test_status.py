"""The command `ck3parse status`, with a busy worker."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import FAULTY, ck3parse, run_json, start
from services import free_port, server, valkey, worker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with (
        server(valkey(), "--port", str(port), cwd=tmp_path, port=port),
        worker(url, cwd=tmp_path, env=FAULTY, processes=2),
    ):
        yield url


def test_it_counts_what_was_done_and_what_failed(broker: str, tmp_path: Path) -> None:
    mod = tmp_path / "mod"
    mod.mkdir()
    for number in range(600):
        (mod / f"f{number}.txt").write_text(f"a = {number}")
    (mod / "bad.txt").write_text("fault = segfault")
    run_json(mod, "--broker", broker, "--out", "o.sqlite", cwd=tmp_path, code=1, env=FAULTY)
    done = ck3parse("status", "--json", "--broker", broker, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    (one,) = status["workers"]
    assert one["tasks_failed"] == 4  # with its neighbours, with fewer of them, and twice alone
    assert one["tasks_done"] > 3
    assert one["tasks_in_hand"] == 0
    assert len(one["children"]) == one["processes"] == 2
    assert one["tasks_per_second"] == 0
    assert status["queues"] == {"ck3parse.interactive": 0, "ck3parse.bulk": 0}
    assert 0 < status["broker_memory_mb"] < 100
    shown = ck3parse("status", "--broker", broker, cwd=tmp_path).stdout
    for words in ("batches done", "failed", "a second", "the broker uses"):
        assert words in shown


def test_it_looks_again_until_it_is_interrupted(broker: str, tmp_path: Path) -> None:
    with start("status", "--watch", "--json", "--broker", broker, cwd=tmp_path) as process:
        assert process.stdout
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert all(look["workers"][0]["processes"] == 2 for look in looks)


def test_without_a_worker_it_says_what_to_start(tmp_path: Path) -> None:
    port = free_port()
    with server(valkey(), "--port", str(port), cwd=tmp_path, port=port):
        done = ck3parse("status", "--broker", f"redis://127.0.0.1:{port}/0", cwd=tmp_path)
    assert done.returncode == 3
    assert "celery -A ck3parse worker" in done.stderr
