"""A daemon parses file by file, and its broker goes away, comes back, or comes late."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from bridging import bridge, program
from ck3parse.bridge.engine import SWITCH
from ck3parse.errors import UsageError
from ck3parse.parser import reference
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder_bridge import (
    ParseSubprocessError,
    enqueue_many,
    enqueue_parse_text,
    gather,
    get_pool,
    parse_text,
    shutdown_pool,
)
from command import FAULTY
from polling import wait_until
from qbuilder_database import Queued, close_all, connect, make_database
from qbuilder_worker import Worker as QbuilderWorker
from reliability import Case
from servers import Server, Worker
from services import free_port

LIMIT_S = 60.0
FILES = 120
TIMEOUT_S = 30


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"f{number:03}.txt").write_text(f"fault = slow\nkey_{number} = {{ a = 1 }}\n")
    return folder


def env_of(url: str, patience_s: float = 60.0) -> dict[str, str]:
    return {
        **FAULTY,
        SWITCH: "1",
        "CK3PARSE_BROKER_URL": url,
        "CK3PARSE_PATIENCE_S": f"{patience_s}",
    }


class Daemon:
    """A worker like qbuilder's that builds a mod in a thread, and a look at its database."""

    def __init__(self, mod: Path) -> None:
        self._path = mod.with_name("q.db")
        names = sorted(path.name for path in mod.iterdir())
        self._worker = QbuilderWorker(
            make_database(self._path, mod, map(Queued, names)),
            Qbuilder("no_such_qbuilder"),
            TIMEOUT_S,
        )
        self.db = connect(self._path)
        self.run = self._worker.run

    @property
    def failures(self) -> int:
        return self._worker.done["errors"]

    @property
    def built(self) -> int:
        query = "SELECT count(*) FROM build_queue WHERE status = 'completed'"
        return int(self.db.execute(query).fetchone()[0])


@contextmanager
def building(mod: Path, url: str, patience_s: float = 60.0) -> Iterator[Daemon]:
    """Run a daemon that builds a mod, and check at the end that it has built everything."""
    daemon = Daemon(mod)
    with bridge(env_of(url, patience_s)):
        thread = Thread(target=daemon.run)
        thread.start()
        try:
            yield daemon
        finally:
            thread.join(3 * patience_s + LIMIT_S)
            alive = thread.is_alive()
    assert not alive, "the daemon has ended"
    assert daemon.built == FILES
    asts = daemon.db.execute("SELECT relpath, ast_blob FROM asts JOIN files USING (file_id)")
    assert {name: ast.encode() for name, ast in asts} == {
        path.name: reference.parse_bytes(path.read_bytes(), str(path)).ast_json
        for path in mod.iterdir()
    }
    close_all()


@pytest.mark.parametrize(
    ("patience_s", "outage_s"), [(6.0, 9.0), pytest.param(60.0, 90.0, marks=pytest.mark.soak)]
)
def test_an_outage_in_mid_build_gives_no_item_up(
    mod: Path, tmp_path: Path, case: Case, patience_s: float, outage_s: float
) -> None:
    """Issue 19, line 19."""
    case.of("outage", f"broker away for {outage_s:.0f} s, each call waits {patience_s:.0f} s")
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path).wait_ready(),
        building(mod, server.url, patience_s) as daemon,
    ):
        wait_until(lambda: daemon.built > 20, LIMIT_S, "the build has begun")
        server.kill()
        assert daemon.built < FILES
        assert not Event().wait(outage_s)  # the fault itself takes so long
        server.start()
    case.saw(FILES, FILES, 0, f"one item tried again, {daemon.failures} times; none given up")
    assert daemon.failures == 1


@pytest.mark.parametrize("late_s", [4, pytest.param(20, marks=pytest.mark.soak)])
def test_a_broker_that_comes_after_the_daemon(
    mod: Path, tmp_path: Path, case: Case, late_s: int
) -> None:
    """Issue 19, line 19."""
    case.of("outage", f"broker comes up {late_s} s after the daemon, its worker after that")
    with Server(tmp_path) as server:
        server.kill()
        with building(mod, server.url) as daemon:
            assert not Event().wait(late_s)  # the fault itself takes so long
            server.start()
            with Worker(server.url, tmp_path):
                wait_until(lambda: daemon.built == FILES, LIMIT_S, "all is built")
    case.saw(FILES, FILES, 0, f"all parsed, {daemon.failures} failures")
    assert daemon.failures == 0


