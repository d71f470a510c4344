"""Slow files with workers that a run does not know yet are sent once."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from ck3parse.config import QUEUE_BULK
from embedded import client, hang_a_child
from polling import wait_until
from reliability import Case
from servers import Proxy, Server, Worker
from trial import Trial, written

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0
SLOW_S = 7
"""Seconds in which a run looks for a batch several times, and would resend it if it was lost."""
OWN_BATCH_BYTES = 600_000
"""A file of this size has a batch of its own."""
DELAY_S = 0.05


def slow_file(size: int = 0) -> str:
    return f"fault = sleep {SLOW_S}\n".ljust(size, "#")


def sent(server: Server, workers: Sequence[Worker]) -> int:
    """Return the number of batches that workers have received or can still receive."""
    received = sum(worker.log().count("] received") for worker in workers)
    with server.client() as redis:
        waiting: int = redis.llen(QUEUE_BULK)
    return received + waiting


def test_a_slow_file_with_a_worker_that_did_not_answer_first(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 33: a short run continues with the worker that answers first."""
    case.of("slow", f"one of seven files takes {SLOW_S} s, with the worker that answers second")
    files = {f"f{number}.txt": f"a = {number}\n" for number in range(6)}
    blocker = tmp_path / "blocker.txt"
    blocker.write_text("fault = sleep 60")
    with (
        Server(tmp_path) as server,
        Proxy(server.port, DELAY_S) as proxy,
        Worker(server.url, tmp_path, "near", processes=1).wait_ready() as near,
        client(server.url) as app,
        written(tmp_path / "mod", {**files, "slow.txt": slow_file()}) as mod,
    ):
        hang_a_child(app, blocker)  # so that the other gets the batch
        with (
            Worker(proxy.url, tmp_path, "far", processes=1).wait_ready() as far,
            Trial(tmp_path, mod, broker=server.url) as trial,
        ):
            report = trial.end(END_LIMIT_S)
            assert sent(server, [near, far]) == 2
    assert (report["parsed"], report["failed"]) == (7, 0)
    case.did(report, trial.seconds)


def test_slow_files_with_workers_that_join_later(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 33: a run does not know workers that start after it."""
    case.of("slow", f"three files take {SLOW_S} s, two of them with workers that join later")
    files = {f"slow{number}.txt": slow_file(OWN_BATCH_BYTES - number) for number in range(3)}
    with (
        Server(tmp_path) as server,
        contextlib.ExitStack() as stack,
        written(tmp_path / "mod", files) as mod,
    ):

        def started(name: str) -> Worker:
            return stack.enter_context(Worker(server.url, tmp_path, name, processes=1))

        workers = [started("one").wait_ready()]
        with Trial(tmp_path, mod, broker=server.url) as trial:
            wait_until(lambda: sent(server, workers) == 3, END_LIMIT_S, "all are sent")
            workers += [started("two"), started("three")]
            report = trial.end(END_LIMIT_S)
            assert sent(server, workers) == 3
    assert (report["parsed"], report["failed"]) == (3, 0)
    case.did(report, trial.seconds)
