"""A real Prometheus that watches a real worker: every alert, and every query of the dashboard."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from command import FAULTY, run_json, start
from deploy.checks import DASHBOARD
from deploy.prometheus import Prometheus
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
