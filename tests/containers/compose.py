"""Run `compose.yaml` with `docker compose`, or the program that `CK3PARSE_COMPOSE` names."""

import os
import secrets
import shlex
import subprocess
from pathlib import Path
from typing import Self

from services import free_port

ROOT = Path(__file__).parents[2]
COMPOSE = shlex.split(os.environ.get("CK3PARSE_COMPOSE", "docker compose"))
ENGINE = os.environ.get("CK3PARSE_ENGINE", "docker")
_LIMIT_S = 120


def engine(*args: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the container engine, and return its output."""
    return subprocess.run([ENGINE, *args], capture_output=True, text=True, timeout=_LIMIT_S)


class Service:
    """The service, in a project and with passwords and ports of its own.

    Args:
        files: further compose files.
        profile: the profile, or all services that have none.
        services: those to start, or all.
        variables: further variables of the environment.
    """

    def __init__(
        self, *files: str, profile: str = "", services: tuple[str, ...] = (), **variables: str
    ) -> None:
        self.project = f"ck3parse-test-{secrets.token_hex(4)}"
        self.password = secrets.token_hex(16)
        self.flower_auth = f"me:{secrets.token_hex(8)}"
        self.redis_port, self.flower_port = free_port(), free_port()
        self.prometheus_port = free_port()
        self._files = ["compose.yaml", *files]
        self._profile = ("--profile", profile) if profile else ()
        self._services = services
        self._env = {
            **os.environ,
            "CK3PARSE_REDIS_PASSWORD": self.password,
            "CK3PARSE_FLOWER_AUTH": self.flower_auth,
            "CK3PARSE_REDIS_ADDRESS": f"127.0.0.1:{self.redis_port}",
            "CK3PARSE_FLOWER_ADDRESS": f"127.0.0.1:{self.flower_port}",
            "CK3PARSE_PROMETHEUS_ADDRESS": f"127.0.0.1:{self.prometheus_port}",
            **variables,
        }

    @property
    def broker_url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.redis_port}/0"

    def __call__(self, *args: str) -> "subprocess.CompletedProcess[str]":
        files = [word for file in self._files for word in ("-f", file)]
        return subprocess.run(
            [*COMPOSE, "-p", self.project, *files, *self._profile, *args],
            cwd=ROOT,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
        )

    def names(self, service: str) -> list[str]:
        """Return the names of the running containers of a service."""
        listed = engine("ps", "--format", "{{.Names}}", "--filter", f"name={self.project}")
        return sorted(name for name in listed.stdout.split() if service in name)

    def __enter__(self) -> Self:
        done = self("up", "--detach", *self._services)
        assert done.returncode == 0, done.stderr
        return self

    def __exit__(self, *_: object) -> None:
        # podman-compose leaves containers that `--scale` added, and with them the networks.
        if left := self.names("worker")[1:]:
            engine("rm", "--force", "--time", "1", *left)
        self("down", "--volumes", "--timeout", "1")
