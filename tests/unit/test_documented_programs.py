"""Commands of other programs in README.md, docs/, CONTRIBUTING.md and help name what exists.

Issue 25, line 13. Those of `ck3parse` itself are in `test_documented_commands.py`, and
`tests/integration/test_documented_runs.py` starts the documented workers. What needs a container
engine or a cluster is looked at here only, except for these, which CI runs when there is an engine
(`tests/containers`): `docker build`, and `docker compose up` of `compose.yaml` alone, with
`compose.port.yaml`, and with the profile `monitoring`. `pip install .`, `make run`, `make lint` and
`make test` are run by CI in a fresh clone.
"""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import click
import pytest
import yaml
from celery.bin.celery import celery
from test_documented_commands import parsed

from ck3parse.cli import group
from ck3parse.config import Settings
from documented import REPOSITORY, Program, programs
from every_command import every_command

COMPOSE_FILES = ("compose.yaml", "compose.port.yaml", "compose.rabbitmq.yaml")
IMAGE = "localhost/ck3parse"
OTHERS = {"datasette"}
"""Packages of other people that a page installs."""


def of_help() -> Iterator[tuple[str, str]]:
    yield "the help of ck3parse", (group.epilog or "").replace("\b", "")
    for words, command in every_command():
        yield f"the help of {words}", (command.epilog or "").replace("\b", "")


COMMANDS = list(programs(of_help()))


@cache
def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    found: dict[str, Any] = table["project"]
    return found


@cache
def manifests() -> list[dict[str, Any]]:
    files = sorted((REPOSITORY / "deploy/kubernetes").glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text("utf-8")) if each]


def compose(files: list[str]) -> dict[str, Any]:
    """Return the services of some compose files, by name."""
    found: dict[str, Any] = {}
    for file in files or ["compose.yaml"]:
        services = yaml.safe_load((REPOSITORY / file).read_text("utf-8"))["services"]
        for name, service in services.items():
            found[name] = {**found.get(name, {}), **service}
    return found


def option(words: list[str], *names: str) -> list[str]:
    """Take an option and its values out of some words, and return the values."""
    values = []
    for name in names:
        while name in words:
            at = words.index(name)
            values.append(words[at + 1])
            del words[at : at + 2]
        for word in [each for each in words if each.startswith(f"{name}=")]:
            values.append(word.partition("=")[2])
            words.remove(word)
    return values


def check_pip(words: list[str]) -> None:
    verb, *rest = words
    assert verb in ("install", "wheel")
    wanted = [word for word in rest if word not in ("--no-deps", "--upgrade")]
    assert wanted
    for requirement in wanted:
        name, _, extras = requirement.partition(" @ ")[0].partition("[")
        assert name in (".", project()["name"]) or name in OTHERS, requirement
        for extra in filter(None, extras.rstrip("]").split(",")):
            assert extra in project()["optional-dependencies"], requirement


def check_celery(words: list[str]) -> None:
    assert option(words, "--app", "-A") == ["ck3parse"]
    if words[0] == "flower":  # a plugin, which the extra installs
        assert any(
            each.startswith("flower") for each in project()["optional-dependencies"]["flower"]
        )
        return
    parsed(celery, click.Context(celery, info_name="celery"), words)


def check_docker(words: list[str]) -> None:
    verb, *rest = words
    if verb == "compose":
        check_compose(rest)
    elif verb == "build":
        assert option(rest, "-t", "--tag") == [IMAGE]
        assert rest == ["."]
        assert (REPOSITORY / "Dockerfile").is_file()
    else:
        assert verb == "run"
        at = rest.index(IMAGE)
        variables = [each.partition("=")[0] for each in option(rest[:at], "--env")]
        assert variables
        assert all(is_setting(name) for name in variables)
        program, *arguments = rest[at + 1 :]
        CHECKS[program](arguments)


def check_compose(words: list[str]) -> None:
    files = option(words, "-f", "--file")
    assert set(files) <= set(COMPOSE_FILES)
    services = compose(files)
    for profile in option(words, "--profile"):
        assert any(profile in service.get("profiles", []) for service in services.values())
    verb, *rest = words
    assert verb in ("up", "down", "logs", "ps")
    for each in option(rest, "--scale"):
        assert each.partition("=")[0] in services
    assert all(word in services for word in rest if word not in ("--detach", "--follow"))


