"""Kubernetes' manifests: valid by its schemas, consistent, and without privileges."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ck3parse.config import QUEUE_BULK, QUEUE_INTERACTIVE, Settings
from deploy.checks import DEPLOY, package

KUBERNETES = DEPLOY / "kubernetes"
VERSIONS = ("1.30", "1.34")
CUSTOM = json.loads((Path(__file__).parent / "custom-objects.json").read_text())
"""JSON schemas of objects that Kubernetes itself does not have, with the fields used here."""


def objects() -> list[dict[str, Any]]:
    return [
        document
        for file in sorted(KUBERNETES.rglob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text("utf-8"))
    ]


def name_of(thing: dict[str, Any]) -> str:
    return f"{thing['kind']}-{thing.get('metadata', {}).get('name', 'none')}"


OBJECTS = objects()
OF_KUBERNETES = [thing for thing in OBJECTS if thing["kind"] not in CUSTOM]
PODS = [thing for thing in OBJECTS if "template" in thing.get("spec", {})]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


@pytest.mark.parametrize("thing", OF_KUBERNETES, ids=name_of)
def test_it_fits_kubernetes_schema(thing: dict[str, Any]) -> None:
    validate = package("kubernetes_validate")
    for version in VERSIONS:
        assert validate.validate(thing, version, strict=True) == version


def test_that_schema_notices_a_wrong_name() -> None:
    validate = package("kubernetes_validate")
    wrong = json.loads(json.dumps(of_kind("Deployment")["worker"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(validate.ValidationError, match="livenessProb"):
        validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("thing", [one for one in OBJECTS if one["kind"] in CUSTOM], ids=name_of)
def test_it_fits_our_schema_of_other_objects(thing: dict[str, Any]) -> None:
    jsonschema.validate(thing, CUSTOM[thing["kind"]])


def test_each_file_is_named_by_a_kustomization() -> None:
    for folder in {file.parent for file in KUBERNETES.rglob("*.yaml")}:
        named = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        there = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert set(named) == there, folder


@pytest.mark.parametrize("thing", PODS, ids=name_of)
def test_pods_have_no_privileges(thing: dict[str, Any]) -> None:
    pod = thing["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["livenessProbe"]
        assert container["readinessProbe"]


def variables(thing: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for container in thing["spec"]["template"]["spec"]["containers"]:
        yield from container["env"]


@pytest.mark.parametrize("thing", PODS, ids=name_of)
def test_variables_are_settings_and_secrets_are_none_of_the_files(thing: dict[str, Any]) -> None:
    for variable in variables(thing):
        name = variable["name"]
        if name.startswith("CK3PARSE_"):
            assert name.removeprefix("CK3PARSE_").lower() in Settings.__struct_fields__
        if "PASSWORD" in name or "AUTH" in name:
            secret = variable["valueFrom"]["secretKeyRef"]
            assert secret["name"] == "ck3parse"
            assert secret["key"] in {"redis-password", "flower-auth"}
    # Else Kubernetes sets variables such as FLOWER_PORT for the services.
    assert thing["spec"]["template"]["spec"]["enableServiceLinks"] is False
    assert "Secret" not in {one["kind"] for one in OBJECTS}


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions)
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )


def test_selectors_select_the_pods_that_they_are_for() -> None:
    labels = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in PODS
    }

    def selected(selector: dict[str, Any]) -> list[str]:
        return [name for name, own in labels.items() if matches(selector, own)]

    for name, own in labels.items():
        (pods,) = (one for one in PODS if one["metadata"]["name"] == name)
        assert selected(pods["spec"]["selector"]) == [name]
        assert own["app.kubernetes.io/component"] == name
    for kind in ("Service", "PodDisruptionBudget"):
        for name, one in of_kind(kind).items():
            selector = one["spec"]["selector"]
            selector = {"matchLabels": selector} if kind == "Service" else selector
            assert selected(selector) == [name]
    policies = of_kind("NetworkPolicy")
    assert policies["nothing-else"]["spec"]["podSelector"] == {}
    (rule,) = policies["to-redis"]["spec"]["ingress"]
    own_pods = rule["from"][0]["podSelector"]
    assert set(selected(own_pods)) == {
        "worker",
        "flower",
        "metrics",
    }
    monitor = of_kind("ServiceMonitor")["ck3parse"]["spec"]
    service = of_kind("Service")["metrics"]
    assert matches(monitor["selector"], service["metadata"]["labels"])
    # The alerts name the job.
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "ck3parse"
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_keda_looks_at_the_lists_that_are_the_queues() -> None:
    scaled = of_kind("ScaledObject")["worker"]["spec"]
    (namespace,) = of_kind("Namespace")
    assert scaled["scaleTargetRef"]["name"] in of_kind("Deployment")
    lists = {trigger["metadata"]["listName"] for trigger in scaled["triggers"]}
    assert lists == {QUEUE_BULK, QUEUE_INTERACTIVE}
    for trigger in scaled["triggers"]:
        host, port = trigger["metadata"]["address"].split(":")
        assert host.split(".")[:2] == ["redis", namespace]
        assert int(port) == of_kind("Service")["redis"]["spec"]["ports"][0]["port"]
        assert trigger["authenticationRef"]["name"] in of_kind("TriggerAuthentication")


def test_a_worker_is_given_the_time_that_it_takes_to_end() -> None:
    pod = of_kind("Deployment")["worker"]["spec"]["template"]["spec"]
    takes_s = Settings().celery()["worker_soft_shutdown_timeout"]
    assert pod["terminationGracePeriodSeconds"] > 2 * takes_s
    assert "REMAP_SIGTERM=SIGQUIT" in (DEPLOY.parent / "Dockerfile").read_text()
    alive = "$CK3PARSE_ALIVE_FILE"
    for probe in ("livenessProbe", "readinessProbe"):
        assert alive in pod["containers"][0][probe]["exec"]["command"][-1]
