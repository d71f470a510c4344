"""Prometheus' configuration and alerts, checked by its own `promtool`."""

import shutil
import subprocess
from pathlib import Path

import yaml

from deploy.checks import MONITORING, program


def promtool(*args: str, cwd: Path = MONITORING) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program("promtool"), *args], cwd=cwd, capture_output=True, text=True, timeout=60
    )


def test_the_configuration_is_valid() -> None:
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stderr


def test_each_alert_fires_when_it_must_and_not_else() -> None:
    done = promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_those_tests_notice_a_wrong_threshold(tmp_path: Path) -> None:
    shutil.copytree(MONITORING, tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "alerts.yml"
    rules.write_text(rules.read_text().replace("> 0.9", "> 0.99"))
    done = promtool("test", "rules", "alerts_test.yml", cwd=tmp_path)
    assert done.returncode != 0
    assert "Ck3parseBrokerMemory" in done.stdout + done.stderr


def test_no_alert_is_without_tests() -> None:
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fire = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fire == silent == {rule["alert"] for rule in rules}
