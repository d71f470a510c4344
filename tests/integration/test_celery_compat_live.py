"""What `ck3parse.celery_compat` assumes of Celery where it takes a server or a worker to see it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult

from ck3parse.celery_compat import broker, results
from ck3parse.celery_compat.control import ControlChannel
from ck3parse.celery_compat.unwaited import TaskSender
from ck3parse.config import QUEUE_BULK, Settings
from ck3parse.messaging.app import TASK_NAME, make_app
from ck3parse.pipeline.connection import reach
from embedded import ANSWER_LIMIT_S, client
from far_network import FarNetwork
from polling import wait_until
from servers import Server, Worker

# Celery stores results with it.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

NO_LONGER = "celery_compat.{} no longer does what its docstring says"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def app(server: Server) -> Iterator[Celery]:
    with client(server.url) as made:
        yield made


@pytest.fixture(scope="module")
def worker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    env = {"CK3PARSE_MAX_FILES_PER_CHILD": "2"}
    folder = tmp_path_factory.mktemp("worker")
    with Worker(server.url, folder, env=env, processes=1).wait_ready() as made:
        yield made


def test_a_result_that_comes_is_handed_over_and_a_short_wait_loses_none(app: Celery) -> None:
    came: list[AsyncResult] = []
    result = AsyncResult("large", app=app)
    result.then(came.append)
    consumer = app.backend.result_consumer
    assert consumer._pubsub.connection is not None, NO_LONGER.format("results.wait_for_result")
    results.wait_for_result(app, 0.01)
    assert not came
    results.store_result(app, "large", [b"0" * 50_000_000])

    def has_come() -> bool:
        results.wait_for_result(app, 0.001)
        return bool(came)

    wait_until(has_come, ANSWER_LIMIT_S, "the result has come")
    assert came == [result], NO_LONGER.format("results.wait_for_result")
    assert len(came[0].result[0]) == 50_000_000
    result.forget()


def test_a_result_that_is_waited_for_no_more_stays(app: Celery) -> None:
    result = AsyncResult("kept", app=app)
    result.then(lambda _: None)
    key = app.backend.get_key_for_task("kept")
    subscribed = app.backend.result_consumer.subscribed_to
    assert key in subscribed
    results.store_result(app, "kept", 1)
    results.stop_waiting(result)
    assert key not in subscribed, NO_LONGER.format("results.stop_waiting")
    assert AsyncResult("kept", app=app).result == 1


def test_each_result_is_kept_for_as_long_as_was_said_last(app: Celery) -> None:
    redis = results.redis_client(app)

    for expires_s in (50, 5000):
        results.expire_next_result(app.tasks["celery.backend_cleanup"], expires_s)
        results.store_result(app, f"kept-{expires_s}", 1)
        left_s = redis.ttl(app.backend.get_key_for_task(f"kept-{expires_s}"))
        assert expires_s / 2 < left_s <= expires_s, NO_LONGER.format("results.expire_next_result")


@pytest.mark.parametrize("may_be_lost", [True, False])
def test_a_result_is_stored_and_published_without_waiting(may_be_lost: bool, app: Celery) -> None:
    entry = NO_LONGER.format("results.ResultStore")
    task_id = f"unwaited-{may_be_lost}"
    came: list[AsyncResult] = []
    result = AsyncResult(task_id, app=app)
    result.then(came.append)
    store = results.ResultStore(app, lambda: may_be_lost)
    results.expire_next_result(app.tasks["celery.backend_cleanup"], 50)
    results.store_result(app, task_id, [1])
    assert bool(store._unconfirmed) is may_be_lost, entry
    store.confirm()
    assert not store._unconfirmed

    def has_come() -> bool:
        results.wait_for_result(app, 0.01)
        return bool(came)

    wait_until(has_come, ANSWER_LIMIT_S, "the result has come")
    assert came[0].result == [1], entry
    key = app.backend.get_key_for_task(task_id)
    assert 25 < results.redis_client(app).ttl(key) <= 50, entry


def test_a_result_whose_connection_is_lost_is_stored_again(app: Celery, server: Server) -> None:
    store = results.ResultStore(app, lambda: True)
    results.store_result(app, "nothing", [0])
    store.confirm()
    key = app.backend.get_key_for_task("first")
    server.signal(signal.SIGSTOP)  # so that its reply does not come
    try:
        results.store_result(app, "first", [1])
        connection: Any = store._commands._connection
        connection._sock.shutdown(socket.SHUT_RDWR)
    finally:
        server.signal(signal.SIGCONT)
    redis = results.redis_client(app)
    wait_until(lambda: redis.exists(key), ANSWER_LIMIT_S, "the server has the result")
    redis.delete(key)
    results.store_result(app, "second", [2])
    store.confirm()
    for task_id, value in (("first", [1]), ("second", [2])):
        assert AsyncResult(task_id, app=app).result == value


def test_tasks_are_sent_and_results_deleted_without_waiting(app: Celery) -> None:
    entry = NO_LONGER.format("unwaited.TaskSender")
    sender = TaskSender(app, QUEUE_BULK)
    sent = [
        app.send_task("none", queue=QUEUE_BULK, producer=sender.producer, retry=False)
        for _ in range(3)
    ]
    results.store_result(app, sent[0].id, 1)
    assert sent[0].get(timeout=ANSWER_LIMIT_S) == 1
    sender.delete(sent)
    sender.close()
    assert sent[0]._cache is None, "a result stays in memory after nobody needs it"
    redis = results.redis_client(app)
    assert redis.llen(QUEUE_BULK) == 3, entry
    assert not redis.exists(app.backend.get_key_for_task(sent[0].id)), entry
    results.detach(sent)


def test_a_new_connection_sends_nothing_that_the_server_need_not_know(server: Server) -> None:
    with FarNetwork(server.port, 0.0) as network:
        app = make_app(Settings(broker_url=network.url))
        try:
            results.redis_client(app).get("none")
            with app.pool.acquire(block=True) as connection, connection.channel() as channel:
                assert channel.client.get("none") is None
        finally:
            app.close()
            app.pool.force_close_all()
        sent = dict(network.traffic.commands)
    # Kombu asks with `PING` whether the server serves.
    assert sent == {"GET": 2, "HELLO": 1, "PING": 1}, NO_LONGER.format("handshake.ShortHandshake")


def test_talking_to_a_broker_imports_nothing_more(server: Server) -> None:
    script = f"""