def check_kubectl(words: list[str]) -> None:
    spaces = option(words, "--namespace")
    verb, *rest = words
    names = {
        (each["kind"].lower(), each["metadata"]["name"])
        for each in manifests()
        if "metadata" in each
    }
    assert all(("namespace", name) in names for name in spaces)
    if verb == "create" and rest[0] == "namespace":
        assert ("namespace", rest[1]) in names
    elif verb == "create":
        keys = {each.partition("=")[0] for each in option(rest, "--from-literal")}
        assert rest == ["secret", "generic", "ck3parse"]
        text = "".join(map(str, manifests()))
        wanted = set(re.findall(r"'secretKeyRef': \{'name': 'ck3parse', 'key': '([^']*)'", text))
        assert keys == wanted
    elif verb == "apply":
        (folder,) = option(rest, "--kustomize")
        assert (REPOSITORY / folder / "kustomization.yaml").is_file()
    else:
        assert verb == "port-forward"
        kind, _, name = rest[0].partition("/")
        (found,) = [
            each
            for each in manifests()
            if (each["kind"].lower(), each.get("metadata", {}).get("name")) == (kind, name)
        ]
        assert f"'{'port' if kind == 'service' else 'containerPort'}': {rest[1]}" in str(found)


def check_make(words: list[str]) -> None:
    phony = re.search(
        r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert phony
    target, *variables = words
    assert target in phony[1].split()
    for each in variables:
        name, _, value = each.partition("=")
        assert name in ("TESTS", "PATHS", "SELECT")
        assert (REPOSITORY / value).exists()


def check_pytest(words: list[str]) -> None:
    option(words, "-m", "-k")
    assert words
    assert all((REPOSITORY / word).exists() for word in words)


def check_python(words: list[str]) -> None:
    if words[:2] == ["-m", "pytest"]:
        check_pytest(words[2:])
    elif words[0] != "-m":
        assert (REPOSITORY / words[0]).is_file(), words[0]


def check_cargo(words: list[str]) -> None:
    verb, *rest = [word for word in words if not word.startswith("+")]
    if verb == "run":
        (example,) = option(rest, "--example")
        assert (REPOSITORY / f"rust/core/examples/{example}.rs").is_file()
    elif verb == "fuzz":
        assert (REPOSITORY / f"rust/fuzz/fuzz_targets/{rest[1]}.rs").is_file()
        for each in rest:
            if each.startswith("-dict="):
                assert (REPOSITORY / "rust" / each.partition("=")[2]).is_file()
    else:
        assert verb in ("build", "test", "clippy", "fmt")


def is_setting(name: str) -> bool:
    """Return whether a variable is a setting, or one of the compose files or of a build."""
    if name.removeprefix("CK3PARSE_").lower() in Settings.__struct_fields__:
        return True
    return any(f"${{{name}" in (REPOSITORY / file).read_text("utf-8") for file in COMPOSE_FILES)


def check_export(words: list[str]) -> None:
    for each in words:
        assert is_setting(each.partition("=")[0]), each


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "pip": check_pip,
    "celery": check_celery,
    "docker": check_docker,
    "kubectl": check_kubectl,
    "make": check_make,
    "pytest": check_pytest,
    "python": check_python,
    "cargo": check_cargo,
    "export": check_export,
}


def test_commands_are_found() -> None:
    found = {command.words[0] for command in COMMANDS}
    assert found == CHECKS.keys()
    assert len(COMMANDS) > 60
    assert {command.page for command in COMMANDS} >= {
        "README.md",
        "CONTRIBUTING.md",
        "the help of serve",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: f"{each.page}:{each.line}")
def test_what_a_command_of_another_program_names_exists(command: Program) -> None:
    program, *words = command.words
    CHECKS[program](words)


@pytest.mark.parametrize(
    "text",
    [
        "pip install 'ck3parse[wach]'",
        "celery -A ck3parse wrker",
        "celery -A ck3parse worker --concurency=2",
        "docker compose --profile monitring up --detach",
        "docker compose -f compose.yml up",
        "docker compose up --detach workers",
        "docker build -t ck3parse .",
        "docker run --env CK3PARSE_BROKER=x localhost/ck3parse celery -A ck3parse worker",
        "kubectl apply --kustomize deploy/k8s",
        "kubectl --namespace ck3 port-forward service/flower 5555",
        "kubectl --namespace ck3parse port-forward service/flower 5556",
        "make tests",
        "make test TESTS=tests/units",
        "python benchmarks/gone.py FOLDER",
        "cargo run --release --example gone",
        "export CK3PARSE_REDIS_PASWORD=x",
    ],
)
def test_a_command_with_a_mistake_is_found(text: str) -> None:
    program, *words = shlex.split(text)
    with pytest.raises((AssertionError, click.UsageError)):
        CHECKS[program](words)
