"""Grafana's dashboard, and the files that hand it to Grafana, which is not there itself."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.checks import DASHBOARD, DEPLOY, MONITORING, lost, package

_GRID_COLUMNS = 24
PROVISIONING = MONITORING / "grafana" / "provisioning"


@pytest.fixture
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def kept_by_grafana(dashboard: dict[str, Any]) -> Any:
    """Return a dashboard as Grafana's own types read and write it."""
    package("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    types = package("grafana_foundation_sdk.models.dashboard")
    encoder = package("grafana_foundation_sdk.cog.encoder").JSONEncoder()
    return json.loads(encoder.encode(types.Dashboard.from_json(dashboard)))


def test_grafanas_types_know_each_field(dashboard: dict[str, Any]) -> None:
    assert not list(lost(dashboard, kept_by_grafana(dashboard)))
    panel = dashboard["panels"][-1]
    panel["targets"][0]["exprr"] = panel["optionss"] = ""
    panel["fieldConfig"]["defaults"]["custom"]["lineWdth"] = 1
    found = list(lost(dashboard, kept_by_grafana(dashboard)))
    assert [name.rpartition(".")[2] for name in found] == ["exprr", "lineWdth", "optionss"]


def test_each_panel_has_a_place_a_title_and_queries(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= _GRID_COLUMNS
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        ids = [target["refId"] for target in panel["targets"]]
        assert len(set(ids)) == len(ids)


def test_its_source_is_the_one_that_is_provisioned(dashboard: dict[str, Any]) -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())
    (source,) = sources["datasources"]
    named = {"type": source["type"], "uid": source["uid"]}
    for panel in [*dashboard["panels"], *dashboard["templating"]["list"]]:
        assert panel["datasource"] == named
        assert all(target["datasource"] == named for target in panel.get("targets", ()))
    providers = yaml.safe_load((PROVISIONING / "dashboards" / "ck3parse.yml").read_text())
    compose = yaml.safe_load((DEPLOY.parent / "compose.yaml").read_text())
    mounted = f"./{DASHBOARD.parent.relative_to(DEPLOY.parent)}"
    target = providers["providers"][0]["options"]["path"]
    assert f"{mounted}:{target}:ro" in compose["services"]["grafana"]["volumes"]
    assert source["url"] == "http://prometheus:9090"


def test_services_for_monitoring_are_locked_up_as_the_others() -> None:
    compose = yaml.safe_load((DEPLOY.parent / "compose.yaml").read_text())
    services = compose["services"]
    monitoring = {name for name, one in services.items() if one.get("profiles") == ["monitoring"]}
    assert monitoring == {"metrics", "prometheus", "grafana"}
    for name in monitoring:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["mem_limit"]
        assert service["pids_limit"]
        assert all(":-127.0.0.1:" in port for port in service.get("ports", ()))
    assert services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"].endswith(":-}")


@pytest.mark.parametrize("password", ["", "secret"])
def test_grafana_does_not_start_without_a_password(password: str, tmp_path: Path) -> None:
    compose = yaml.safe_load((DEPLOY.parent / "compose.yaml").read_text())
    *shell, script = compose["services"]["grafana"]["entrypoint"]
    started = tmp_path / "run.sh"
    started.write_text("#!/bin/sh\necho started\n")
    started.chmod(0o755)
    done = subprocess.run(
        [*shell, script.replace("$$", "$").replace("/run.sh", str(started))],
        env={"PATH": os.environ["PATH"], "GF_SECURITY_ADMIN_PASSWORD": password},
        capture_output=True,
        text=True,
    )
    if password:
        assert (done.returncode, done.stdout) == (0, "started\n")
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert "set CK3PARSE_GRAFANA_PASSWORD" in done.stderr
