"""Events of real workers, which Flower depends on, received with Celery's own receiver."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from celery import Celery

from ck3parse.embedded.broker import EmbeddedBroker
from command import FAULTY
from embedded import ANSWER_LIMIT_S, START_LIMIT_S, client, send
from polling import wait_until
from servers import Server, Worker


@pytest.fixture(params=["by hand", "embedded"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A broker with a worker that uses the parser `faulty`."""
    if request.param == "embedded":
        with EmbeddedBroker(1, env={**os.environ, **FAULTY}) as broker:
            broker.wait_ready(START_LIMIT_S, worker=True)
            yield broker.broker_url
    else:
        with Server(tmp_path) as server, Worker(server.url, tmp_path).wait_ready():
            yield server.url


class Listener:
    """Receives all events of a broker's workers until the end of the block."""

    def __init__(self, app: Celery) -> None:
        self.heard: list[dict[str, Any]] = []
        self._app = app
        self._receiver: Any = None
        self._thread = threading.Thread(target=self._listen)

    def of(self, uuid: str) -> list[dict[str, Any]]:
        """Return the events of a task, in their order."""
        return [event for event in self.heard if event.get("uuid") == uuid]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.should_stop = True
        self._thread.join()

    def _listen(self) -> None:
        with self._app.connection_for_read() as connection:
            self._receiver = self._app.events.Receiver(connection, {"*": self.heard.append})
            self._receiver.capture(wakeup=True)


def test_a_task_that_takes_too_long_is_one_event_with_its_reason(url: str, tmp_path: Path) -> None:
    """Issue 19, line 36: Flower counted it twice, the second time as ExceptionWithTraceback.

    Line 30: the embedded worker could not turn events on.
    """
    hang = tmp_path / "hang.txt"
    hang.write_text("fault = hang\n")
    with client(url) as app, client(url) as ears, Listener(ears) as listener:
        ((answer,),) = [
            reply.values() for reply in app.control.enable_events(reply=True, timeout=10, limit=1)
        ]
        assert "ok" in answer, answer
        wait_until(lambda: listener.heard, ANSWER_LIMIT_S, "the worker is heard of")
        hanging = app.send_task(
            "ck3parse.parse_batch",
            args=([{"id": "1", "path": str(hang)}],),
            queue="ck3parse.bulk",
            time_limit=1,
        )
        hanging.get(ANSWER_LIMIT_S, propagate=False)
        good = send(app, {"text": "a = 1"})
        good.get(ANSWER_LIMIT_S)
        wait_until(
            lambda: any(event["type"] == "task-succeeded" for event in listener.of(good.id)),
            ANSWER_LIMIT_S,
            "the next task is heard of",
        )
        (failure,) = [e for e in listener.of(hanging.id) if e["type"] == "task-failed"]
        hanging.forget()
        good.forget()
    assert failure["exception"] == "TimeLimitExceeded(1)"
    assert "TimeLimitExceeded" in failure["traceback"]


def test_an_event_says_how_many_files_of_a_batch_failed(url: str, tmp_path: Path) -> None:
    """Issue 26, line 3: Flower showed the first 80 characters of a result."""
    requests = [
        {"id": "1", "text": "a = 1"},
        {"id": "2", "text": "a = {"},
        {"id": "3", "path": str(tmp_path / "absent.txt")},
    ]
    expected = {"3 files, 2 failed": requests, "1 file": requests[:1]}
    with client(url) as app, client(url) as ears, Listener(ears) as listener:
        app.control.enable_events(reply=True, timeout=10, limit=1)
        wait_until(lambda: listener.heard, ANSWER_LIMIT_S, "the worker is heard of")
        for text, batch in expected.items():
            reply = app.send_task("ck3parse.parse_batch", args=(batch,), queue="ck3parse.bulk")
            assert len(reply.get(ANSWER_LIMIT_S)) == len(batch)
            reply.forget()
            wait_until(
                partial(_has_succeeded, listener, reply.id),
                ANSWER_LIMIT_S,
                "its success is heard of",
            )
            (event,) = [e for e in listener.of(reply.id) if e["type"] == "task-succeeded"]
            assert event["result"] == text


def _has_succeeded(listener: Listener, uuid: str) -> bool:
    return any(event["type"] == "task-succeeded" for event in listener.of(uuid))
