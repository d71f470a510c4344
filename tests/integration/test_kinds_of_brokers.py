"""Lists of URLs, Valkey's URLs, Redis Cluster, and passwords in output, each with a real server.

Issue 19, lines 27, 29 and 38.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import ENV, ck3parse, run_json
from polling import wait_until
from servers import Worker
from services import free_port, running, server, valkey, worker

pytestmark = pytest.mark.thorough

PASSWORD = "Xse/cret#9"  # noqa: S105
WRITTEN = "Xse%2Fcret%239"


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    folder = tmp_path / "mod"
    folder.mkdir()
    for number in range(20):
        (folder / f"f{number}.txt").write_text(f"key_{number} = {{ a = {number} }}")
    return folder


def parsed(mod: Path, url: str, env: dict[str, str] | None = None) -> int:
    args = (mod, "--broker", url, "--out", "o.sqlite")
    count: int = run_json(*args, cwd=mod.parent, env=env)["parsed"]
    return count


def test_valkey_s_names_of_schemes_work(mod: Path) -> None:
    port, path = free_port(), mod.parent / "s"
    args = ("--port", str(port), "--unixsocket", str(path), "--requirepass", PASSWORD)
    url = f"valkey://:{WRITTEN}@127.0.0.1:{port}/0"
    with server(valkey(), *args, cwd=mod.parent, port=port), worker(url, cwd=mod.parent):
        assert parsed(mod, url) == 20
        (mod / "more.txt").write_text("a = 1")
        assert parsed(mod, f"valkey+socket://:{WRITTEN}@{path}") == 1
        shown = ck3parse("status", "--broker", url, cwd=mod.parent)
        assert f"valkey://:**@127.0.0.1:{port}/0" in shown.stdout
        told = ck3parse("diagnose", "--broker", url, cwd=mod.parent)
        said = shown.stdout + shown.stderr + told.stdout + told.stderr
    said += (mod.parent / "output").read_text()
    assert WRITTEN not in said
    assert PASSWORD not in said


def test_of_several_brokers_one_that_is_there_is_used(mod: Path) -> None:
    port, dead = free_port(), free_port()
    live = f"redis://127.0.0.1:{port}/0"
    with server(valkey(), "--port", str(port), cwd=mod.parent, port=port):
        # Results of a list come back at the first one.
        with worker(urls := f"{live};redis://127.0.0.1:{dead}/0", cwd=mod.parent):
            assert parsed(mod, urls) == 20
        (mod / "more.txt").write_text("a = 1")
        env = {"CK3PARSE_RESULT_BACKEND": live}
        with worker(urls := f"redis://127.0.0.1:{dead}/0;{live}", cwd=mod.parent, env=env):
            assert parsed(mod, urls, env) == 1


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis Cluster of one node."""
    port = free_port()
    # By itself it takes a port 10,000 higher, which the system may have given to somebody.
    args = ("--port", str(port), "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with server(valkey(), *args, cwd=tmp_path, port=port):
        from redis import Redis

        with Redis(port=port) as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
            wait_until(
                lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok",
                30,
                "the cluster is up",
            )
        yield f"redis://127.0.0.1:{port}/0"


def test_a_redis_cluster_is_refused_in_one_sentence(cluster: str, mod: Path) -> None:
    for args in (("run", mod, "--out", "o.sqlite"), ("status",), ("run", mod, "--wait")):
        done = ck3parse(*args, "--broker", cluster, cwd=mod.parent)
        assert done.returncode == 2
        assert "it is a Redis Cluster, which Celery cannot use: Redis, Valkey" in done.stderr
        assert done.stderr.count("Redis Cluster") == 1
        assert "Traceback" not in done.stderr


def test_a_worker_of_a_redis_cluster_ends_with_a_sentence(cluster: str, tmp_path: Path) -> None:
    with Worker(cluster, tmp_path) as ends:
        assert ends.process.wait(60) == 2
        log = ends.log()
    assert log.count("it is a Redis Cluster, which Celery cannot use: Redis, Valkey") == 1
    assert "Traceback" not in log


def test_a_cluster_that_is_the_result_backend_only_is_refused_too(
    broker: str, cluster: str, mod: Path
) -> None:
    env = {"CK3PARSE_RESULT_BACKEND": cluster}
    done = ck3parse("run", mod, "--broker", broker, cwd=mod.parent, env=env)
    assert done.returncode == 2
    assert "it is a Redis Cluster" in done.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"redis://:{PASSWORD}@host:6379/0", "not a valid URL"),
        (f"redis:/:{PASSWORD}@host", "not a valid URL"),
        (f"redis://host/0?password={WRITTEN}", "parameter"),
        (f"redis+cluster://:{WRITTEN}@host", "Redis Cluster"),
        (f"nonsense://:{WRITTEN}@host", "kind of broker is unknown"),
    ],
)
def test_who_holds_an_url_that_cannot_be_used_is_named_and_nothing_of_it(
    url: str, words: str, mod: Path
) -> None:
    env = {"CK3PARSE_BROKER_URL": url}
    done = [
        ck3parse("run", mod, cwd=mod.parent, env=env),
        ck3parse("diagnose", cwd=mod.parent, env=env),
        ck3parse("status", "--broker", url, cwd=mod.parent),
    ]
    for place, each in enumerate(done):
        holder = "CK3PARSE_BROKER_URL" if place < 2 else "--broker"
        assert each.returncode == 2
        assert f"{holder} cannot be used: " in each.stderr
        assert words in each.stderr
        assert len(each.stderr.splitlines()) == 1
    command = [sys.executable, "-m", "celery", "-A", "ck3parse", "worker"]
    log = mod.parent / "output"
    with running(command, cwd=mod.parent, env={**ENV, **env}) as process:
        assert process.wait(60) != 0
    assert words in log.read_text()
    said = "".join(each.stdout + each.stderr for each in done) + log.read_text()
    for part in (PASSWORD, WRITTEN, "cret", "Xse"):
        assert part not in said


def test_a_password_is_not_in_what_a_lost_broker_is_told_as(mod: Path) -> None:
    port = free_port()
    url = f"redis://{WRITTEN}:{WRITTEN}@127.0.0.1:{port}/0"
    done = ck3parse("run", mod, "--broker", url, cwd=mod.parent)
    assert done.returncode == 3
    program = (
        "from ck3parse.qbuilder_bridge import enqueue_parse_text\n"
        "try: print(enqueue_parse_text('a = 1').result())\n"
        "except Exception as error: print(error)\n"
    )
    env = {**ENV, "CK3PARSE_BROKER_URL": url, "CK3PARSE_PATIENCE_S": "1"}
    bridge = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr + bridge.stdout + bridge.stderr
    assert f"127.0.0.1:{port}" in done.stderr
    assert "cret" not in said
