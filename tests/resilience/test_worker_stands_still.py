"""Things that could block a worker, and what happens to one that is blocked."""

import os
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest
from celery.exceptions import TimeLimitExceeded

from ck3parse.config import QUEUE_BULK
from ck3parse.messaging.app import TASK_NAME
from ck3parse.worker.watchdog import EXIT_CODE
from command import FAULTY, start
from embedded import (
    ANSWER_LIMIT_S,
    Family,
    broker_directory,
    children_of,
    client,
    have_it_stand_still,
    parse,
    send,
)
from polling import wait_until
from reliability import Case
from servers import Server, Worker
from trial import Mod, Trial, assert_right

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0
QUICK = {"CK3PARSE_WATCHDOG_S": "1"}
SLOW = "fault = slow\n"


def test_a_tiny_time_limit_is_raised_to_one_that_a_process_can_keep(
    tmp_path: Path, case: Case
) -> None:
    """Issue 19, line 34."""
    case.of("limits", "100 tasks with a time limit of a millisecond, by a client of Celery's own")
    slow = tmp_path / "slow.txt"
    slow.write_text(SLOW)
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path).wait_ready() as worker,
        client(server.url) as app,
    ):
        request = {"id": "1", "path": str(slow)}
        replies = [
            app.send_task(TASK_NAME, args=([request],), queue=QUEUE_BULK, time_limit=0.001)
            for _ in range(100)
        ]
        wait_until(lambda: all(r.ready() for r in replies), END_LIMIT_S, "all are answered")
        results = Counter(type(reply.result) for reply in replies)
        for reply in replies:
            reply.forget()
        assert app.control.inspect(timeout=ANSWER_LIMIT_S, limit=1).ping()
        assert worker.process.poll() is None
    # A busy machine may have some take longer.
    assert results.keys() <= {list, TimeLimitExceeded}
    assert results[list] > 50
    case.saw(100, 100, 0.0, "all answered, the worker lives")


def test_a_soft_time_limit_is_no_bug_of_ours(tmp_path: Path) -> None:
    """Issue 19, line 34: it raised an error while a file was parsed, which looked like a bug."""
    hang = tmp_path / "slow.txt"
    hang.write_text("fault = slow\n")
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path).wait_ready(),
        client(server.url) as app,
    ):
        limits = {"soft_time_limit": 0.001, "time_limit": 10}
        args = ([{"id": "1", "path": str(hang)}] * 20,)
        reply = app.send_task(TASK_NAME, args=args, queue=QUEUE_BULK, **limits)
        assert {answer.get("error_type") for answer in reply.get(ANSWER_LIMIT_S)} == {None}
        reply.forget()


def test_a_worker_whose_loop_stands_still_ends_itself(tmp_path: Path) -> None:
    """Issue 19, line 34."""
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, env=QUICK).wait_ready() as worker,
        client(server.url) as app,
    ):
        children = children_of(worker.process.pid)
        have_it_stand_still(app)
        assert worker.process.wait(END_LIMIT_S) == EXIT_CODE
        assert "this worker's loop stands still" in worker.log()
        assert "lock.acquire()" in worker.log()
        wait_until(lambda: not any(map(_is_alive, children)), 5, "its processes are gone")


def test_a_worker_that_hangs_as_it_ends_at_once_is_ended(tmp_path: Path) -> None:
    """A worker stayed up after SIGQUIT, and the watchdog watched only its loop."""
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, env=QUICK).wait_ready() as worker,
        client(server.url) as app,
    ):
        children = children_of(worker.process.pid)
        have_it_stand_still(app, "stand_still_at_end")
        assert app.control.inspect(timeout=ANSWER_LIMIT_S, limit=1).ping()
        worker.signal(signal.SIGQUIT)
        assert worker.process.wait(END_LIMIT_S) == EXIT_CODE
        assert "this worker was told to end" in worker.log()
        wait_until(lambda: not any(map(_is_alive, children)), 5, "its processes are gone")


def test_an_embedded_worker_whose_loop_stands_still_is_started_again(
    slow: Mod, tmp_path: Path, case: Case
) -> None:
    """Issue 19, line 34."""
    case.of("limits", "the event loop of the embedded worker stands still in mid-run")
    with Trial(tmp_path, slow.folder, env=QUICK) as trial:
        trial.wait_recorded()
        family = Family(broker_directory(trial.process.pid))
        with client(f"redis+socket://{family.directory}/broker.sock") as app:
            have_it_stand_still(app)
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    case.did(report, trial.seconds)


def test_serve_starts_a_worker_again_whose_loop_stands_still(tmp_path: Path) -> None:
    """Issue 19, line 34."""
    env = {**FAULTY, **QUICK}
    with start("serve", "--workers", "1", cwd=tmp_path, env=env) as serving:
        try:
            assert serving.stdout is not None
            url = serving.stdout.readline().decode().strip()
            before = Family(broker_directory(serving.pid))
            with client(url) as app:
                have_it_stand_still(app)
            wait_until(lambda: not _is_alive(before.worker), END_LIMIT_S, "it has ended")
            assert parse(url, text="a = 1")["ok"]
        finally:
            serving.kill()


def test_a_worker_that_was_stopped_for_a_while_is_not_ended(tmp_path: Path) -> None:
    """Issue 19, line 34."""
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, env=QUICK).wait_ready() as worker,
    ):
        worker.signal(signal.SIGSTOP)
        threading.Event().wait(5)
        worker.signal(signal.SIGCONT)
        assert parse(server.url, text="a = 1")["ok"]
        assert worker.process.poll() is None
        assert "stands still" not in worker.log()


def test_a_worker_that_waits_for_its_broker_is_not_ended(tmp_path: Path) -> None:
    """Issue 19, line 34."""
    # On a busy machine, a worker may need more than a second until it goes on.
    crash = tmp_path / "crash.txt"
    crash.write_text("fault = kill\n")
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, env={"CK3PARSE_WATCHDOG_S": "3"}).wait_ready() as worker,
        client(server.url) as app,
    ):
        hanging = tmp_path / "hang.txt"
        hanging.write_text("fault = hang\n")
        send(app, {"path": str(hanging)})
        wait_until(
            lambda: any((app.control.inspect(timeout=0.2).active() or {}).values()),
            ANSWER_LIMIT_S,
            "a process has the task in hand",
        )
        server.signal(signal.SIGSTOP)
        # Its result, which the worker stores itself, has nowhere to go.
        for child in children_of(worker.process.pid):
            os.kill(child, signal.SIGKILL)
        threading.Event().wait(8)
        server.signal(signal.SIGCONT)
        assert parse(server.url, text="a = 1")["ok"]
        assert worker.process.poll() is None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
