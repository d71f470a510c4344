"""Issue 19, line 26: no time limit makes the broker deliver a file twice."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from command import FAULTY, ck3parse, start
from embedded import broker_directory, client, parse
from polling import wait_until
from services import worker

pytestmark = pytest.mark.thorough

LIMIT_MS = 20 * 60 * 1000
LIMIT_S = 30.0


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    folder.mkdir()
    return folder


def visibility_timeout(url: str) -> int:
    """Return the visibility timeout of the only worker in seconds."""
    with client(url) as app:
        told: dict[str, Any] = {}

        def answers() -> bool:
            told.update(app.control.inspect(timeout=1, limit=1).conf() or {})
            return bool(told)

        wait_until(answers, LIMIT_S, "the worker answers")
    (conf,) = told.values()
    seconds: int = conf["broker_transport_options"]["visibility_timeout"]
    return seconds


def test_the_embedded_broker_waits_longer_than_the_run_s_limit(mod: Path) -> None:
    (mod / "a.txt").write_text("fault = hang")
    args = ("run", mod, "--timeout-ms", str(LIMIT_MS))
    with start(*args, cwd=mod.parent, env=FAULTY) as process:
        try:

            def socket() -> Path | None:
                try:
                    found = broker_directory(process.pid) / "broker.sock"
                except AssertionError:
                    return None
                return found if found.exists() else None

            wait_until(socket, LIMIT_S, "the broker is up")
            assert visibility_timeout(f"redis+socket://{socket()}") * 1000 > LIMIT_MS
        finally:
            # The second one does not wait for the file.
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=LIMIT_S)


def test_a_worker_refuses_a_longer_limit_than_its_own(broker: str, mod: Path) -> None:
    with worker(broker, cwd=mod.parent):
        assert visibility_timeout(broker) * 1000 > 2 * 600_000
        answer = parse(broker, text="a = 1", timeout_ms=600_001)
        assert (answer.get("ok"), answer["error_type"]) == (None, "WorkerUnavailable")
        assert "CK3PARSE_MAX_TIMEOUT_MS" in answer["error"]
        assert parse(broker, text="a = 1", timeout_ms=600_000)["ok"]


def test_a_run_refuses_what_its_broker_s_workers_would(broker: str, mod: Path) -> None:
    args = ("run", mod, "--broker", broker)
    done = ck3parse(*args, "--timeout-ms", str(LIMIT_MS), cwd=mod.parent)
    assert done.returncode == 2
    assert "CK3PARSE_MAX_TIMEOUT_MS" in done.stderr
    with worker(broker, cwd=mod.parent, env=(env := {"CK3PARSE_MAX_TIMEOUT_MS": str(LIMIT_MS)})):
        (mod / "a.txt").write_text("a = 1")
        done = ck3parse(*args, "--timeout-ms", str(LIMIT_MS), cwd=mod.parent, env=env)
        assert done.returncode == 0, done.stderr
        done = ck3parse("diagnose", "--broker", broker, cwd=mod.parent)
        assert "max_timeout_ms of 1,200,000" in done.stdout


@pytest.mark.parametrize("limit_ms", [1, 24 * 60 * 60 * 1000 + 1, 10**30])
def test_limits_of_no_use_are_usage_errors(mod: Path, limit_ms: int) -> None:
    done = ck3parse("run", mod, "--timeout-ms", str(limit_ms), cwd=mod.parent)
    assert done.returncode == 2
    assert "timeout-ms" in done.stderr
    assert not os.path.exists(mod.parent / "ck3parse.sqlite")
