"""Reasons for which a broker cannot be used, each with its own message."""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from ck3parse.messages import ParseRequest
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.window import Window
from embedded import client
from polling import wait_until
from servers import Proxy, Server, Worker
from services import free_port
from trial import Mod, Trial

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0
SETTLE_S = 1.0
"""Seconds after the last commit within which a run has stored all its results."""
PATIENCE = {"CK3PARSE_PATIENCE_S": "2"}
FEW_FILES = 6
"""Enough file descriptors for the store and a socket, and too few for a broker."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as started, Worker(started.url, tmp_path).wait_ready():
        yield started


@pytest.fixture(scope="module")
def mod(tmp_path_factory: pytest.TempPathFactory) -> Mod:
    """Files for some batches that take a while."""
    return Mod.made(tmp_path_factory.mktemp("slow") / "mod", 400, size=20_000, slow=True)


def make_replica(server: Server) -> None:
    with server.client() as redis:
        redis.replicaof("127.0.0.1", str(free_port()))


def fill(server: Server) -> None:
    with server.client() as redis:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", "1")


REASONS = [
    (make_replica, "a read-only replica", "name its primary in the URL"),
    (fill, "out of memory", "raise its maxmemory"),
]


@pytest.mark.parametrize(("spoil", "state", "remedy"), REASONS)
def test_from_the_start(
    spoil: object, state: str, remedy: str, server: Server, mod: Mod, tmp_path: Path
) -> None:
    """Issue 19, line 28."""
    assert callable(spoil)
    spoil(server)
    with Trial(tmp_path, mod.folder, broker=server.url, env=PATIENCE) as trial:
        trial.end(END_LIMIT_S, code=3)
    assert f" is {state} (" in trial.err
    assert remedy in trial.err
    assert "gone" not in trial.err


@pytest.mark.parametrize(("spoil", "state", "remedy"), REASONS)
def test_in_mid_run(
    spoil: object, state: str, remedy: str, server: Server, mod: Mod, tmp_path: Path
) -> None:
    """Issue 19, line 28."""
    assert callable(spoil)
    with Trial(tmp_path, mod.folder, broker=server.url, env=PATIENCE) as trial:
        trial.wait_recorded()
        spoil(server)
        trial.end(END_LIMIT_S, code=3)
    assert f"the broker has been {state} for 2 s (" in trial.err
    assert remedy in trial.err
    assert "gone" not in trial.err


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))


def test_too_few_file_descriptors_from_the_start(server: Server, mod: Mod, tmp_path: Path) -> None:
    """Issue 19, line 28."""
    with Trial(
        tmp_path, mod.folder, broker=server.url, env=PATIENCE, preexec_fn=few_files
    ) as trial:
        trial.end(END_LIMIT_S, code=3)
    assert "out of file descriptors" in trial.err
    assert "ulimit -n" in trial.err


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process can be set")
def test_too_few_file_descriptors_in_mid_run(mod: Mod, tmp_path: Path) -> None:
    """Issue 19, line 28."""
    with (
        Server(tmp_path) as server,
        Proxy(server.port) as proxy,
        Worker(server.url, tmp_path).wait_ready() as worker,
        Trial(tmp_path, mod.folder, broker=proxy.url, env=PATIENCE) as trial,
    ):
        trial.wait_recorded()
        worker.signal(signal.SIGSTOP)  # no more results, as a store needs files too
        changed = [(monotonic(), trial.recorded())]

        def settled() -> bool:
            if (done := trial.recorded()) != changed[-1][1]:
                changed.append((monotonic(), done))
            return monotonic() - changed[-1][0] >= SETTLE_S

        wait_until(settled, END_LIMIT_S, "all results that came are stored")
        resource.prlimit(trial.process.pid, resource.RLIMIT_NOFILE, (0, 0))
        proxy.cut()
        trial.end(END_LIMIT_S, code=3)
    assert "this process has been out of file descriptors for 2 s" in trial.err
    assert "ulimit -n" in trial.err


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), FileNotFoundError("a bug")])
def test_a_bug_of_ours_is_no_broker_that_is_gone(bug: Exception, server: Server) -> None:
    """Issue 19, line 28."""
    bugs = iter([bug])

    def check() -> None:
        if error := next(bugs, None):
            raise error

    with client(server.url) as app:
        window = Window(app, workers=1, check=check, reconnect=lambda: app, patience_s=2)
        asked = Batch([ParseRequest("1", text="a = 1", timeout_ms=5000)], 5)
        with closing(window), pytest.raises(type(bug), match="a bug"):
            list(window.results([asked]))
