"""The worker or its processes are killed during a run."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import Family, broker_directory, children_of
from reliability import Case
from servers import Server, Worker
from trial import Mod, Trial, assert_right

END_LIMIT_S = 60.0
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]


@pytest.mark.parametrize("signum", SIGNALS, ids=lambda signum: signum.name)
def test_another_worker_takes_over(
    signum: signal.Signals, slow: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("worker", f"{signum.name}, another comes at once")
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, "one").wait_ready() as one,
        Trial(tmp_path, slow.folder, broker=server.url) as trial,
    ):
        trial.wait_recorded()
        one.signal(signum)
        with Worker(server.url, tmp_path, "two"):
            report = trial.end(END_LIMIT_S)
            one.process.wait(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


@pytest.mark.parametrize("signum", SIGNALS, ids=lambda signum: signum.name)
def test_the_embedded_worker_is_started_again(
    signum: signal.Signals, slow: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("worker", f"{signum.name}, the embedded one is started again")
    with Trial(tmp_path, slow.folder) as trial:
        trial.wait_recorded()
        os.kill(Family(broker_directory(trial.process.pid)).worker, signum)
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


def test_a_run_without_a_worker_any_more_ends_with_what_to_start(
    slow: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("worker", "SIGKILL, none comes within the 3 s that the run waits; then one does")
    with Server(tmp_path) as server:
        with Worker(server.url, tmp_path, "one").wait_ready() as one:
            env = {"CK3PARSE_PATIENCE_S": "3"}
            with Trial(tmp_path, slow.folder, broker=server.url, env=env) as trial:
                trial.wait_recorded()
                one.kill()
                trial.end(END_LIMIT_S, code=3)
                done = trial.recorded()
        assert "celery -A ck3parse worker" in trial.err
        assert 0 < done < len(slow.asts)
        with (
            Worker(server.url, tmp_path, "two").wait_ready(),
            Trial(tmp_path, slow.folder, broker=server.url) as again,
        ):
            report = again.end(END_LIMIT_S)
    assert_right(report, again.store, slow)
    assert report["unchanged"] == done
    case.did(report, trial.seconds, "exit 3, with what to start; the second run does the rest")


@contextlib.contextmanager
def killing_children_of(worker: int, interval_s: float) -> Iterator[list[int]]:
    """Kill all processes of a worker again and again, and return their ids."""
    killed: list[int] = []
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(interval_s):
            for child in children_of(worker):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                    killed.append(child)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def test_no_process_lives_longer_than_a_second(slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("children", "SIGKILL of both, once a second")
    with Trial(tmp_path, slow.folder) as trial:
        trial.wait_recorded()
        worker = Family(broker_directory(trial.process.pid)).worker
        with killing_children_of(worker, 1.0) as killed:
            report = trial.end(END_LIMIT_S)
    assert len(killed) >= 4
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds, f"{len(killed)} processes killed")
