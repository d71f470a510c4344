"""A real Prometheus that watches a real worker: every alert, and every query of the dashboard."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from command import FAULTY, run_json, start
from deploy.checks import DASHBOARD, MONITORING, program
from polling import wait_until
from servers import Server, Worker
from services import free_port

pytestmark = pytest.mark.thorough

LIMIT_S = 90.0
FILES = {
    "good.txt": "a = { b = c }",
    "broken.txt": "a = { b = ",
    "crash.txt": "fault = segfault",
    "hang.txt": "fault = hang",
    "memory.txt": "fault = memory",
}


class Prometheus:
    """A server with this project's configuration, but for times and the address that it watches.

    Args:
        folder: for its files.
        watched: the address of `ck3parse metrics`.
    """

    def __init__(self, folder: Path, watched: str) -> None:
        self._port = free_port()
        self._folder = folder
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "4s", "scrape_timeout": "4s"}
        config["global"]["evaluation_interval"] = "1s"
        config["rule_files"] = [str(MONITORING / "alerts.yml")]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [watched]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    @contextlib.contextmanager
    def running(self) -> "Iterator[Prometheus]":
        command = [program("prometheus"), "--config.file=prometheus.yml"]
        command += [f"--web.listen-address=127.0.0.1:{self._port}", "--storage.tsdb.path=data"]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        try:
            wait_until(self._answers, LIMIT_S, "Prometheus answers")
            yield self
        finally:
            process.terminate()
            process.wait()

    def _answers(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self._port}/-/ready"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of its API."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error)}") from error

    def values(self, query: str) -> list[float]:
        """Return the values of a query now."""
        return [float(one["value"][1]) for one in self.api("query", query=query)["result"]]


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    mod = folder / "mod" / "common"
    mod.mkdir(parents=True)
    for name, text in FILES.items():
        (mod / name).write_text(text)
    port = free_port()
    prometheus = Prometheus(folder, f"127.0.0.1:{port}")
    with Server(folder) as server, Worker(server.url, folder, env=FAULTY) as worker:
        wait_until(lambda: " ready." in worker.log(), LIMIT_S, "the worker is ready")
        address = f"127.0.0.1:{port}"
        served = start("metrics", "--broker", server.url, "--listen", address, cwd=folder)
        try:
            assert served.stdout
            served.stdout.readline()
            with prometheus.running():
                # What it counts from.
                files = "ck3parse_files_total"
                wait_until(lambda: prometheus.values(files), LIMIT_S, "it sees the worker")
                run = (mod.parent, "--broker", server.url, "--timeout-ms", "1000")
                run_json(*run, cwd=folder, env=FAULTY, code=1)
                failed = "sum(increase(ck3parse_batches_failed_total[5m])) > 0"
                wait_until(lambda: prometheus.values(failed), LIMIT_S, "it has seen failures")
                yield prometheus
        finally:
            served.kill()
            served.communicate()


def test_each_query_of_the_dashboard_has_data(after_a_run: Prometheus) -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) > len(dashboard["panels"])
    for query in queries:
        # As Grafana replaces its variables.
        plain = query.replace("$__rate_interval", "5m").replace("$instance", ".*")
        assert "$" not in plain
        assert after_a_run.values(plain), query
    (variable,) = dashboard["templating"]["list"]
    assert variable["query"] == "label_values(ck3parse_broker_up, instance)"
    assert after_a_run.api("label/instance/values", **{"match[]": "ck3parse_broker_up"})


def test_failures_are_counted_by_their_reason(after_a_run: Prometheus) -> None:
    for counter, label in (
        ("file_failures", 'error_type="ParseError"'),
        ("file_failures", 'error_type="MemoryError"'),
        ("batches_failed", 'reason="crash"'),
        ("batches_failed", 'reason="timeout"'),
        ("batches_sent_again", ""),
        ("processes_replaced", ""),
        ("files", ""),
        ("file_bytes", ""),
    ):
        query = f"sum(increase(ck3parse_{counter}_total{{{label}}}[5m])) > 0"
        wait_until(partial(after_a_run.values, query), LIMIT_S, query)


def test_each_alert_is_evaluated_and_those_of_this_run_fire(after_a_run: Prometheus) -> None:
    def rules() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = after_a_run.api("rules")["groups"][0]["rules"]
        return found

    wait_until(lambda: all(rule["health"] == "ok" for rule in rules()), LIMIT_S, "all are known")
    for rule in rules():
        after_a_run.api("query", query=rule["query"])  # an invalid one is an error
    firing = {"Ck3parseBatchesFail", "Ck3parseFilesFail"}

    def fire() -> bool:
        return firing <= {rule["name"] for rule in rules() if rule["state"] == "firing"}

    wait_until(fire, LIMIT_S, "the alerts of crashes and failures fire")
    silent = {rule["name"]: rule["state"] for rule in rules() if rule["state"] == "inactive"}
    assert {"Ck3parseBrokerDown", "Ck3parseMetricsDown", "Ck3parseNoWorker"} <= silent.keys()