def test_a_broker_that_stays_away_costs_each_call_its_own_patience(case: Case) -> None:
    """Issue 19, line 19."""
    patience_s = 2.0
    case.of("outage", f"no broker at all, each call waits {patience_s:.0f} s")
    url = f"redis://127.0.0.1:{free_port()}/0"
    with bridge(env_of(url, patience_s)):
        for _ in range(3):
            began = monotonic()
            result = get_pool().parse_text("a = 1")
            assert monotonic() - began >= patience_s
            assert result.error_type == "WorkerUnavailable"
            assert "cannot be reached" in (result.error or "")
        with pytest.raises(ParseSubprocessError, match="cannot be reached"):
            parse_text("a = 1")
        # To ask waits for nothing, and to be asked for no longer than its caller wants.
        early = enqueue_parse_text("a = 1")
        with pytest.raises(TimeoutError):
            early.result(timeout=0.1)
        assert not Event().wait(1)
        late = enqueue_parse_text("a = 2")
        early.result()
        assert not late.done()
        assert [r.error_type for r in gather([early, late])] == ["WorkerUnavailable"] * 2
    case.saw(6, 6, 0, "WorkerUnavailable, after its own time for each")


def test_a_broker_without_a_worker_is_waited_for(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 19."""
    case.of("outage", "broker without a worker, which comes while a call waits")
    with Server(tmp_path) as server:
        with bridge(env_of(server.url, 1)):
            error = get_pool().parse_text("a = 1").error
            assert "has no worker: start one with" in (error or "")
        with bridge(env_of(server.url)):
            waiting = enqueue_parse_text("a = 1")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            with Worker(server.url, tmp_path):
                assert waiting.result(LIMIT_S).success
                for worker in get_pool().workers:
                    with pytest.raises(UsageError, match="belongs to a worker elsewhere"):
                        worker.kill()
    case.saw(2, 2, 0, "parsed; without one, WorkerUnavailable says what to start")


def test_a_broker_that_restarts_before_a_queue_was_used(
    mod: Path, tmp_path: Path, case: Case
) -> None:
    """Issue 19, line 19: kombu used a channel that its own retry had closed."""
    case.of("outage", "broker restarts, and the first files for a queue come meanwhile")
    paths = sorted(mod.iterdir())[:5]
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path).wait_ready(),
        bridge(env_of(server.url)),
    ):
        assert parse_text("a = 1").success
        server.kill()
        coming = enqueue_many(paths)
        server.start()
        assert all(result.success for result in coming)
    case.saw(5, 5, 0, "all parsed")


def test_shutting_down_ends_a_wait() -> None:
    """Issue 19, line 19."""
    with bridge(env_of(f"redis://127.0.0.1:{free_port()}/0")):
        waiting = enqueue_parse_text("a = 1")
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.1)
        shutdown_pool()
        result = waiting.result(LIMIT_S / 4)
        assert (result.error_type, result.error) == (
            "WorkerUnavailable",
            "the parse pool was shut down",
        )


@pytest.mark.parametrize("forks", [False, True])
def test_an_interrupt_ends_a_wait(forks: bool) -> None:
    """Issue 19, line 19."""
    code = (
        "import os, sys\nfrom ck3parse.qbuilder_bridge import *\n"
        "early = enqueue_parse_text('a = 1')\n"
        "if len(sys.argv) > 1 and (child := os.fork()):\n"
        "    os.waitpid(child, 0)\n"
        "    sys.exit()\n"
        "print('asking', flush=True)\n"
        "try:\n    parse_text('a = 2')\n"
        "except KeyboardInterrupt:\n    print('interrupted', os.getpid(), flush=True)\n"
    )
    env = env_of(f"redis://127.0.0.1:{free_port()}/0")
    with program(code, *(["forks"] if forks else []), env=env) as process:
        assert process.stdout
        assert process.stdout.readline() == "asking\n"
        assert not Event().wait(0.3)
        target = process.pid
        if forks:
            children = Path(f"/proc/{target}/task/{target}/children").read_text().split()
            target = int(children[0])
        os.kill(target, signal.SIGINT)
        out, _ = process.communicate(timeout=LIMIT_S / 4)
    assert out == f"interrupted {target}\n"
    assert process.returncode == 0
