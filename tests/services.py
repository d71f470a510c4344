"""Run brokers with a port, and workers, as a team would run them."""

import contextlib
import functools
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ck3parse.config import Settings
from ck3parse.embedded.broker import _server_binary
from ck3parse.messaging.app import make_app
from ck3parse.pipeline.census import process_count
from ck3parse.pipeline.connection import worker_stats
from polling import wait_until

START_LIMIT_S = 30.0
_STOP_LIMIT_S = 15.0


_PORTS = range(10_000, 32_000)
"""Below the ports that the system chooses for connections."""
_RUNNERS = 16


def free_port() -> int:
    """Return an unused port.

    No other process of pytest-xdist gets the same port, because a server may restart at its port.
    No later test gets it, because kombu's pools may have connections to an earlier server.
    """
    for port in _ports():
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("each port was used once")


@functools.cache
def _ports() -> Iterator[int]:
    runner = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _RUNNERS
    own = _PORTS[runner::_RUNNERS]
    return iter(random.sample(own, len(own)))


def valkey() -> str:
    """Return the path of the server program, after making it executable."""
    program = _server_binary()
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    return str(program)


@contextlib.contextmanager
def running(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the end of the block, with its output in the file `output`."""
    with (cwd / "output").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def server(program: str, *args: str, cwd: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server until the end of the block, which starts when the server accepts connections."""
    command = [program, *args, "--bind", "127.0.0.1", "--save", "", "--dir", str(cwd)]
    with running(command, cwd=cwd) as process:

        def listens() -> bool:
            assert process.poll() is None, (cwd / "output").read_text()
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, START_LIMIT_S, "the server listens")
        yield process


@contextlib.contextmanager
def worker(
    url: str,
    *options: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    processes: int | None = 1,
    total: int = 0,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `celery -A ck3parse worker` until the end of the block, which starts when it answers.

    Args:
        url: the URL of its broker.
        *options: further options of the worker.
        cwd: its current folder.
        env: further variables of its environment.
        processes: the number of its processes; `None`: its default.
        total: the number of processes of all workers of the broker, if there are others.

    Yields:
        The process of the worker.
    """
    own = {**(env or {}), "CK3PARSE_BROKER_URL": url, "REMAP_SIGTERM": "SIGQUIT"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CK3PARSE_")}
    command = [sys.executable, "-m", "celery", "-A", "ck3parse", "worker", "--loglevel=WARNING"]
    command += [] if processes is None else [f"--concurrency={processes}"]
    command += options
    with running(command, cwd=cwd, env=kept | own) as process:
        wait_for_processes(url, total or processes or None, env=own)
        yield process


def wait_for_processes(url: str, count: int | None, env: Mapping[str, str] | None = None) -> None:
    """Wait until all workers together have a number of processes, or any number for `None`."""
    app = make_app(Settings.from_env({**(env or {}), "CK3PARSE_BROKER_URL": url}))
    try:
        wait_until(
            lambda: (
                sum(map(process_count, worker_stats(app).values()))
                in (range(1, 1 << 16) if count is None else (count,))
            ),
            START_LIMIT_S,
            f"{count} worker processes answer",
        )
    finally:
        app.close()
