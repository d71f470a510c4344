"""`celery -A ck3parse worker`, and tasks from other Celery clients."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import InvalidTaskError, NotRegistered

from ck3parse.config import QUEUE_BULK
from ck3parse.messaging.app import TASK_NAME
from embedded import ANSWER_LIMIT_S, client
from servers import Server, Worker

REQUEST: list[Any] = [[{"id": "1", "text": "a = 1"}]]
END_LIMIT_S = 60.0


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_pool_without_processes_is_refused(pool: str, tmp_path: Path) -> None:
    """Issue 19, line 25: its process was never killed if it hung."""
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "ck3parse", "worker", f"--pool={pool}"],
        env={**os.environ, "CK3PARSE_BROKER_URL": "redis://127.0.0.1:1/0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=END_LIMIT_S,
    )
    assert done.returncode == 1
    assert "a ck3parse worker cannot use the pool" in done.stderr
    assert "--pool=prefork" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Celery]:
    """A client with a ready worker."""
    folder = tmp_path_factory.mktemp("worker")
    with (
        Server(folder) as server,
        Worker(server.url, folder).wait_ready(),
        client(server.url) as made,
    ):
        yield made


def result_of(app: Celery, name: str = TASK_NAME, args: Any = REQUEST, **options: Any) -> Any:
    reply = app.send_task(name, args=args, queue=QUEUE_BULK, **options)
    try:
        return reply.get(ANSWER_LIMIT_S, propagate=False)
    finally:
        reply.forget()


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_the_sender_of_other_content_is_told_what_to_send(serializer: str, app: Celery) -> None:
    """Issue 19, line 25: it waited forever."""
    refusal = result_of(app, serializer=serializer)
    assert isinstance(refusal, InvalidTaskError)
    assert "send it with serializer='msgpack'" in str(refusal)


@pytest.mark.parametrize(
    "limits", [(-1, None), ("3", None), (10**15, None), (float("nan"), None), ([1], None)]
)
def test_a_time_limit_that_is_none_is_refused(limits: tuple[Any, Any], app: Celery) -> None:
    """Issue 19, line 34: any client can send such tasks."""
    refusal = result_of(app, headers={"timelimit": list(limits)})
    assert isinstance(refusal, InvalidTaskError)
    assert "timelimit is" in str(refusal)


def test_arguments_of_a_wrong_shape_are_a_failure(app: Celery) -> None:
    """Issue 19, line 25."""
    assert "Expected" in str(result_of(app, args=[[{"path": 5}]]))
    assert "argument" in str(result_of(app, args=["text", 2]))
    assert isinstance(result_of(app, "os.system", ["true"]), NotRegistered)


def test_a_body_of_a_wrong_shape_is_refused(app: Celery) -> None:
    """Issue 19, line 25: the worker received it again and again."""
    with app.connection_for_write() as connection, connection.Producer() as producer:
        for number, body in enumerate(("no task", [1], None, 7)):
            headers = {"task": TASK_NAME, "id": f"wrong-{number}", "lang": "py"}
            producer.publish(
                body,
                serializer="msgpack",
                exchange="",
                routing_key=QUEUE_BULK,
                headers=headers,
                correlation_id=headers["id"],
            )
            reply = app.AsyncResult(headers["id"])
            assert isinstance(reply.get(ANSWER_LIMIT_S, propagate=False), InvalidTaskError)
            reply.forget()
    assert result_of(app)[0]["ok"]
