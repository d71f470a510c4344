"""Brokers with passwords and users, with TLS, and behind Sentinels."""

import base64
import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from celery import Celery

from ck3parse.config import QUEUE_BULK
from ck3parse.messaging.app import TASK_NAME
from ck3parse.parser import parse_bytes
from command import ck3parse, run_json
from embedded import client, parse
from polling import wait_until
from services import START_LIMIT_S, free_port, running, server, valkey, worker

PASSWORD = "a-password-of-its-own"  # noqa: S105
WITH_TLS = [program for program in [shutil.which("redis-server")] if program]


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    folder.mkdir()
    for number in range(50):
        (folder / f"f{number}.txt").write_text(f"key_{number} = {{ a = {number} }}")
    return folder


def parsed(mod: Path, url: str, *args: str, env: dict[str, str] | None = None) -> int:
    given: tuple[str | Path, ...] = (mod, "--broker", url, "--out", "o.sqlite", *args)
    count: int = run_json(*given, cwd=mod.parent, env=env)["parsed"]
    return count


@pytest.mark.thorough
def test_a_user_with_a_password_and_no_more_rights_than_it_needs(mod: Path) -> None:
    port = free_port()
    user = ["--user", "default", "off", "--user", "ck3parse", "on", f">{PASSWORD}", "~*", "&*"]
    user += ["+@all", "-@admin", "-@dangerous", "+info"]
    url = f"redis://ck3parse:{PASSWORD}@127.0.0.1:{port}/0"
    with server(valkey(), "--port", str(port), *user, cwd=mod.parent, port=port):
        with worker(url, cwd=mod.parent):
            assert parsed(mod, url) == 50
            shown = ck3parse("status", "--broker", url, cwd=mod.parent)
        assert shown.returncode == 0, shown.stderr
        wrong = f"redis://ck3parse:{PASSWORD}x@127.0.0.1:{port}/0"
        for refused in (wrong, f"redis://127.0.0.1:{port}/0"):
            done = ck3parse("run", mod, "--broker", refused, "--out", "n.sqlite", cwd=mod.parent)
            assert done.returncode == 3
            assert "closed to this user and password" in done.stderr
            assert PASSWORD not in done.stderr + done.stdout + shown.stdout


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Return a folder with a CA, and a certificate for 127.0.0.1 that the CA has signed."""
    folder = tmp_path / "tls"
    folder.mkdir()

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj")
    # From Python 3.13 on a CA is refused that does not say that it may sign certificates, and so is
    # a server that is said to be a CA, which it is by default.
    may_sign = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(*new, "/CN=test CA", "-keyout", "ca.key", "-out", "ca.crt", *may_sign)
    name = ("-addext", "subjectAltName=IP:127.0.0.1", "-CA", "ca.crt", "-CAkey", "ca.key")
    no_ca = ("-addext", "basicConstraints=critical,CA:FALSE")
    openssl(*new, "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.crt", *name, *no_ca)
    return folder


def tls_options(port: int, certificates: Path, *, auth_clients: str) -> list[str]:
    """Return the options of a server that speaks TLS."""
    options = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", auth_clients]
    for name, file in (("cert", "server.crt"), ("key", "server.key"), ("ca-cert", "ca.crt")):
        options += [f"--tls-{name}-file", str(certificates / file)]
    return options


@pytest.mark.parametrize("program", WITH_TLS)
def test_tls(program: str, mod: Path, certificates: Path) -> None:
    port = free_port()
    tls = tls_options(port, certificates, auth_clients="no")
    bare = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"
    url = f"{bare}?ssl_ca_certs={certificates / 'ca.crt'}"
    with server(program, *tls, "--requirepass", PASSWORD, cwd=mod.parent, port=port):
        with worker(url, cwd=mod.parent):
            assert parsed(mod, url) == 50
        # Its certificate is checked by default.
        done = ck3parse("run", mod, "--broker", bare, "--out", "n.sqlite", cwd=mod.parent)
        assert done.returncode == 3
        assert "CERTIFICATE_VERIFY_FAILED" in done.stderr


@pytest.mark.parametrize("program", WITH_TLS)
def test_a_server_that_asks_for_a_certificate(program: str, mod: Path, certificates: Path) -> None:
    port = free_port()
    tls = tls_options(port, certificates, auth_clients="yes")
    url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates / 'ca.crt'}"
    own = f"{url}&ssl_certfile={certificates}/server.crt&ssl_keyfile={certificates}/server.key"
    with server(program, *tls, cwd=mod.parent, port=port):
        for _ in range(2):  # OpenSSL has two ways to say it
            done = ck3parse("status", "--broker", url, cwd=mod.parent)
            assert done.returncode == 3
            assert "name yours with ssl_certfile and ssl_keyfile" in done.stderr
        done = ck3parse("status", "--broker", own.replace("server.crt", "no.crt"), cwd=mod.parent)
        assert "there is no file at the path that ssl_certfile in its URL names" in done.stderr
        with worker(own, cwd=mod.parent):
            assert parsed(mod, own) == 50


@pytest.mark.thorough
def test_sentinel(mod: Path) -> None:
    folder = mod.parent
    port, sentinel_port = free_port(), free_port()
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {sentinel_port}\nsentinel monitor playsets 127.0.0.1 {port} 1\n"
        f"sentinel auth-pass playsets {PASSWORD}\n"
    )
    url = f"sentinel://:{PASSWORD}@127.0.0.1:{sentinel_port}/0"
    env = {"CK3PARSE_SENTINEL_MASTER": "playsets"}
    needs = ("--requirepass", PASSWORD)
    with (
        server(valkey(), "--port", str(port), *needs, cwd=folder, port=port),
        server(valkey(), str(config), "--sentinel", cwd=folder, port=sentinel_port),
        worker(url, cwd=folder, env=env),
    ):
        assert parsed(mod, url, env=env) == 50


def test_a_worker_reads_beneath_its_roots_alone(broker: str, mod: Path) -> None:
    outside = mod.parent / "outside.txt"
    outside.write_text("secret = 1")
    (mod / "link.txt").symlink_to(outside)
    (mod / "folder").symlink_to(mod.parent)
    with worker(broker, cwd=mod.parent, env={"CK3PARSE_ROOTS": str(mod)}):
        for path in (
            "../outside.txt",
            "link.txt",
            "folder/outside.txt",
            "folder/mod/../outside.txt",
        ):
            answer = parse(broker, path=str(mod / path))
            assert answer["error_type"] == "PathNotAllowed", path
            assert "ast" not in answer
        for path in ("f1.txt", "folder/mod/f1.txt", "../mod/f1.txt"):
            assert parse(broker, path=str(mod / path))["ok"], path
        assert parse(broker, path="/etc/passwd")["error_type"] == "PathNotAllowed"


@pytest.mark.thorough
def test_another_celery_program_on_the_same_broker(broker: str, mod: Path) -> None:
    (mod.parent / "foreign.py").write_text(
        f"from celery import Celery\napp = Celery(broker={broker!r}, backend={broker!r})"
    )
    command = [sys.executable, "-m", "celery", "-A", "foreign", "worker", "-c", "1"]
    foreign = Celery(broker=broker, set_as_current=False)
    with running(command, cwd=mod.parent), contextlib.closing(foreign):
        wait_until(lambda: foreign.control.ping(timeout=0.3), START_LIMIT_S, "it answers")
        none = ck3parse("status", "--broker", broker, cwd=mod.parent)
        assert (none.returncode, "has no worker" in none.stderr) == (3, True)
        with worker(broker, cwd=mod.parent):
            shown = ck3parse("status", "--broker", broker, "--json", cwd=mod.parent)
            assert len(json.loads(shown.stdout)["workers"]) == 1
            assert parsed(mod, broker) == 50
        assert len(foreign.control.ping(timeout=0.3)) == 1


@pytest.mark.thorough
def test_files_that_the_worker_has_elsewhere(broker: str, mod: Path) -> None:
    there = mod.parent / "there"
    mod.rename(there)
    mod.mkdir()
    for path in there.iterdir():
        (mod / path.name).write_text("")  # as the client sees the names alone
    with worker(broker, cwd=mod.parent, env={"CK3PARSE_ROOTS": str(there)}):
        assert parsed(mod, broker, env={"CK3PARSE_PATH_MAP": f"/none=/x,{mod}={there}"}) == 50
        assert parse(broker, path=str(mod / "f1.txt"))["error_type"] == "PathNotAllowed"


def test_files_that_are_sent(broker: str, mod: Path) -> None:
    (mod / "bom.txt").write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    (mod / "large.txt").write_text("a = 1\n" * 2000)
    (mod / "twin.txt").write_text("key_7 = { a = 7 }")
    (mod / "gone.txt").symlink_to("nowhere")
    (mod / "empty.txt").write_text("")
    limit = {"CK3PARSE_MAX_FILE_BYTES": "10000"}
    # Its roots do not matter: it opens no file.
    with worker(broker, cwd=mod.parent, env={"CK3PARSE_ROOTS": "/nowhere", **limit}):
        args = (mod, "--broker", broker, "--transport", "content", "--out", "o.sqlite")
        report = run_json(*args, cwd=mod.parent, code=1, env=limit)
        assert report["parsed"] == 53
        failures = [(Path(f["path"]).name, f["error_type"]) for f in report["failures"]]
        assert failures == [("gone.txt", "FileNotFoundError"), ("large.txt", "FileTooLarge")]
        again = run_json(*args, cwd=mod.parent, code=1, env=limit)
        assert (again["parsed"], again["unchanged"]) == (0, 53)
        # A client with another limit meets the worker's.
        report = run_json(*args, cwd=mod.parent, code=1)
        assert [f["error_type"] for f in report["failures"]] == [
            "FileNotFoundError",
            "FileTooLarge",
        ]
        bom = parse(broker, content=b"\xef\xbb\xbfa = 1\r\n", name="bom.txt")
    expected = parse_bytes(b"\xef\xbb\xbfa = 1\r\n", "bom.txt")
    assert bom["node_count"] == expected.node_count
    assert bom["size"] == 10


class Planted:
    """An object that runs a command when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.file),)


