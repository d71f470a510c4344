"""A real Prometheus, for tests and for the pictures in the docs."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.checks import MONITORING, program
from polling import wait_until
from services import free_port

_LIMIT_S = 90.0


def answers(url: str) -> bool:
    """Return whether a server has a page at an address."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


class Prometheus:
    """A server with this project's configuration, but for times and the address that it watches.

    Args:
        folder: for its files.
        watched: the address of `ck3parse metrics`.

    Attributes:
        url: its own address.
    """

    def __init__(self, folder: Path, watched: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
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
        address = self.url.removeprefix("http://")
        command += [f"--web.listen-address={address}", "--storage.tsdb.path=data"]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        try:
            wait_until(lambda: answers(f"{self.url}/-/ready"), _LIMIT_S, "Prometheus answers")
            yield self
        finally:
            process.terminate()
            process.wait()

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of its API."""
        query = urllib.parse.urlencode(parameters)
        url = f"{self.url}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error)}") from error

    def values(self, query: str) -> list[float]:
        """Return the values of a query now."""
        return [float(one["value"][1]) for one in self.api("query", query=query)["result"]]
