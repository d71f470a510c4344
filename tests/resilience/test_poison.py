"""Queues and results that other programs have written to."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE
from ck3parse.messages import ParseRequest
from ck3parse.messaging.app import TASK_NAME
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.window import Answer, Window
from embedded import client
from polling import wait_until
from reliability import Case
from servers import Server, Worker
from trial import Mod, Trial, assert_right

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0


class Evil:
    """An object that creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self._marker), "x")


def poison(server: Server, app: Celery, victim: Path, marker: Path) -> None:
    """Put messages into both queues that must not be executed."""
    task = {"args": [[{"id": "1", "path": str(victim)}]], "kwargs": {}}
    for queue in (QUEUE_BULK, QUEUE_INTERACTIVE):
        with server.client() as redis:
            for raw in (os.urandom(200), b"", b"{", b"[]", b"{}", b'"x"', b"\x80\x04N."):
                redis.lpush(queue, raw)
        with app.connection_for_write() as connection, connection.Producer() as producer:
            headers = {"task": TASK_NAME, "id": "evil", "lang": "py"}
            for body, serializer in ((Evil(marker), "pickle"), (task, "json"), ("no task", "json")):
                producer.publish(
                    body, serializer=serializer, exchange="", routing_key=queue, headers=headers
                )
        app.send_task(TASK_NAME, args=task["args"], serializer="json", queue=queue)
        app.send_task("os.system", args=[f"touch {marker}"], queue=queue)
        app.send_task(TASK_NAME, args=[[{"path": 5}]], queue=queue)
        app.send_task(TASK_NAME, args=["text", 2], queue=queue)


def test_what_others_put_into_the_queues_is_refused(slow: Mod, tmp_path: Path, case: Case) -> None:
    case.of("poison", "random bytes, pickles, JSON, tasks of other names, wrong arguments")
    marker, journal = tmp_path / "executed", tmp_path / "journal"
    victim = tmp_path / "victim.txt"
    victim.write_text("a = 1")
    with (
        Server(tmp_path) as server,
        client(server.url) as app,
        Worker(server.url, tmp_path, env={"FAULTY_JOURNAL": str(journal)}) as worker,
    ):
        worker.wait_ready()
        with Trial(tmp_path, slow.folder, broker=server.url) as trial:
            trial.wait_recorded()
            poison(server, app, victim, marker)
            report = trial.end(END_LIMIT_S)
        with server.client() as redis:
            wait_until(lambda: not redis.llen(QUEUE_BULK), END_LIMIT_S, "the queue is empty")
            wait_until(lambda: not redis.llen(QUEUE_INTERACTIVE), END_LIMIT_S, "and the other")
        assert worker.process.poll() is None
        said = worker.log()
    assert_right(report, trial.store, slow)
    assert not marker.exists()
    assert set(journal.read_text().split()) == slow.asts.keys()
    for refusal in ("ContentDisallowed", "os.system", "JSONDecodeError"):
        assert refusal in said
    case.did(report, trial.seconds, "all refused, nothing executed, the worker lives")


WRONG_ANSWERS = {
    "of another run": [{"id": "17", "path": "/other.txt", "ok": True, "node_count": 1}],
    "of a wrong shape": [{"id": 5, "ok": "yes"}],
    "for more than was asked": [{"id": "a", "path": "a"}, {"id": "b", "path": "b"}],
    "that is no answer": "text",
}


def answers_of(window: Window, limit_s: float) -> list[Answer]:
    found: list[Answer] = []

    def came() -> list[Answer]:
        found.extend(window.poll(0.05))
        return found

    wait_until(came, limit_s, "an answer has come")
    return found


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # Celery's, as it stores a result
@pytest.mark.parametrize("what", WRONG_ANSWERS)
def test_a_result_that_is_not_ours_is_dropped_and_counted(
    what: str, tmp_path: Path, case: Case
) -> None:
    case.of("poison", f"a result {what}, under the id of our task")
    wrong: Any = WRONG_ANSWERS[what]
    batch = Batch([ParseRequest("a", text="a = 1", name="a.txt")], 5)
    with Server(tmp_path) as server, client(server.url) as other, client(server.url) as app:
        with closing(Window(app, workers=2)) as window:
            window.submit(batch, task_id="ours")
            other.backend.store_result("ours", wrong, "SUCCESS")
            wait_until(lambda: window.poll(0.05) or window.dropped, END_LIMIT_S, "it has come")
            with Worker(server.url, tmp_path):
                ((_, (result,)),) = answers_of(window, END_LIMIT_S)
            other.backend.store_result("ours", wrong, "SUCCESS")
            assert window.poll(0.2) == []
        assert window.dropped == 1
    assert (result.id, result.ok, result.node_count) == ("a", True, 3)
    case.saw(1, 1, 0.0, "dropped and counted; asked again")