@pytest.mark.thorough
def test_a_pickled_message_is_not_unpacked(broker: str, mod: Path) -> None:
    planted = mod.parent / "planted"
    headers = {"lang": "py", "task": TASK_NAME, "id": "planted", "root_id": "planted"}
    with worker(broker, cwd=mod.parent), client(broker) as app:
        with app.connection_for_write() as connection, connection.channel() as channel:
            channel.basic_publish(
                channel.prepare_message(
                    base64.b64encode(pickle.dumps(((Planted(planted),), {}, {}))).decode(),
                    content_type="application/x-python-serialize",
                    content_encoding="base64",
                    headers=headers,
                    properties={"correlation_id": "planted", "delivery_info": {}},
                ),
                exchange="",
                routing_key=QUEUE_BULK,
            )
        assert parse(broker, text="a = 1")["ok"]
        wait_until(
            lambda: "Refusing to deserialize" in (mod.parent / "output").read_text(),
            START_LIMIT_S,
            "it is refused",
        )
        assert not planted.exists()
        assert parse(broker, text="a = 1")["ok"]


@pytest.mark.thorough
def test_it_says_that_it_is_well_while_it_has_its_broker(tmp_path: Path) -> None:
    port, alive = free_port(), tmp_path / "alive"
    url = f"redis://127.0.0.1:{port}/0"
    env = {"CK3PARSE_ALIVE_FILE": str(alive)}
    start = ["--port", str(port)]
    with server(valkey(), *start, cwd=tmp_path, port=port):
        running = worker(url, cwd=tmp_path, env=env)
        running.__enter__()
        first = alive.stat().st_mtime
        wait_until(lambda: alive.stat().st_mtime > first, START_LIMIT_S, "it is written again")
        assert time.time() - alive.stat().st_mtime < 5
    try:
        wait_until(lambda: not alive.exists(), START_LIMIT_S, "it is taken away")
        with server(valkey(), *start, cwd=tmp_path, port=port):
            wait_until(alive.exists, START_LIMIT_S, "it is there again")
    finally:
        running.__exit__(None, None, None)
