"""What `ck3parse.celery_compat` assumes of Celery, kombu, billiard and redis-py still holds.

If one of these fails after an upgrade, read the entry that it names: it says what breaks, and which
public way there was. What takes a server or a worker is in `tests/integration/`.
"""

import ast
import gc
import importlib.metadata
import inspect
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from billiard.common import TERM_SIGNAL
from billiard.einfo import ExceptionInfo
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from billiard.pool import ApplyResult, TimeoutHandler
from celery import Celery, states
from celery.app import trace
from celery.app.amqp import AMQP
from celery.app.utils import Settings
from celery.backends.asynchronous import BaseResultConsumer
from celery.backends.redis import ResultConsumer
from celery.concurrency import asynpool, prefork
from celery.exceptions import InvalidTaskError
from celery.result import AsyncResult
from celery.worker import request as celery_request
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.asynchronous.semaphore import LaxBoundedSemaphore
from kombu.connection import Connection, ConnectionPool
from kombu.transport import redis as kombu_redis
from redis import Connection as RedisConnection

from ck3parse.celery_compat import app as compat_app
from ck3parse.celery_compat import (
    broker,
    consumer,
    fetching,
    handshake,
    request,
    result_text,
    results,
    unwaited,
)
from ck3parse.celery_compat import prefork as compat_prefork

REDIS_URL = "redis://127.0.0.1:1/0"
"""Where nothing listens: nothing here connects."""
LIBRARIES = ("celery", "kombu", "billiard", "redis", "amqp")


def no_longer(entry: object, what: str) -> str:
    """Return a sentence on an assumption that does not hold."""
    name = getattr(entry, "__qualname__", entry)
    installed = ", ".join(f"{each} {importlib.metadata.version(each)}" for each in LIBRARIES)
    return f"celery_compat: {name} assumes that {what}; read its docstring ({installed})"


class InMemory(compat_app.LastingApplication):
    """An application with its broker and its results in this process."""


@pytest.fixture
def app() -> Celery:
    made = InMemory("test", broker="memory://", backend="cache+memory://", set_as_current=False)
    made.conf.accept_content = made.conf.result_accept_content = ["json"]
    return made


@pytest.fixture
def redis_app() -> Celery:
    return InMemory("test", broker=REDIS_URL, backend=REDIS_URL, set_as_current=False)


REPLACED = [
    (compat_prefork.Process, asynpool.Worker),
    (compat_prefork.Processes, asynpool.AsynPool),
    (compat_prefork._Killer, TimeoutHandler),
    (compat_prefork.TaskPool, prefork.TaskPool),
    (consumer.LastingLoopConsumer, Consumer),
    (fetching.FetchingQoS, kombu_redis.QoS),
    (fetching.FetchingChannel, kombu_redis.Channel),
    (unwaited.PublishingChannel, kombu_redis.Channel),
    (handshake.ShortHandshake, RedisConnection),
    (handshake._Channel, kombu_redis.Channel),
    (handshake._Connection, Connection),
    (handshake._Pool, ConnectionPool),
    (handshake.BrokerConnection, Connection),
    (handshake.QuickAMQP, AMQP),
    (request.TaskRequest, Request),
    (compat_app.LastingApplication, Celery),
    (compat_app._OwnSettings, Settings),
]
OWN = {"limit_s", "connected", "refused", "exit_status", "unreadable"}
OWN |= {"room", "_note_due", "ahead", "ahead_queue", "settle", "round_trip_s", "_wanted"}
OWN |= {"commands", "unwaited"}
"""What these classes add to what they derive from."""


@pytest.mark.parametrize(("ours", "theirs"), REPLACED, ids=lambda each: each.__qualname__)
def test_what_a_class_replaces_is_there(ours: type, theirs: type) -> None:
    for name, value in vars(ours).items():
        if name in OWN or (name.startswith("__") and name != "__init__"):
            continue
        # `Consumer` has its loop in each instance.
        assert hasattr(theirs, name) or name == "loop", no_longer(ours, f"{name} exists")
        if not inspect.isfunction(value):
            continue
        taken = inspect.signature(value).parameters.values()
        given = inspect.signature(getattr(theirs, name)).parameters
        if not any(each.kind is each.VAR_POSITIONAL for each in taken):
            names = [each.name for each in taken]
            assert names == list(given), no_longer(ours, f"{name} takes {', '.join(names)}")


