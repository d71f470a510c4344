"""Results on a server that nobody fetches."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ck3parse.embedded.broker import EmbeddedBroker
from command import FAULTY, run_json
from embedded import ANSWER_LIMIT_S, START_LIMIT_S, client, send
from polling import wait_until
from servers import Server, Worker
from trial import Trial

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0
MEGABYTES = 24


def results_in(redis: Any) -> list[Any]:
    return list(redis.scan_iter("celery-task-meta-*"))


def test_results_of_a_killed_client_go_within_twice_its_patience(tmp_path: Path) -> None:
    """Issue 19, line 31: the server kept them for an hour."""
    mod = tmp_path / "mod"
    mod.mkdir()
    for number in range(600):
        (mod / f"{number}.txt").write_text(f"fault = slow\nk = {number}\n" + "#" * 20_000)
    env = {"CK3PARSE_PATIENCE_S": "1"}
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, env=env).wait_ready(),
        server.client() as redis,
        client(server.url) as app,
    ):
        with Trial(tmp_path, mod, broker=server.url) as trial:
            trial.wait_recorded()
            trial.process.send_signal(signal.SIGKILL)
        # Its pending files are parsed, and nobody fetches the results.
        wait_until(lambda: results_in(redis), ANSWER_LIMIT_S, "there is an answer")
        assert all(redis.ttl(key) <= 2 for key in results_in(redis))
        wait_until(lambda: not results_in(redis), END_LIMIT_S, "none is left")
        # A client of Celery's own has as long as Celery gives it.
        reply = send(app, {"text": "a = 1"})
        reply.get(ANSWER_LIMIT_S)
        assert redis.ttl(f"celery-task-meta-{reply.id}") > 3000
        reply.forget()


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # Celery's, as it stores a result
def test_an_embedded_server_makes_room_by_the_oldest_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 19, line 31: its memory was not limited."""
    monkeypatch.setenv("CK3PARSE_SERVER_MEMORY_MB", str(MEGABYTES))
    mod = tmp_path / "mod"
    mod.mkdir()
    for number in range(200):
        (mod / f"{number}.txt").write_text("".join(f"k{i} = {number}\n" for i in range(300)))
    with EmbeddedBroker(1, env={**os.environ, **FAULTY}, keep=True) as broker:
        broker.wait_ready(START_LIMIT_S, worker=True)
        with client(broker.broker_url) as app:
            backend = app.backend
            for number in range(3 * MEGABYTES):
                backend.store_result(f"dead-{number}", os.urandom(1 << 20), "SUCCESS")
            assert backend.client.info("memory")["used_memory"] <= MEGABYTES << 20
            left = [f"dead-{number}" for number in range(3 * MEGABYTES)]
            kept = [name for name in left if backend.client.exists(f"celery-task-meta-{name}")]
            assert kept
            report = run_json(*("mod", "--broker", broker.broker_url), cwd=tmp_path, env=FAULTY)
            assert report["parsed"] == 200
            assert backend.client.info("memory")["used_memory"] <= MEGABYTES << 20
        assert not broker.notices