import sys
from ck3parse.celery_compat import broker
from ck3parse.config import Settings
from ck3parse.messaging.app import make_app
app = make_app(Settings(broker_url={server.url!r}))
broker.import_everything(app)
before = set(sys.modules)
app.send_task("none", queue="nobody", retry=False).forget()
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("encodings")))
app.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not done.stdout.split(), NO_LONGER.format("broker.import_everything")


class Replies:
    """What came from one channel."""

    def __init__(self, app: Celery) -> None:
        self.came: list[tuple[object, dict[str, Any]]] = []
        self.channel = ControlChannel(app, lambda *reply: self.came.append(reply))

    def wait(self, count: int) -> None:
        def have_come() -> bool:
            self.channel.receive(0.1)
            return len(self.came) >= count

        wait_until(have_come, ANSWER_LIMIT_S, f"{count} replies have come")


def test_replies_carry_their_ticket_and_come_late_too(app: Celery, worker: Worker) -> None:
    entry = NO_LONGER.format("control.ControlChannel")
    del worker
    asked = Replies(app)
    asked.channel.send("ping", {}, "first")
    asked.channel.send("ping", {}, "second")
    asked.channel.send("ping", {})
    asked.wait(2)
    assert [ticket for ticket, _ in asked.came] == ["first", "second"], entry
    assert [[*body.values()] for _, body in asked.came] == [[{"ok": "pong"}]] * 2, entry
    assert not asked.channel.receive(0.3), entry
    asked.channel.close()
    assert not [key for key in results.redis_client(app).keys("*") if b"reply" in key], entry


def test_a_queue_that_is_empty_has_a_length(app: Celery) -> None:
    asked = Replies(app)
    for _ in range(2):
        assert asked.channel.queue_lengths(["nothing-in-here"]) == {"nothing-in-here": 0}
    app.send_task("none", queue="something-in-here", retry=False).forget()
    found = asked.channel.queue_lengths(["nothing-in-here", "something-in-here"])
    assert found == {"nothing-in-here": 0, "something-in-here": 1}
    asked.channel.close()


def test_a_connection_to_redis_has_a_client(app: Celery) -> None:
    with app.connection_for_write() as connection:
        assert broker.redis_client(connection).ping(), NO_LONGER.format("broker.redis_client")


def stats(app: Celery) -> dict[str, Any]:
    replies = Replies(app)
    replies.channel.send("stats", {}, "1")
    replies.wait(1)
    replies.channel.close()
    (answer,) = replies.came[0][1].values()
    pool: dict[str, Any] = answer["pool"]
    return pool


def parse(app: Celery, files: int, **options: Any) -> Any:
    requests = [{"id": str(number), "text": "a = 1"} for number in range(files)]
    reply = app.send_task(TASK_NAME, args=[requests], queue=QUEUE_BULK, **options)
    try:
        return reply.get(ANSWER_LIMIT_S)
    finally:
        reply.forget()


def test_the_worker_has_the_pool_that_the_settings_name(app: Celery, worker: Worker) -> None:
    del worker
    name = "ck3parse.worker.prefork:ProcessPool"
    assert stats(app)["implementation"] == name, NO_LONGER.format("prefork.TaskPool")


def test_a_process_leaves_after_its_task_and_another_one_goes_on(
    app: Celery, worker: Worker
) -> None:
    del worker
    entry = NO_LONGER.format("prefork.leave_after_task")
    (before,) = stats(app)["processes"]
    assert len(parse(app, 1)) == 1
    assert stats(app)["processes"] == [before]
    assert len(parse(app, 1)) == 1
    started = time.monotonic()
    assert len(parse(app, 1)) == 1
    took_s = time.monotonic() - started
    assert stats(app)["processes"] != [before], entry
    assert took_s < 5, entry


def test_a_worker_notices_a_process_that_was_killed(app: Celery, worker: Worker) -> None:
    del worker
    (before,) = stats(app)["processes"]
    os.kill(before, 9)
    wait_until(lambda: stats(app)["processes"] not in ([before], []), 10, "it is replaced")
    assert len(parse(app, 1)) == 1


def test_closing_an_application_closes_its_connection_to_the_result_backend(server: Server) -> None:
    app = reach(Settings(broker_url=server.url))
    pool = results.redis_client(app).connection_pool
    connection = pool.get_connection()
    pool.release(connection)
    assert connection.is_connected
    app.close()
    assert not connection.is_connected, NO_LONGER.format("app.LastingApplication")