# results


def test_a_redis_backend_listens_on_a_connection_that_can_wait(redis_app: Celery) -> None:
    listening = redis_app.backend.result_consumer
    entry = results.wait_for_result
    assert isinstance(listening, ResultConsumer)
    assert hasattr(listening, "_pubsub"), no_longer(entry, "there is _pubsub")
    takes = inspect.signature(listening.drain_events).parameters
    assert "timeout" in takes, no_longer(entry, "drain_events has a timeout")
    takes = inspect.signature(RedisConnection.can_read).parameters
    assert "timeout" in takes, no_longer(entry, "a connection has can_read(timeout)")


class Subscribed:
    """A backend that notes what it was asked to unsubscribe from."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def remove_pending_result(self, result: AsyncResult) -> None:
        self.left.append(result.id)


@pytest.mark.parametrize("detached", [False, True])
def test_only_a_detached_result_ends_without_a_word(detached: bool, app: Celery) -> None:
    backend = Subscribed()
    result = AsyncResult("1", backend=backend, app=app)
    if detached:
        results.detach([result])
    del result
    gc.collect()
    assert backend.left == ([] if detached else ["1"]), no_longer(
        results.detach, "AsyncResult.__del__ unsubscribes unless its backend is None"
    )


def test_stop_waiting_unsubscribes_once(app: Celery) -> None:
    backend = Subscribed()
    result = AsyncResult("1", backend=backend, app=app)
    results.stop_waiting(result)
    assert backend.left == ["1"]


def test_a_stored_result_is_one_of_a_task_that_succeeded(app: Celery) -> None:
    results.store_result(app, "1", [1, 2])
    result = AsyncResult("1", app=app)
    assert (result.state, result.result) == (states.SUCCESS, [1, 2]), no_longer(
        results.store_result, "store_result stores what AsyncResult reads"
    )


class FakeMessage:
    """The part of a message that refusals look at."""

    headers: ClassVar[dict[str, str]] = {"id": "1", "task": "none"}
    properties: ClassVar[dict[str, str]] = {"correlation_id": "1", "reply_to": "2"}


def test_a_stored_refusal_is_raised_where_the_result_is_awaited(app: Celery) -> None:
    message: Any = FakeMessage()
    results.store_refusal(app, message, "refused", InvalidTaskError("no"))
    result = AsyncResult("refused", app=app)
    assert result.state == states.FAILURE, no_longer(results.store_refusal, "it stores a failure")
    assert isinstance(result.result, InvalidTaskError)


def test_a_backend_reads_how_long_it_keeps_a_result_whenever_it_stores_one(
    redis_app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[object] = []

    class Client:
        """What a Redis client is asked to do."""

        def __getattr__(self, name: str) -> Any:
            def call(*args: object) -> Any:
                if name == "setex":
                    kept.append(args[1])
                return self if name == "pipeline" else None

            return call

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(redis_app.backend, "client", Client())
    for expires_s in (7, 11):
        results.expire_next_result(redis_app.tasks["celery.backend_cleanup"], expires_s)
        redis_app.backend.store_result("1", None, states.SUCCESS)
    assert kept == [7, 11], no_longer(
        results.expire_next_result, "the backend reads expires whenever it stores a result"
    )


def test_only_a_redis_backend_has_a_redis_client(redis_app: Celery) -> None:
    client = results.redis_client(redis_app)
    assert hasattr(client, "info"), no_longer(results.redis_client, "a Redis backend has client")
    rpc = InMemory("test", broker="memory://", backend="rpc://", set_as_current=False)
    assert results.redis_client(rpc) is None


# broker


def test_only_a_channel_of_redis_has_a_redis_client() -> None:
    from kombu.transport.redis import Channel

    assert hasattr(Channel, "client"), no_longer(broker.redis_client, "a channel has client")
    kind: Any = Connection
    with kind("memory://") as connection:
        assert not hasattr(broker.redis_client(connection), "info")


def test_celery_says_why_it_could_not_reconnect_to_its_result_backend(app: Celery) -> None:
    class Failing(BaseResultConsumer):  # type: ignore[misc]
        _connection_errors = (ConnectionError,)

        def _reconnect(self) -> None:
            raise ConnectionRefusedError("gone")

    failing = Failing(app.backend, app, ["json"], {}, {})
    with pytest.raises(RuntimeError) as caught, failing.reconnect_on_error():
        raise ConnectionResetError
    cause = broker.reconnect_failure(caught.value)
    assert isinstance(cause, ConnectionRefusedError), no_longer(
        broker.reconnect_failure, "the error's cause is why it could not reconnect"
    )


def test_a_forked_child_lets_go_of_what_it_inherited() -> None:
    # In a process of its own: it is for all applications and connections of a process.
    script = """
