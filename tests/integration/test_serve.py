"""The command `ck3parse serve`."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ck3parse.config import QUEUE_BULK
from command import ck3parse, run_json, start
from embedded import (
    Family,
    client,
    directory_of,
    parse,
    processes_of,
    tasks_done,
    wait_until_gone,
)
from polling import wait_until

LOGIN = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("sh", ["sh", "-c", *sys.argv[1:]])
"""
START_LIMIT_S = 30.0
END_LIMIT_S = 15.0


class Server:
    """A running `ck3parse serve`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self.first_line = process.stdout.readline().decode()
        assert self.first_line, process.communicate()[1].decode()

    def end(self, by: signal.Signals) -> tuple[str, str]:
        """Send a signal, wait for the end, and return the rest of the output."""
        self.process.send_signal(by)
        return self.rest()

    def rest(self) -> tuple[str, str]:
        """Wait for the end, and return the rest of the output."""
        self.process.wait(END_LIMIT_S)
        out, err = self.process.stdout, self.process.stderr
        assert out is not None
        assert err is not None
        return out.read().decode(), err.read().decode()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Server]:
    with start("serve", "--workers", "2", "--json", cwd=tmp_path) as process:
        yield Server(process)
        process.kill()


def url_of(server: Server) -> str:
    url: str = json.loads(server.first_line)["broker_url"]
    return url


def test_it_prints_what_to_run(tmp_path: Path) -> None:
    with start("serve", "--workers", "1", cwd=tmp_path) as process:
        server = Server(process)
        url = server.first_line.strip()
        out, err = server.end(signal.SIGINT)
    assert out == f"ck3parse run --broker {url} PATH\n"
    assert "1 worker process, serving any file that you can read; press Ctrl-C to stop" in err


def test_runs_use_it(serving: Server, tmp_path: Path) -> None:
    assert json.loads(serving.first_line)["pid"] == serving.process.pid
    (tmp_path / "mod").mkdir()
    (tmp_path / "mod" / "a.txt").write_text("a = 1")
    for store in ("one", "two"):
        args = ("mod", "--broker", url_of(serving), "--out", store)
        assert run_json(*args, cwd=tmp_path)["parsed"] == 1
    assert tasks_done(url_of(serving)) == 2


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_with_all_that_it_started(by: signal.Signals, code: int, serving: Server) -> None:
    directory = directory_of(url_of(serving))
    serving.end(by)
    assert serving.process.returncode == code
    assert not processes_of(directory)
    assert not directory.exists()


def test_only_files_beneath_its_paths_are_read(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("a = 1")
    with start("serve", "in", "--json", cwd=tmp_path) as process:
        url = url_of(Server(process))
        assert parse(url, path=str(tmp_path / "in" / "a.txt"))["ok"]
        refused = parse(url, path=str(tmp_path / "out" / "a.txt"))
        assert refused["error_type"] == "PathNotAllowed"
        process.kill()


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = ck3parse("serve", "missing", cwd=tmp_path)
    assert done.returncode == 2
    assert "'missing' does not exist" in done.stderr


@pytest.mark.parametrize("victim", ["server", "worker"])
def test_what_died_is_started_again(victim: str, serving: Server) -> None:
    url = url_of(serving)
    before = Family(directory_of(url))
    os.kill(getattr(before, victim), signal.SIGKILL)
    wait_until(
        lambda: _is_up_without(before.worker, before.directory), START_LIMIT_S, "it is up again"
    )
    assert parse(url, text="a = 1")["ok"]
    _, err = serving.end(signal.SIGTERM)
    assert f"its {victim} was killed by SIGKILL" in err
    assert "started again" in err


def test_what_dies_again_and_again_is_said_and_started_again(serving: Server) -> None:
    """Issue 19, line 20: it gave up after six deaths within a minute."""
    directory = directory_of(url_of(serving))
    for _ in range(6):
        worker = Family(directory).worker
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: _is_up_without(worker, directory), START_LIMIT_S, "it is up")  # noqa: B023
    assert parse(url_of(serving), text="a = 1")["ok"]
    _, err = serving.end(signal.SIGTERM)
    assert err.count("started again: its worker was killed by SIGKILL") >= 5


@contextlib.contextmanager
def served_in_a_terminal(folder: Path, how: str) -> Iterator[tuple[int, str]]:
    """Start it by a shell's line with a terminal of its own, which goes once it is ready.

    Args:
        folder: where it runs.
        how: the line, with the command as `"$@"`; its output must go to the file `out`.

    Yields:
        Its process id and URL.
    """
    ours, theirs = pty.openpty()
    served = (sys.executable, "-m", "ck3parse", "serve", "--workers", "2", "--json")
    out = folder / "out"
    with subprocess.Popen(
        [sys.executable, "-c", LOGIN, how, "sh", *served],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as shell:
        os.close(theirs)
        try:
            wait_until(lambda: out.exists() and out.read_text(), START_LIMIT_S, "it is ready")
        finally:
            os.close(ours)
        server = json.loads(out.read_text())
        try:
            yield server["pid"], server["broker_url"]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "how",
    [
        'nohup "$@" >out 2>err & read forever',
        'trap "" HUP; exec "$@" >out',  # its messages go to the terminal
    ],
)
def test_one_that_ignores_that_its_terminal_goes_stays(how: str, tmp_path: Path) -> None:
    """Issue 19, line 41: it goes on to supervise its processes, which have no terminal either."""
    with served_in_a_terminal(tmp_path, how) as (pid, url):
        before = Family(directory_of(url))
        os.kill(before.supervisor, signal.SIGHUP)
        with client(url) as app:  # the worker complains
            app.send_task("unknown", queue=QUEUE_BULK)
        assert parse(url, text="a = 1")["ok"]
        os.kill(before.worker, signal.SIGKILL)
        wait_until(
            lambda: _is_up_without(before.worker, before.directory), START_LIMIT_S, "it is up again"
        )
        assert parse(url, text="a = 1")["ok"]
        assert Family(before.directory).supervisor == before.supervisor
        os.kill(pid, signal.SIGTERM)
        wait_until_gone(before.directory)


def test_one_whose_terminal_goes_ends_with_all_that_it_started(tmp_path: Path) -> None:
    with served_in_a_terminal(tmp_path, 'exec "$@" >out') as (_, url):
        wait_until_gone(directory_of(url))


def _wait_until_up_again(before: Family) -> None:
    """Wait until there is a new worker with its children."""
    wait_until(
        lambda: _is_up_without(before.worker, before.directory), START_LIMIT_S, "it is up again"
    )


def _is_up_without(worker: int, directory: Path) -> bool:
    try:
        family = Family(directory)
    except (ValueError, OSError):  # not all of it is there
        return False
    return family.worker != worker and len(family.children) == 2
