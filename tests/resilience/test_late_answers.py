"""Late answers to batches that were sent twice do not stay on the server."""

import signal
from pathlib import Path

import pytest

from embedded import client
from polling import wait_until
from reliability import Case
from servers import Server, Worker
from trial import Mod, Trial, assert_right

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0
GONE_LIMIT_S = 150.0
"""An answer that a worker was not told to drop stays for two minutes, not for an hour."""


def assert_none_stays(server: Server) -> None:
    """Wait until the workers have finished all tasks, and no answer is left."""
    with server.client() as redis, client(server.url) as app:

        def at_rest() -> bool:
            in_hand = app.control.inspect(timeout=1).active()
            waiting = redis.exists("ck3parse.bulk")
            return in_hand is not None and not any(in_hand.values()) and not waiting

        wait_until(at_rest, END_LIMIT_S, "what was sent twice is done or dropped")
        wait_until(lambda: not redis.keys("celery-task-meta-*"), GONE_LIMIT_S, "no answer is left")


@pytest.mark.parametrize("keep", [False, True], ids=["empty", "with its file"])
def test_of_an_outage_no_answer_stays(keep: bool, slow: Mod, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 37."""
    how = "with its file" if keep else "empty"
    case.of("late", f"SIGKILL of the broker, comes back {how}; two workers")
    with (
        Server(tmp_path, keep=keep) as server,
        Worker(server.url, tmp_path, "one").wait_ready(),
        Worker(server.url, tmp_path, "two").wait_ready(),
    ):
        with Trial(tmp_path, slow.folder, broker=server.url) as trial:
            trial.wait_recorded()
            server.kill()
            server.start()
            report = trial.end(END_LIMIT_S)
        assert_none_stays(server)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


def test_of_an_interrupted_run_no_answer_stays(slow: Mod, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 37."""
    case.of("late", "SIGINT in mid-run")
    with Server(tmp_path) as server, Worker(server.url, tmp_path).wait_ready():
        with Trial(tmp_path, slow.folder, broker=server.url) as trial:
            trial.wait_recorded()
            trial.process.send_signal(signal.SIGINT)
            report = trial.end(END_LIMIT_S, code=130)
        assert_none_stays(server)
    assert report["files"] == trial.recorded() < len(slow.asts)
    case.saw(report["files"], len(slow.asts), trial.seconds, "exit 130; the next run does the rest")