import billiard
from celery import Celery
from ck3parse.celery_compat import broker
app = Celery("test", broker="memory://", set_as_current=False)
inherited = app.pool
broker.release_inherited_connections()
print(app._pool is None)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True", no_longer(
        broker.release_inherited_connections, "Celery registers what a child has to do"
    )


def test_the_module_for_connections_does_not_import_celery() -> None:
    script = "import sys, ck3parse.celery_compat.broker; print('celery' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# app


URLS = ["broker_url", "broker_read_url", "broker_write_url", "result_backend"]


@pytest.mark.parametrize("read_first", URLS)
def test_no_variable_of_celery_steers_the_application(
    read_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL", "RESULT_BACKEND"):
        monkeypatch.setenv(f"CELERY_{name}", REDIS_URL)
    app = InMemory("test", broker="memory://", backend="cache+memory://", set_as_current=False)
    entry = compat_app._OwnSettings
    assert "memory://" in getattr(app.conf, read_first), no_longer(entry, "URLs are properties")
    for connection in (app.connection_for_read(), app.connection_for_write()):
        assert connection.transport_cls == "memory", no_longer(entry, "URLs are properties")
    assert "cache" in type(app.backend).__module__, no_longer(entry, "URLs are properties")


@pytest.mark.parametrize("stored", [b"\xc1", b"[]", b'{"status": 5}', b'{"status": "WELL"}'])
def test_what_is_no_result_is_none(
    stored: bytes, app: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    app.backend.set(app.backend.get_key_for_task("1"), stored)
    assert AsyncResult("1", app=app).state == states.PENDING, no_longer(
        compat_app.LastingApplication, "a backend reads through decode and meta_from_decoded"
    )


def test_what_is_heard_and_is_no_result_is_skipped(redis_app: Celery) -> None:
    listening = redis_app.backend.result_consumer
    heard: Any
    for heard in (None, [], {"status": 5}, {"status": states.SUCCESS, "task_id": 5}):
        listening.on_state_change(heard, None)


def test_a_failure_of_no_known_class_is_unreadable(app: Celery) -> None:
    failure = b'{"status": "FAILURE", "task_id": "1", "result": {"exc_type": 5}}'
    app.backend.set(app.backend.get_key_for_task("1"), failure)
    assert isinstance(AsyncResult("1", app=app).result, Exception)


# consumer


class Noting(consumer.LastingLoopConsumer):
    """A consumer that notes what it refused, and what it connected to."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.notes: list[Any] = []
        super().__init__(*args, **options)

    def connected(self, connection: Connection) -> None:
        self.notes.append(connection)

    def refused(self, message: Any, error: Exception) -> None:
        del message
        self.notes.append(error)


def made(app: Celery, kind: type[Noting] = Noting) -> Noting:
    worker = SimpleNamespace(use_eventloop=False, options={})
    return kind(lambda _: None, app=app, hostname="test", controller=worker)


def test_an_error_of_the_loop_is_one_that_celery_recovers_from(
    redis_app: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a full Redis")

    class Failing(Noting):
        loop = staticmethod(fail)

    caplog.set_level(logging.CRITICAL)
    failing = made(redis_app, Failing)
    with pytest.raises(failing.connection_errors, match="a full Redis"):
        failing.loop()


@pytest.mark.skipif(sys.platform == "win32", reason="workers do not run there")
def test_a_worker_that_was_told_to_end_at_once_says_so() -> None:
    script = """
import os, signal
from types import SimpleNamespace
from celery.apps.worker import install_worker_term_hard_handler
from ck3parse.celery_compat.consumer import ends_at_once
def fail(worker): raise OSError
install_worker_term_hard_handler(SimpleNamespace(hostname="one"), callback=fail, verbose=False)
print(ends_at_once())
try:
    os.kill(os.getpid(), signal.SIGQUIT)
except OSError:
    print(ends_at_once())
"""
    printed = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    what = "should_terminate is set, whatever the handler raises"
    assert printed == ["False", "True"], no_longer(consumer.ends_at_once, what)


def test_a_consumer_connects_through_connect(app: Celery) -> None:
    noting = made(app)
    connection = noting.connect()
    assert noting.notes == [connection]
    connection.release()


def test_closing_what_is_left_of_a_connection_raises_nothing(app: Celery) -> None:
    noting = made(app)
    noting.connection = object()
    noting.on_connection_error_after_connected(OSError())


class Garbage:
    """A message that holds no task."""

    body = b"\xc1"
    content_type = "application/json"
    content_encoding = "utf-8"
    headers: ClassVar[dict[str, Any]] = {"task": "known", "id": "1"}
    properties: ClassVar[dict[str, Any]] = {}
    delivery_info: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        self.settled: list[str] = []

    def ack(self) -> None:
        self.settled.append("ack")

    def reject_log_error(self, *_: object) -> None:
        self.settled.append("reject")


@pytest.mark.parametrize("error", [AttributeError, KeyError, TypeError, ValueError])
def test_a_message_that_is_no_task_is_refused(
    error: type[Exception], app: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    noting, message = made(app), Garbage()

    def strategy(*_: object, **__: object) -> None:
        raise error("shape")

    noting.strategies["known"] = strategy
    noting.create_task_handler()(cast("Any", message))
    assert message.settled == ["reject"], no_longer(Noting, "on_invalid_task rejects a message")
    assert [type(each) for each in noting.notes] == [InvalidTaskError]


def test_a_message_that_cannot_be_decoded_is_refused(
    app: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    noting, message = made(app), Garbage()
    noting.on_decode_error(cast("Any", message), ValueError("codec"))
    assert message.settled == ["ack"]
    assert "cannot be decoded: codec" in str(noting.notes[0])


# unwaited and fetching


def test_a_connection_to_redis_makes_channels_of_ours(redis_app: Celery) -> None:
    connection = redis_app.connection_for_write()
    fetching.fetch_ahead(connection)
    fetching.fetch_ahead(connection)
    kind = connection.transport.Channel
    what = "a transport makes channels of its attribute Channel"
    assert issubclass(kind, fetching.FetchingChannel), no_longer(unwaited.mix_in, what)
    assert kind.QoS is fetching.FetchingQoS
    transport = InMemory(broker="memory://").connection().transport
    assert not unwaited.mix_in(transport, unwaited.PublishingChannel)


def test_all_connections_to_a_redis_server_have_a_short_handshake(redis_app: Celery) -> None:
    connection = redis_app.connection_for_write()
    pooled = redis_app.pool.new()
    for each in (connection, connection.clone(), pooled):
        channel = object.__new__(each.transport.Channel)
        channel.connection = SimpleNamespace(client=each, default_port=6379)
        for asynchronous in (False, True):
            kind = channel._connparams(asynchronous)["connection_class"]
            what = "a channel makes connections of the class in _connparams"
            assert issubclass(kind, handshake.ShortHandshake), no_longer(handshake._Channel, what)
    pool = redis_app.backend.client.connection_pool
    assert issubclass(pool.connection_class, handshake.ShortHandshake), no_longer(
        handshake.shorten_results, "a backend makes connections of the class in connparams"
    )


@pytest.mark.parametrize("method", ["_put", "_put_fanout"])
def test_what_is_published_is_handed_over_as_commands(method: str) -> None:
    sent: list[Any] = []
    kind = type("Channel", (unwaited.PublishingChannel, kombu_redis.Channel), {})
    channel: Any = object.__new__(kind)
    channel.unwaited = SimpleNamespace(send=lambda *commands: sent.extend(commands))
    channel._expires = {}
    message = {"properties": {"priority": 0}}
    arguments = ("queue", message) if method == "_put" else ("queue", message, "key")
    getattr(channel, method)(*arguments)
    names = [command[0] for command in sent]
    assert names == ["LPUSH" if method == "_put" else "PUBLISH"], no_longer(
        unwaited.PublishingChannel, "what is published goes to _publish_batch"
    )


def test_a_message_is_noted_and_acknowledged_in_a_pipeline() -> None:
    sent: list[Any] = []
    channel = SimpleNamespace(
        commands=SimpleNamespace(send=lambda *commands: sent.extend(commands)),
        closed=False,
        ahead=2,
        do_restore=False,
        unacked_key="unacked",
        unacked_index_key="unacked_index",
    )
    entry = fetching.FetchingQoS
    qos: Any = entry(channel, prefetch_count=1)
    assert qos.room() == 3
    info = {"exchange": "", "routing_key": "queue"}
    qos.append(SimpleNamespace(delivery_info=info, _raw={}), "tag")
    assert qos.room() == 2, no_longer(entry, "_delivered has what was taken")
    qos.ack("tag")
    assert [each[0] for each in sent] == ["ZADD", "HSET", "ZREM", "HDEL"], no_longer(
        entry, "a message is noted and acknowledged in a pipeline"
    )
    assert qos.room() == 3
    qos._delivered.restored = True  # nothing is to be given back at the end


def test_an_interactive_task_overtakes_those_that_wait_for_a_process() -> None:
    semaphore = LaxBoundedSemaphore(1)
    worker = SimpleNamespace(semaphore=semaphore, _quick_acquire=semaphore.acquire)
    compat_prefork.let_overtake(worker, lambda task: str(task).startswith("i"))
    begun: list[str] = []
    for task in ("b1", "b2", "b3", "i1", "i2"):
        worker._quick_acquire(begun.append, task)
    for _ in range(5):
        semaphore.release()
    assert begun == ["b1", "i1", "i2", "b2", "b3"], no_longer(
        compat_prefork.let_overtake, "tasks wait in a semaphore"
    )


# prefork and request


def test_a_process_ends_by_a_signal_that_can_be_set() -> None:
    assert TERM_SIGNAL in (signal.SIGTERM, signal.SIGQUIT), no_longer(
        compat_prefork.Process, "TERM_SIGNAL is the signal that ends it"
    )


def test_a_process_leaves_between_two_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop of billiard, in this process: one job, and then `SystemExit` of `wait_for_job`."""
    process = compat_prefork.Process.__new__(compat_prefork.Process)
    sent: list[Any] = []

    class Pipe:
        put = staticmethod(sent.append)

        @staticmethod
        def get_payload() -> bytes:
            raise AssertionError("it waits for another job")

        class _reader:  # noqa: N801 - as billiard calls it
            poll = None

        get = None

    process.inq, process.outq, process.synq = Pipe, Pipe, None
    process._shutdown = process.on_ready_counter = None
    process.inqW_fd = process.synqW_fd = 0
    process.maxtasks = process.max_memory_per_child = None
    process._make_child_methods()
    receive = process.wait_for_job
    jobs: Iterator[Any] = iter([(2, (1, None, compat_prefork.leave_after_task, (), {}))])

    def wait_for_job() -> Any:
        return next(jobs, None) or receive()

    process.wait_for_job = wait_for_job
    monkeypatch.setattr(compat_prefork, "_leaving", False)
    with pytest.raises(SystemExit) as caught:
        process.workloop(pid=1)
    entry = compat_prefork.leave_after_task
    assert caught.value.code == 0
    assert len(sent) == 2, no_longer(entry, "a result is sent before the next wait_for_job")
    monkeypatch.setattr(compat_prefork, "_leaving", False)


def failed(error: type[BaseException], *args: Any) -> Any:
    try:
        raise error(*args)
    except error:
        return ExceptionInfo()


def test_each_process_of_a_pool_has_a_number_of_its_own() -> None:
    script = """
from billiard.pool import Pool
from ck3parse.celery_compat.prefork import process_index
pool = Pool(3)
while True:
    print(pool.apply(process_index), flush=True)
"""
    seen: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout
        try:
            for line, _ in zip(running.stdout, range(100_000), strict=False):
                seen.add(line.strip())
                if len(seen) == 3:
                    break
        finally:
            os.killpg(running.pid, signal.SIGKILL)
    what = "processes of a pool are numbered"
    assert seen == {"0", "1", "2"}, no_longer(compat_prefork.process_index, what)


def test_what_a_task_raised_is_in_a_wrapper_that_can_be_taken_away() -> None:
    exc_info = failed(TimeLimitExceeded, 3)
    reason = request.unwrap(exc_info)
    assert isinstance(reason, TimeLimitExceeded), no_longer(request.unwrap, "the reason is exc")
    assert exc_info.exception is reason


def test_a_lost_worker_is_reported_as_billiard_does() -> None:
    reason = request.unwrap(request.worker_lost("signal 11 (SIGSEGV)"))
    assert isinstance(reason, WorkerLostError)
    assert "signal 11 (SIGSEGV)" in str(reason)


ENDINGS = {
    "exitcode 3": "import os; os._exit(3)",
    "signal 9 (SIGKILL)": "import os; os.kill(os.getpid(), 9)",
}


@pytest.mark.skipif(sys.platform == "win32", reason="workers do not run there")
@pytest.mark.parametrize("status", ENDINGS)
def test_how_a_process_ended_is_seen_without_reaping_it(status: str) -> None:
    held = request.TaskRequest.__new__(request.TaskRequest)
    assert held.exit_status() is None  # no process has it yet
    with subprocess.Popen([sys.executable, "-c", ENDINGS[status]]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        class Job:
            @staticmethod
            def worker_pids() -> list[int]:
                return [process.pid]

        held._apply_result = lambda: Job
        assert held.exit_status() == status
    for name in ("_apply_result", "time_limits"):
        assert hasattr(Request, name), no_longer(request.TaskRequest, f"there is {name}")
    assert hasattr(ApplyResult, "worker_pids"), no_longer(request.TaskRequest, "jobs have pids")


def test_celery_looks_for_revoked_tasks_where_they_are_put() -> None:
    request.skip_tasks(["dropped"])
    assert "dropped" in celery_request.revoked_tasks, no_longer(
        request.skip_tasks, "a request looks into celery.worker.state.revoked"
    )


INNER_MODULES = [
    "billiard.common",
    "billiard.einfo",
    "billiard.pool",
    "billiard.util",
    "celery._state",
    "celery.app.utils",
    "celery.backends",
    "celery.concurrency",
    "celery.utils",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.request",
    "celery.worker.state",
    "kombu.asynchronous",
    "kombu.pidbox",
    "kombu.transport",
    "kombu.utils",
    "vine",
]
INNER_NAMES = {
    "amqp",
    "default_channel",
    "get_task_meta",
    "maintain_pool",
    "mark_as_failure",
    "on_state_change",
    "pool_cls",
    "remove_pending_result",
    "result_consumer",
    "store_result",
}
PACKAGE = Path(compat_app.__file__).parents[1]


def test_nothing_else_uses_inner_parts() -> None:
    """Names with an underscore are found by ruff (SLF001)."""
    found = []
    for file in PACKAGE.rglob("*.py"):
        if file.parent.name == "celery_compat":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if module and any(f"{module}.".startswith(f"{inner}.") for inner in INNER_MODULES):
                found.append(f"{file.relative_to(PACKAGE)}: {module}")
            if isinstance(node, ast.Attribute) and node.attr in INNER_NAMES:
                found.append(f"{file.relative_to(PACKAGE)}: {node.attr}")
    assert not found


def test_what_runs_a_task_looks_up_what_describes_its_result() -> None:
    source = inspect.getsource(trace.build_tracer)
    entry = result_text.describe_results
    assert "Rstr = saferepr(R, resultrepr_maxsize)" in source, no_longer(entry, "it is looked up")
