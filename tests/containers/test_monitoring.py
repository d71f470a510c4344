"""`compose.yaml` with `--profile monitoring`, without Grafana, whose image may not be had."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from command import run_json
from containers.compose import Service, engine
from containers.mods import make_mod
from polling import wait_until
from services import wait_for_processes

pytestmark = pytest.mark.docker

_SCRAPES_LIMIT_S = 60.0
FILES = 60


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    services = ("redis", "worker", "metrics", "prometheus")
    with Service("compose.port.yaml", profile="monitoring", services=services) as up:
        wait_for_processes(up.broker_url, 2)
        yield up


def values(service: Service, query: str) -> list[float]:
    """Return the values of a query that Prometheus answers now."""
    url = f"http://127.0.0.1:{service.prometheus_port}/api/v1/query?{urlencode({'query': query})}"
    try:
        with urlopen(url, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
    except (URLError, OSError):
        return []
    return [float(one["value"][1]) for one in found]


def test_prometheus_sees_what_the_workers_do(service: Service, tmp_path: Path) -> None:
    mod = make_mod(tmp_path / "mod", FILES)
    args = (mod, "--broker", service.broker_url, "--transport", "content", "--out", "o.sqlite")
    assert run_json(*args, cwd=tmp_path)["parsed"] == FILES
    for query, expected in (
        ('up{job="ck3parse"}', 1),
        ("ck3parse_broker_up", 1),
        ("sum(ck3parse_workers)", 1),
        ("sum(ck3parse_files_total)", FILES),
        ("ck3parse_broker_memory_limit_bytes", 512 << 20),
    ):
        wait_until(lambda: values(service, query) == [expected], _SCRAPES_LIMIT_S, query)  # noqa: B023
    url = f"http://127.0.0.1:{service.prometheus_port}/api/v1/rules"
    with urlopen(url, timeout=10) as answer:
        (group,) = json.load(answer)["data"]["groups"]
    assert {rule["name"] for rule in group["rules"]} >= {"Ck3parseNoWorker", "Ck3parseBrokerDown"}


def test_only_prometheus_is_published_and_nothing_can_be_written(service: Service) -> None:
    (metrics,) = service.names("metrics")
    (prometheus,) = service.names("prometheus")
    assert not engine("port", metrics).stdout.strip()
    assert engine("port", prometheus).stdout.split()[-1].startswith("127.0.0.1:")
    for name in (metrics, prometheus):
        written = engine("exec", name, "sh", "-c", "touch /etc/x && echo written")
        assert "written" not in written.stdout
        status = engine("exec", name, "grep", "^Cap", "/proc/1/status").stdout
        assert {line.split()[1] for line in status.splitlines()} == {"0" * 16}
        assert engine("exec", name, "id", "-u").stdout.strip() != "0"
