"""Many workers, and workers and clients that are far away from their broker."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings
from ck3parse.messages import ParseRequest
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.broker_memory import LEAST, MIB, MOST, bytes_in_flight
from ck3parse.pipeline.session import open_window
from ck3parse.pipeline.window import BATCHES_PER_WORKER, Window
from command import FAULTY, run_json
from embedded import client
from far_network import FarNetwork
from polling import wait_until
from servers import Server, Worker
from trial import PARSER, Mod, Trial, asts_of

LIMIT_S = 120.0


@pytest.mark.parametrize("delay_ms", [100, 0, 20, 300])
def test_results_at_any_distance_are_equal_and_no_file_is_parsed_twice(
    delay_ms: int, tmp_path: Path
) -> None:
    mod = Mod.made(tmp_path / "mod", 300, size=20_000)
    env = {"FAULTY_JOURNAL": str(tmp_path / "journal")}
    with (
        Server(tmp_path) as server,
        FarNetwork(server.port, delay_ms / 2000) as to_client,
        FarNetwork(server.port, delay_ms / 2000) as to_worker,
        Worker(to_worker.url, tmp_path, env=env) as worker,
    ):
        wait_ready(worker)
        args = (mod.folder, "--broker", to_client.url, "--transport", "content")
        report = run_json(*args, "--out", "far.sqlite", cwd=tmp_path, env=FAULTY)
        with server.client() as redis:
            assert not redis.keys("celery-task-meta-*")
            wait_until(lambda: not redis.exists("unacked"), LIMIT_S, "all are acknowledged")
    assert report["parsed"] == 300
    assert asts_of(tmp_path / "far.sqlite", mod.folder) == mod.asts
    parsed = (tmp_path / "journal").read_text().split()
    assert sorted(parsed) == sorted(mod.asts)


def wait_ready(worker: Worker) -> None:
    """Wait for a worker for longer than for one that is near: each handshake takes a second."""
    wait_until(lambda: " ready." in worker.log(), LIMIT_S, "the distant worker is ready")


def one_file(number: int, text: str) -> Batch:
    return Batch([ParseRequest(str(number), content=text.encode(), name=f"{number}.txt")], 100)


def window_on(url: str) -> Window:
    return open_window(Settings(broker_url=url, parser=PARSER))


@pytest.fixture(autouse=True)
def parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK3PARSE_PARSER", PARSER)


def test_an_interactive_task_overtakes_what_a_distant_worker_has_in_hand(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    gates = [tmp_path / f"gate{number}" for number in range(16)]
    with (
        Server(tmp_path) as server,
        server.client() as redis,
        FarNetwork(server.port, 0.15) as network,
        Worker(network.url, tmp_path, env={"FAULTY_JOURNAL": str(journal)}, processes=1) as worker,
    ):
        wait_ready(worker)
        with closing(window_on(server.url)) as window:

            def in_hand() -> list[bytes]:
                window.poll(0.01)
                held: list[bytes] = redis.hvals("unacked")  # type: ignore[assignment]
                return held

            for number, gate in enumerate(gates):
                window.submit(one_file(number, f"fault = until {gate}"), queue=QUEUE_BULK)
            wait_until(
                lambda: len(in_hand()) > 2, LIMIT_S, "the worker has taken more than it does"
            )
            window.submit(one_file(-1, "a = 1"), queue=QUEUE_INTERACTIVE)
            gates[0].touch()  # it takes no more until it has done something
            here = QUEUE_INTERACTIVE.encode()
            wait_until(
                lambda: any(here in each for each in in_hand()), LIMIT_S, "it has the request"
            )
            for gate in gates[1:]:
                gate.touch()
            wait_until(lambda: not in_hand() and not window.in_flight, LIMIT_S, "all is done")
    done = journal.read_text().split()
    assert sorted(done) == sorted(f"{number}.txt" for number in range(-1, len(gates)))
    # Only the batch that the process worked on when the request came is before it.
    assert done[:3] == ["0.txt", "1.txt", "-1.txt"]


def test_the_window_follows_the_processes(tmp_path: Path) -> None:
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, processes=2).wait_ready(),
        closing(window_on(server.url)) as window,
    ):
        assert window.limit == 2 * BATCHES_PER_WORKER
        for number in range(4):
            window.submit(one_file(number, "fault = sleep 25"))

        def limit() -> int:
            window.poll(0.01)
            return window.limit

        with Worker(server.url, tmp_path, "two", processes=6).wait_ready() as other:
            wait_until(lambda: limit() >= 8 * BATCHES_PER_WORKER, LIMIT_S, "the limit rises")
            other.kill()
        wait_until(lambda: limit() < 8 * BATCHES_PER_WORKER, LIMIT_S, "the limit falls")
        window.discard(lambda _: False)


def test_work_is_published_before_there_is_a_worker(tmp_path: Path) -> None:
    """An autoscaler looks at the length of the queue, and starts a worker."""
    mod = Mod.made(tmp_path / "mod", 100, size=20_000)
    with (
        Server(tmp_path) as server,
        server.client() as redis,
        Trial(tmp_path, mod.folder, broker=server.url, wait=True) as trial,
    ):
        wait_until(lambda: redis.llen(QUEUE_BULK), LIMIT_S, "there is work")
        # It waits for the first worker for longer than for one that has gone.
        threading.Event().wait(1.0)
        assert trial.process.poll() is None
        with Worker(server.url, tmp_path):
            report = trial.end(LIMIT_S)
    assert report["parsed"] == 100
    assert asts_of(trial.store, mod.folder) == mod.asts


@pytest.mark.parametrize(
    ("memory", "given_mb", "expected"),
    [("0", 0, MOST), ("600mb", 0, 150 * MIB), ("10mb", 0, LEAST), ("600mb", 32, 32 * MIB)],
)
def test_what_is_in_flight_follows_the_brokers_memory(
    memory: str, given_mb: int, expected: int, tmp_path: Path
) -> None:
    with Server(tmp_path, "--maxmemory", memory) as server, client(server.url) as app:
        found = bytes_in_flight(app, Settings(broker_url=server.url, window_mb=given_mb))
    assert found == pytest.approx(expected, rel=0.03)
