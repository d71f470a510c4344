"""`find` and `uses` while `run --watch` runs: another process answers them, with equal output."""

import contextlib
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from ck3parse import handover
from command import ENV
from polling import wait_until
from watching import DEADLINE_S, Watching

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

TRAITS = """\ufeffbrave = {
\tmartial = 1
\topposites = { shy }
}
shy = { martial = -1 }
"""
KEPT = b"index kept up to date by run --watch"
# A client that must not answer itself, as it cannot import what it would take.
HANDED_OVER = (
    "import sys; sys.modules['click'] = None; sys.argv[0] = 'ck3parse';"
    " from ck3parse import handover; handover.ACCEPT_LIMIT_S = 60;"
    " from ck3parse.__main__ import main; main()"
)


class Place:
    """A mod that is watched, and a folder for sockets.

    Args:
        folder: where the mod is made.
        sockets: the folder; paths of sockets must be short.
    """

    def __init__(self, folder: Path, sockets: str) -> None:
        self.folder = folder
        self.sockets = Path(sockets) / f"ck3parse-{os.getuid()}"
        self.env = {"XDG_RUNTIME_DIR": sockets, "PYTHONIOENCODING": ""}
        mod = folder / "mod/common/traits"
        mod.mkdir(parents=True)
        mod.joinpath("a.txt").write_text(TRAITS, encoding="utf-8")

    def servers(self) -> list[int]:
        """Return the ids of the processes that answer."""
        with contextlib.suppress(FileNotFoundError):
            return [int(each.name) for each in self.sockets.iterdir()]
        return []

    def ask(
        self, *args: str, env: Mapping[str, str] | None = None, handed_over: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        program = ["-c", HANDED_OVER] if handed_over else ["-m", "ck3parse"]
        return subprocess.run(
            [sys.executable, *program, *args],
            cwd=self.folder,
            env={**ENV, **self.env, **(env or {})},
            capture_output=True,
            check=False,
        )

    def alone(
        self, *args: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Ask where no process answers."""
        elsewhere = {"XDG_RUNTIME_DIR": str(self.folder)}
        return self.ask(*args, env={**(env or {}), **elsewhere}, handed_over=False)


@pytest.fixture(scope="module")
def sockets() -> Iterator[str]:
    made = tempfile.mkdtemp()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, sockets: str) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("place"), sockets)
    watching = Watching(made.folder, "run", "mod", "--watch", env=made.env)
    wait_until(made.servers, DEADLINE_S, "a process that answers")
    yield made
    watching.end()
    wait_until(lambda: not made.servers(), DEADLINE_S, "it ends with the watch")


@pytest.mark.parametrize(
    "args",
    [
        ("find", "brave"),
        ("find", "brave", "mod"),
        ("find", "brave", "--json"),
        ("find", "brav"),
        ("find", "b*", "--kind", "trait"),
        ("find", "brave", "-q"),
        ("find", "brave", "--no-update"),
        ("uses", "martial"),
        ("uses", "shy", "--json"),
        ("uses", "n\u00e4me"),
        ("find", "--help"),
        ("find",),
        ("find", "brave", "--nothing"),
        ("find", "brave", "--store", "gone.sqlite"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "env", [{}, {"FORCE_COLOR": "1"}, {"COLUMNS": "40"}], ids=["plain", "coloured", "narrow"]
)
def test_the_output_is_the_same(args: tuple[str, ...], env: dict[str, str], place: Place) -> None:
    alone = place.alone(*args, env=env)
    handed_over = place.ask(*args, env=env)
    assert handed_over.returncode == alone.returncode
    assert handed_over.stdout == alone.stdout
    assert handed_over.stderr == alone.stderr


def test_a_terminal_is_that_of_the_client(place: Place) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(
            [sys.executable, "-c", HANDED_OVER, "find", "brave"],
            cwd=place.folder,
            env={**ENV, **place.env, "TERM": "xterm"},
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        os.close(theirs)
        assert b"\x1b[1mbrave\x1b[0m (trait)" in terminal.read(10_000)


def test_a_reader_that_is_gone_ends_the_command(place: Place) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", HANDED_OVER, "find", "brave"],
        cwd=place.folder,
        env={**ENV, **place.env},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr


def test_many_at_once(place: Place) -> None:
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", HANDED_OVER, "uses", "martial", "--json"],
            cwd=place.folder,
            env={**ENV, **place.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(8)
    ]
    answers = {client.communicate()[0] for client in clients}
    assert [client.returncode for client in clients] == [0] * len(clients)
    assert answers == {place.alone("uses", "martial", "--json").stdout}


@pytest.mark.parametrize(
    ("args", "env"),
    [
        (("find", "brave", "mod", "--store", "other.sqlite"), {}),
        (("find", "brave"), {"PYTHONIOENCODING": "latin-1"}),
        (("find", "brave"), {"CK3PARSE_NOTHING": "1"}),
    ],
    ids=["another index", "another encoding", "a warning"],
)
def test_a_client_does_itself_what_the_other_does_not(
    args: tuple[str, ...], env: dict[str, str], place: Place
) -> None:
    handed_over = place.ask(*args, env=env)
    assert b"import of click halted" in handed_over.stderr
    done = place.ask(*args, env=env, handed_over=False)
    assert done.returncode == 0
    assert b"mod/common/traits/a.txt:1" in done.stdout
    assert done.stderr.count(b"CK3PARSE_NOTHING") == bool(env.get("CK3PARSE_NOTHING"))


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_is_not_replaced_by_the_socket(closed: int, place: Place) -> None:
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'exec "$0" "$@" {closed}>&-',
            sys.executable,
            "-c",
            HANDED_OVER,
            "find",
            "shy",
        ],
        cwd=place.folder,
        env={**ENV, **place.env},
        capture_output=True,
        check=False,
    )
    # It is not handed over, and this client cannot answer.
    assert done.returncode == 1
    assert done.stdout == b""
    assert (b"import of click halted" in done.stderr) == (closed != 2)


def test_other_code_or_other_folders_are_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = handover.identity()
    assert own == handover.identity()
    with monkeypatch.context() as patch:
        patch.setattr(handover, "__version__", "9")
        assert own != handover.identity()
    with monkeypatch.context() as patch:
        patch.setattr(handover, "_INSTALLED_NS", 1)
        assert own != handover.identity()
    if sys.platform == "linux":
        assert b"mnt:[" in own


@pytest.mark.parametrize("mode", [0o750, 0o701])
def test_a_folder_that_is_open_to_others_is_not_used(mode: int, place: Place) -> None:
    place.sockets.chmod(mode)
    try:
        assert b"import of click halted" in place.ask("find", "brave").stderr
        assert place.ask("find", "brave", handed_over=False).returncode == 0
    finally:
        place.sockets.chmod(0o700)


def test_a_process_that_stands_still_is_not_waited_for(place: Place) -> None:
    (server,) = place.servers()
    os.kill(server, signal.SIGSTOP)
    try:
        done = place.ask("find", "brave", handed_over=False)
    finally:
        os.kill(server, signal.SIGCONT)
    assert done.returncode == 0
    # The command that was given up is not run later.
    again = place.ask("find", "brave")
    assert again.stdout == done.stdout, again.stderr


def test_a_client_that_is_interrupted_ends_what_answers_it(place: Place) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:  # so that whoever writes to it waits
            os.write(writing, b"x" * 65536)
    with subprocess.Popen(
        [sys.executable, "-c", HANDED_OVER, "find", "brave"],
        cwd=place.folder,
        env={**ENV, **place.env},
        stdout=writing,
        stderr=subprocess.PIPE,
    ) as client:
        assert client.stderr
        assert client.stderr.readline().strip() == KEPT
        (server,) = place.servers()
        assert psutil.Process(server).children()
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=DEADLINE_S)
    assert client.returncode == handover.INTERRUPTED
    assert said == b"ck3parse: interrupted\n"
    wait_until(lambda: not psutil.Process(server).children(), DEADLINE_S, "the child ends")
    os.close(reading)
    os.close(writing)


def test_the_process_ends_with_a_watch_that_is_killed(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(tmp_path, folder)
        watching = Watching(tmp_path, "run", "mod", "--watch", env=place.env)
        wait_until(place.servers, DEADLINE_S, "a process that answers")
        watching.end(signal.SIGKILL)
        wait_until(lambda: not place.servers(), DEADLINE_S, "it ends with the watch")
        # Whoever was killed itself leaves a socket.
        dead = place.sockets / "1"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(dead))
        assert place.ask("find", "brave", handed_over=False).returncode == 0
        again = Watching(tmp_path, "run", "mod", "--watch", env=place.env)
        wait_until(lambda: place.servers() and not dead.exists(), DEADLINE_S, "it is removed")
        assert place.ask("find", "brave").returncode == 0
        again.end()
