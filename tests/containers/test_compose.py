"""The whole service from `compose.yaml`, with its real image."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from command import ck3parse, run_json, start
from containers.compose import COMPOSE, ROOT, Service, engine
from containers.mods import expected, make_mod, stored
from polling import wait_until
from services import wait_for_processes

pytestmark = pytest.mark.docker

START_LIMIT_S = 60.0


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service("compose.port.yaml") as up:
        wait_for_processes(up.broker_url, 2)
        yield up


def get(service: Service, path: str, auth: str = "") -> tuple[int, str]:
    """Return status and content of a page of Flower's."""
    request = Request(f"http://127.0.0.1:{service.flower_port}{path}")
    if auth:
        request.add_header("Authorization", "Basic " + base64.b64encode(auth.encode()).decode())
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, ""


def test_with_nothing_set_it_says_what_to_set() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CK3PARSE_")}
    done = subprocess.run(
        [*COMPOSE, "up", "--detach"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode != 0
    last = (done.stderr or done.stdout).strip().splitlines()[-1]
    assert "CK3PARSE_REDIS_PASSWORD" in last
    assert "set it to a secret" in last


def test_files_that_are_sent(service: Service, tmp_path: Path) -> None:
    mod = make_mod(tmp_path / "mod", 300)
    args = (mod, "--broker", service.broker_url, "--transport", "content", "--out", "o.sqlite")
    assert run_json(*args, cwd=tmp_path)["parsed"] == 300
    assert stored(tmp_path / "o.sqlite") == expected(mod)


def test_more_workers_share_it_and_one_that_is_killed_loses_nothing(
    service: Service, tmp_path: Path
) -> None:
    mod = make_mod(tmp_path / "mod", 6000)
    done = service("up", "--detach", "--scale", "worker=3")
    assert done.returncode == 0, done.stderr
    wait_for_processes(service.broker_url, 6)
    store = tmp_path / "o.sqlite"
    args = ("run", "--json", mod, "--broker", service.broker_url, "--transport", "content")
    with start(*args, "--out", store, cwd=tmp_path) as process:
        wait_until(lambda: store.exists() and stored(store), START_LIMIT_S, "results come")
        assert engine("kill", service.names("worker")[-1]).returncode == 0
        out, err = process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out)["parsed"] == 6000
    assert stored(store) == expected(mod)

    def sharing() -> int:
        status = ck3parse("status", "--json", "--broker", service.broker_url, cwd=tmp_path)
        workers = json.loads(status.stdout)["workers"]
        return sum(worker["tasks_done"] > 0 for worker in workers)

    # A worker that answers too late for one `status` is not in it.
    wait_until(lambda: sharing() >= 2, START_LIMIT_S, "two workers say that they did tasks")


def test_flower_shows_nothing_without_the_password(service: Service) -> None:
    wait_until(lambda: _answers(service), START_LIMIT_S, "Flower answers")
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"):
        assert get(service, path)[0] == 401, path
        assert get(service, path, "me:wrong")[0] == 401, path
    assert get(service, "/workers", service.flower_auth)[0] == 200


def _answers(service: Service) -> bool:
    try:
        return get(service, "/healthcheck")[0] == 200
    except (URLError, OSError):
        return False


def test_flower_knows_tasks_by_their_files_and_gives_metrics(
    service: Service, tmp_path: Path
) -> None:
    mod = make_mod(tmp_path / "mod", 80)
    args = (mod, "--broker", service.broker_url, "--transport", "content", "--out", "o.sqlite")
    run_json(*args, cwd=tmp_path)

    def known() -> list[dict[str, Any]]:
        return list(json.loads(get(service, "/api/tasks", service.flower_auth)[1]).values())

    def succeeded() -> bool:
        return any("files, 'events/" in task["args"] for task in known() if task["succeeded"])

    # A worker sends its events once a second or so.
    wait_until(succeeded, START_LIMIT_S, "Flower knows a task that succeeded")
    assert {task["name"] for task in known()} == {"ck3parse.parse_batch"}
    assert all(len(task["args"]) < 200 for task in known())
    metrics = get(service, "/metrics")[1]
    assert 'flower_events_total{task="ck3parse.parse_batch",type="task-succeeded"' in metrics
    assert "flower_task_runtime_seconds_bucket" in metrics


def test_what_an_attacker_inside_a_worker_meets(service: Service) -> None:
    worker = service.names("worker")[0]

    def inside(command: str) -> str:
        return engine("exec", worker, "sh", "-c", command).stdout.strip()

    assert inside("id -u") == "10001"
    assert {line.split()[1] for line in inside("grep ^Cap /proc/1/status").splitlines()} == {
        "0" * 16
    }
    assert inside("grep NoNewPrivs /proc/1/status").split()[1] == "1"
    for folder in ("/", "/etc", "/opt/ck3parse", "/mods", "/usr/bin", "/usr/local"):
        assert inside(f"touch {folder}/x 2>&1 && echo written") != "written", folder
    assert inside("touch /tmp/x && echo written") == "written"
    limits = engine("inspect", "--format", "{{json .HostConfig}}", worker)
    host = json.loads(limits.stdout)
    assert (host["PidsLimit"], host["Memory"]) == (128, 1 << 30)


def test_redis_is_reached_from_its_network_alone_and_with_its_password() -> None:
    with Service() as service:
        redis = service.names("redis")[0]
        listening = engine("port", redis)
        assert not listening.stdout.strip()
        inside = engine("inspect", "--format", "{{json .NetworkSettings.Networks}}", redis)
        (network,) = json.loads(inside.stdout).values()
        probe = (
            "import socket,sys; s=socket.socket(); s.settimeout(3);"
            "sys.exit(s.connect_ex(('{}', 6379)) == 0)"
        ).format(network["IPAddress"])
        image = os.environ.get("CK3PARSE_IMAGE", "localhost/ck3parse:latest")
        assert engine("run", "--rm", image, "python", "-c", probe).returncode == 0
        refused = engine("exec", "--env", "REDISCLI_AUTH=", redis, "redis-cli", "dbsize")
        assert "NOAUTH" in refused.stdout


def test_it_goes_down_within_15_s_of_a_running_job(tmp_path: Path) -> None:
    mod = make_mod(tmp_path / "mod", 6000)
    with Service("compose.port.yaml") as service:
        wait_for_processes(service.broker_url, 2)
        store = tmp_path / "o.sqlite"
        args = ("run", "--json", mod, "--broker", service.broker_url, "--transport", "content")
        with start(*args, "--out", store, "--patience-s", "1", cwd=tmp_path) as process:
            wait_until(lambda: store.exists() and stored(store), START_LIMIT_S, "results come")
            began = monotonic()
            done = service("down")
            took_s = monotonic() - began
            process.communicate()
    assert done.returncode == 0, done.stderr
    assert took_s < 15
    assert process.returncode == 3
