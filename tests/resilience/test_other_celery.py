"""A program uses Celery with its own settings and messages, and the bridge, too."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridging import LIMIT_S, bridge, output_of
from ck3parse.bridge.engine import SWITCH
from ck3parse.config import QUEUE_BULK
from ck3parse.messaging.app import TASK_NAME
from ck3parse.qbuilder_bridge import enqueue_parse_text, gather, parse_text
from command import ck3parse
from polling import wait_until
from reliability import Case
from servers import Server, Worker

pytestmark = pytest.mark.thorough

ON = {SWITCH: "1", "CK3PARSE_WORKERS": "1"}
OURS = {"CK3PARSE_PARSER": ""}
VARIABLES = (
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
)
HOST = """
import msgpack
from celery import Celery
from kombu import compression, serialization

# As programs do whose messages hold more than plain data.
def pack(what):
    return msgpack.packb(what, default=lambda number: msgpack.ExtType(1, str(number).encode()))

def unpack(body):
    return msgpack.unpackb(body, ext_hook=lambda _, data: complex(data.decode()))

serialization.register("msgpack", pack, unpack, "application/x-msgpack", "binary")
zstd = "application/zstd", ["zstd"]
compression.register(lambda body: b"own" + body, lambda body: body[3:], *zstd)
app = Celery("host", broker={url!r}, backend={url!r})
app.conf.update(
    accept_content=["msgpack"], task_serializer="msgpack", result_serializer="msgpack",
    task_compression="zstd", task_default_queue="host",
)

@app.task(name="double")
def double(number):
    assert isinstance(number, complex)
    return 2 * number
"""
USING = """
import host
from ck3parse.qbuilder_bridge import enqueue_many, parse_text
def doubled():
    return host.double.delay(1 + 2j).get(timeout=30)
assert doubled() == 2 + 4j
assert parse_text("a = 1").success
assert doubled() == 2 + 4j
assert parse_text("b = 2").success
print("both")
"""


@contextmanager
def running(*command: str, cwd: Path, env: dict[str, str]) -> Iterator[Path]:
    """Run a Celery worker until the end of the block, and return its log when it is ready."""
    log = cwd / "celery.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CK3PARSE_")}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "celery", *command, "-l", "INFO", "-c", "1"],
            cwd=cwd,
            env=clean | env,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:

            def ready() -> bool:
                assert process.poll() is None, log.read_text()
                return b" ready." in log.read_bytes()

            wait_until(ready, LIMIT_S, "the worker is ready")
            yield log
        finally:
            process.terminate()
            process.wait(LIMIT_S)


def test_its_variables_steer_nothing_of_ours(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 15."""
    case.of("program", "`CELERY_BROKER_URL` and its like name another broker")
    (tmp_path / "other").mkdir()
    (tmp_path / "mod").mkdir()
    (tmp_path / "mod" / "a.txt").write_text("a = 1")
    with (
        Server(tmp_path) as server,
        Server(tmp_path / "other") as other,
        Worker(server.url, tmp_path, env=OURS) as worker,
        bridge({**ON, "CK3PARSE_BROKER_URL": server.url}) as patch,
    ):
        worker.wait_ready()
        misleading = {**dict.fromkeys(VARIABLES, other.url), "CELERY_LOADER": "no.such:Loader"}
        for name, value in misleading.items():
            patch.setenv(name, value)
        assert parse_text("a = 1").success
        assert gather([enqueue_parse_text("a = 1")] * 3, LIMIT_S)[2].success
        for command in (
            ["run", "--timeout-ms", "20000", "mod"],
            ["status"],
            ["diagnose", "mod/a.txt"],
        ):
            done = ck3parse(*command, "--broker", server.url, cwd=tmp_path, env=misleading)
            assert done.returncode == 0, done.stdout + done.stderr
        with other.client() as redis:
            assert redis.keys("*") == []
        assert all(os.environ[name] == value for name, value in misleading.items())
    case.saw(4, 4, 0.0, "the other broker never heard of us")


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_worker_by_hand_takes_celery_s_own_option(tmp_path: Path, how: str) -> None:
    """Issue 19, line 15."""
    with Server(tmp_path) as server:
        option = ["-b", server.url] if how == "option" else []
        env = {"CK3PARSE_BROKER_URL": "redis://127.0.0.1:1/0"}
        if how == "variable":
            env["CELERY_BROKER_URL"] = server.url
        with (
            running("-A", "ck3parse", *option, "worker", cwd=tmp_path, env=env),
            bridge({**ON, "CK3PARSE_BROKER_URL": server.url}),
        ):
            assert parse_text("a = 1").success


@pytest.mark.parametrize("broker", ["one for both", "an embedded one"])
def test_its_messages_stay_its_own(tmp_path: Path, broker: str) -> None:
    """Issue 19, line 18."""
    with Server(tmp_path) as server, Worker(server.url, tmp_path, env=OURS) as worker:
        worker.wait_ready()
        (tmp_path / "host.py").write_text(HOST.replace("{url!r}", repr(server.url)))
        env = {**ON, "PYTHONPATH": str(tmp_path)}
        if broker == "one for both":
            env["CK3PARSE_BROKER_URL"] = server.url
        with running("-A", "host", "worker", "-Q", "host", "-n", "host", cwd=tmp_path, env={}):
            assert output_of(USING, env=env) == "both\n"


def test_clients_of_others_send_plain_msgpack(tmp_path: Path) -> None:
    """Issue 19, line 18: it needs nothing but what every Celery client knows."""
    with Server(tmp_path) as server, Worker(server.url, tmp_path, env=OURS) as worker:
        worker.wait_ready()
        code = (
            "import sys\nfrom celery import Celery\n"
            "app = Celery(broker=sys.argv[1], backend=sys.argv[1])\n"
            "app.conf.update(accept_content=['msgpack'], task_serializer='msgpack',\n"
            "    result_serializer='msgpack')\n"
            f"sent = app.send_task({TASK_NAME!r}, args=[[{{'id': '1', 'text': 'a = 1'}}]],\n"
            f"    queue={QUEUE_BULK!r})\n"
            "(answer,) = sent.get(timeout=30)\n"
            "print(answer['ok'], type(answer['ast']).__name__, *app.control.inspect().ping())\n"
        )
        assert output_of(code, server.url).startswith("True bytes one@")


def test_nothing_of_kombu_s_is_replaced() -> None:
    """Issue 19, line 18."""
    code = (
        "from kombu import compression, serialization\n"
        "def names():\n"
        "    known = serialization.registry\n"
        "    parts = (known._encoders, known._decoders, known.name_to_type, known.type_to_name,\n"
        "        compression._aliases, compression._encoders, compression._decoders)\n"
        "    return [dict(part) for part in parts]\n"
        "before = names()\n"
        "from ck3parse.qbuilder_bridge import parse_text\n"
        "assert parse_text('a = 1').success\n"
        "for old, new in zip(before, names()):\n"
        "    assert all(new[name] is old[name] for name in old)\n"
        "    assert all('ck3parse' in name for name in new.keys() - old.keys())\n"
        "print('same')"
    )
    assert output_of(code, env=ON) == "same\n"
