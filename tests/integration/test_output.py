"""Reports in every encoding of the output, and outputs that cannot be written.

Issue 19, line 6.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ck3parse.parser import parser_in_use
from ck3parse.store import Store
from command import ENV, ck3parse
from qbuilder_database import Queued, make_database
from services import free_port, server, valkey, worker

NAME = "é☃.txt"
FILES = {NAME: 'x = { y = "é☃" }\n}', "a.txt": "a = 1"}
CANNOT_WRITE, READER_GONE = 4, 141
ENCODINGS = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
COMMANDS: dict[str, tuple[int, list[str]]] = {
    "run": (1, ["run", "mod", "--broker", "URL"]),
    "run --json": (1, ["run", "mod", "--broker", "URL", "--json", "-v"]),
    "check": (1, ["check", "mod", "--no-cache"]),
    "check json": (1, ["check", "mod", "--no-cache", "--format", "json"]),
    "check github": (1, ["check", "mod", "--no-cache", "--format", "github"]),
    "check sarif": (1, ["check", "mod", "--no-cache", "--format", "sarif"]),
    "show": (0, ["show", "mod/a.txt"]),
    "find --json": (1, ["find", "a", "mod", "--json"]),
    "uses": (0, ["uses", "a", "mod"]),
    "uses --json": (0, ["uses", "a", "mod", "--json"]),
    "conflicts --json": (0, ["conflicts", "mod", "--json"]),
    "conflicts sarif": (0, ["conflicts", "mod", "--sarif"]),
    "show tree": (0, ["show", "mod/a.txt", "--format", "tree", "--name", "é☃"]),
    "loc stats": (0, ["loc", "stats", "mod"]),
    "status": (0, ["status", "--broker", "URL"]),
    "status --json": (0, ["status", "--broker", "URL", "--json"]),
    "diagnose": (0, ["diagnose", f"mod/{NAME}", "--broker", "URL"]),
    "diagnose --json": (0, ["diagnose", f"mod/{NAME}", "--broker", "URL", "--json"]),
    "bench": (0, ["bench", "mod", "--rounds", "1", "--sample", "1", "--workers", "1"]),
    "qbuilder check": (0, ["qbuilder", "check", "--db", "q.db"]),
    "qbuilder check --json": (0, ["qbuilder", "check", "--db", "q.db", "--json"]),
    "qbuilder build": (0, ["qbuilder", "build", "--db", "q.db", "--broker", "URL"]),
    "completion": (0, ["completion", "bash"]),
    "explain": (0, ["explain", "E008"]),
    "help": (0, ["--help"]),
    "version": (0, ["--version"]),
}
"""The exit code and the arguments of each command; all use the same server."""
MOST = [name for name in COMMANDS if name != "bench"]
ENCODED = [
    *((name, "ascii") for name in MOST),
    *((name, "cp1252") for name in ("run", "run --json", "check", "show tree", "status")),
    *((name, "C locale") for name in ("run", "run --json", "show tree", "diagnose --json")),
]
JSON = [name for name in COMMANDS if name.split()[-1] in ("--json", "json", "sarif")]

pytestmark = pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="the system has no file that is always full"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("output")
    (folder / "mod").mkdir()
    for name, text in FILES.items():
        (folder / "mod" / name).write_text(text, encoding="utf-8")
    make_database(folder / "q.db", folder / "mod", [Queued(NAME, "E_SKIP")]).close()
    return folder


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    port = free_port()
    broker = f"redis://127.0.0.1:{port}/0"
    with server(valkey(), "--port", str(port), cwd=place, port=port), worker(broker, cwd=place):
        yield broker


def command(name: str, url: str) -> list[str]:
    args = [url if arg == "URL" else arg for arg in COMMANDS[name][1]]
    return [sys.executable, "-m", "ck3parse", *args]


def shell(
    redirection: str, name: str, url: str, place: Path, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a shell that redirects its output."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "bash", *command(name, url)],
        cwd=place,
        env={**ENV, **(env or {})},
        capture_output=True,
        timeout=120,
    )


def stored(place: Path) -> set[str]:
    with Store(place / "ck3parse.sqlite", parser_in_use().version) as store:
        return {name for _, name, _ in store.asts()}


@pytest.fixture(autouse=True)
def _without_store(place: Path) -> None:
    (place / "ck3parse.sqlite").unlink(missing_ok=True)


@pytest.mark.parametrize(("name", "encoding"), ENCODED)
def test_no_encoding_costs_a_command_its_report(
    name: str, encoding: str, url: str, place: Path
) -> None:
    done = shell("", name, url, place, ENCODINGS[encoding])
    # In a C locale, that file name is not valid text, and `diagnose` reports it.
    expected = 1 if encoding == "C locale" and "diagnose" in name else COMMANDS[name][0]
    assert done.returncode == expected, done.stderr
    assert done.stdout
    assert b"Traceback" not in done.stderr
    if name != "check github":  # UTF-8 for GitHub wherever it is
        done.stdout.decode("cp1252" if encoding == "cp1252" else "ascii")
    if name in JSON:
        assert json.loads(done.stdout)
    if name.startswith("run") and "help" not in name:
        assert stored(place) == {"a.txt"}
        assert NAME.encode("ascii", "backslashreplace")[-10:] in done.stdout or (
            encoding == "cp1252" and b"\xe9\\u2603.txt" in done.stdout
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_what_cannot_be_written_is_said_and_has_its_exit_code(
    name: str, url: str, place: Path
) -> None:
    for redirection in (">&-",) if name == "bench" else (">/dev/full", ">&-"):
        done = shell(redirection, name, url, place)
        assert done.returncode == CANNOT_WRITE, done.stderr
        lines = [line for line in done.stderr.splitlines() if b"standard output" in line]
        assert len(lines) == 1
        assert lines[0].startswith(b"ck3parse: standard output cannot be written: ")
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
        if name in ("run", "run --json"):
            assert stored(place) == {"a.txt"}


@pytest.mark.parametrize("name", ["run", "run --json", "check", "show", "status --json", "help"])
def test_without_a_place_for_messages_a_command_does_the_same(
    name: str, url: str, place: Path
) -> None:
    done = shell("2>/dev/full", name, url, place)
    assert done.returncode == COMMANDS[name][0]
    assert done.stdout
    if name in JSON:
        assert json.loads(done.stdout)
    done = shell(">&- 2>&-", name, url, place)
    assert (done.returncode, done.stdout, done.stderr) == (CANNOT_WRITE, b"", b"")
    if name in ("run", "run --json"):
        assert stored(place) == {"a.txt"}


@pytest.mark.parametrize("name", MOST)
def test_a_reader_that_goes_away_ends_a_command_quietly(name: str, url: str, place: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    gone = subprocess.run(
        command(name, url),
        cwd=place,
        env=ENV,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    os.close(write)
    assert gone.returncode == READER_GONE
    for words in (b"traceback", b"pipe", b"exception ignored"):
        assert words not in gone.stderr.lower()
    if name in ("run", "run --json"):
        assert stored(place) == {"a.txt"}


def test_serve_says_that_its_url_cannot_be_written(place: Path) -> None:
    for redirection in (">/dev/full", ">&-"):
        done = subprocess.run(
            [
                "bash",
                "-c",
                f'"$@" {redirection}',
                "bash",
                sys.executable,
                "-m",
                "ck3parse",
                "serve",
            ],
            cwd=place,
            env=ENV,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == CANNOT_WRITE
        assert b"ck3parse: standard output cannot be written: " in done.stderr
        assert b"Traceback" not in done.stderr


def test_an_embedded_run_with_a_log_that_cannot_be_written_completes(place: Path) -> None:
    for redirection in ("2>/dev/full", "2>&-", ">&- 2>&- <&-"):
        (place / "ck3parse.sqlite").unlink(missing_ok=True)
        command = '"$@" run mod -v --workers 1 ' + redirection
        done = subprocess.run(
            ["bash", "-c", command, "bash", sys.executable, "-m", "ck3parse"],
            cwd=place,
            env=ENV,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == (CANNOT_WRITE if ">&- 2" in redirection else 1)
        assert stored(place) == {"a.txt"}


def test_standard_input_that_cannot_be_read_is_a_usage_error(place: Path) -> None:
    for args in ("show -", "check -"):
        given = f'"$@" {args} <&-'
        done = subprocess.run(
            ["bash", "-c", given, "bash", sys.executable, "-m", "ck3parse"],
            cwd=place,
            env=ENV,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 2
        assert b"standard input cannot be read: " in done.stderr


def test_an_output_file_that_cannot_be_written_has_the_same_exit_code(place: Path) -> None:
    args = ("check", "mod", "--no-cache", "--output-file", "/dev/full")
    done = ck3parse(*args, cwd=place)
    assert done.returncode == CANNOT_WRITE
    assert "/dev/full cannot be written: No space left on device" in done.stderr
