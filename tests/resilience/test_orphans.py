"""The embedded broker leaves no process running, whichever of them dies."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ck3parse.embedded.broker import EmbeddedBroker
from command import FAULTY, start
from embedded import (
    START_LIMIT_S,
    Family,
    children_of,
    client,
    directory_of,
    hang_a_child,
    processes_of,
    wait_until_gone,
)
from polling import wait_until

OWNER = """
import os, sys
from ck3parse.embedded.broker import EmbeddedBroker

broker = EmbeddedBroker(2)
broker.start()
broker.wait_ready(30, worker=True)
print(broker.broker_url, flush=True)
"""
WAITING = "sys.stdin.read()"
LEAVING_A_FORKED_COPY = """
import signal
if os.fork() == 0:
    signal.pause()
sys.stdin.read()
"""
GONE_LIMIT_S = 15.0

HANGS = ["hang", "hang_in_c"]


@contextlib.contextmanager
def owner(then: str = WAITING) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a process that owns an embedded broker, and yield it with the URL of the broker."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER + then],
        env={**os.environ, **FAULTY, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().decode().strip()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def hang_one_child(url: str, fault: str, folder: Path) -> None:
    path = folder / "hang.txt"
    path.write_text(f"fault = {fault}")
    with client(url) as app:
        hang_a_child(app, path)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_outlives_its_owner(by: signal.Signals) -> None:
    with owner() as (process, url):
        family = Family(directory_of(url))
        process.send_signal(by)
        wait_until_gone(family.directory, GONE_LIMIT_S)


def test_these_tests_hold_when_nohup_starts_them(tmp_path: Path) -> None:
    """Issue 19, line 41: their children do not inherit that SIGHUP is ignored."""
    one = f"{__file__}::{test_nothing_outlives_its_owner.__name__}[{signal.SIGHUP}]"
    run = ["nohup", sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    run += ["--basetemp", str(tmp_path / "inner"), one]
    done = subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nothing_outlives_an_owner_that_just_ends() -> None:
    with owner("sys.exit(5)") as (process, url):
        assert process.wait(GONE_LIMIT_S) == 5
        wait_until_gone(directory_of(url), GONE_LIMIT_S)


@pytest.mark.parametrize("fault", HANGS)
def test_a_child_that_hangs_does_not_outlive_the_owner(fault: str, tmp_path: Path) -> None:
    with owner() as (process, url):
        hang_one_child(url, fault, tmp_path)
        process.kill()
        wait_until_gone(directory_of(url), GONE_LIMIT_S)


@pytest.mark.parametrize("fault", HANGS)
def test_a_child_that_hangs_does_not_outlive_the_supervisor(fault: str, tmp_path: Path) -> None:
    with EmbeddedBroker(2, env={**os.environ, **FAULTY}) as broker:
        broker.wait_ready(START_LIMIT_S, worker=True)
        hang_one_child(broker.broker_url, fault, tmp_path)
        family = Family(directory_of(broker.broker_url))
        os.kill(family.supervisor, signal.SIGKILL)
        wait_until(broker.failure, GONE_LIMIT_S, "it is reported")
        assert broker.failure() == "its supervisor was killed by SIGKILL"
        broker.stop()
        wait_until_gone(family.directory, GONE_LIMIT_S)


def test_nothing_outlives_the_supervisor_even_if_its_owner_does_not_look() -> None:
    with owner() as (process, url):
        family = Family(directory_of(url))
        os.kill(family.supervisor, signal.SIGKILL)
        wait_until(lambda: not processes_of(family.directory), GONE_LIMIT_S, "all are gone")
        process.communicate(timeout=GONE_LIMIT_S)
        assert not family.directory.exists()


def test_a_forked_copy_of_the_owner_keeps_nothing_alive() -> None:
    with owner(LEAVING_A_FORKED_COPY) as (process, url):
        family = Family(directory_of(url))
        others = {family.supervisor}
        wait_until(lambda: children_of(process.pid) - others, START_LIMIT_S, "the copy is there")
        process.kill()
        wait_until_gone(family.directory, GONE_LIMIT_S)


@pytest.mark.parametrize("fault", HANGS)
def test_nothing_outlives_a_killed_command(fault: str, tmp_path: Path) -> None:
    (tmp_path / "mod").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "mod" / f"{name}.txt").write_text(f"fault = {fault}")
    with (
        # Its path leaves room for a socket's, which pytest's own may not.
        tempfile.TemporaryDirectory(prefix="t") as runtime,
        start("run", "mod", cwd=tmp_path, env={**FAULTY, "XDG_RUNTIME_DIR": runtime}) as process,
    ):
        try:
            wait_until(lambda: list(Path(runtime).glob("*/broker.sock")), START_LIMIT_S, "it is up")
            (directory,) = Path(runtime).iterdir()
            wait_until(lambda: _has_children(directory), START_LIMIT_S, "the worker is up")
        finally:
            process.kill()
        wait_until_gone(directory, GONE_LIMIT_S)


def _has_children(directory: Path) -> bool:
    try:
        return len(Family(directory).children) > 0
    except (ValueError, OSError):
        return False
