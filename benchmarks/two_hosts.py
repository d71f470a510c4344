"""Two hosts: broker and client on one, the worker on the other, with files sent as content.

    sudo python benchmarks/two_hosts.py PATH [--copies 10] [--cut-s 10] [--out-dir DIR]

The hosts are network namespaces of this machine, connected by a virtual cable. First the worker is
on the host with the files and reads them. Then it is on the other host and receives their content.
Then the cable is cut for some seconds during the run. Each time, every AST is compared with the
parser's. PATH is copied several times, with a different comment in each file, unless --copies is
0.
"""

import argparse
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from ck3parse.embedded.broker import _server_binary
from ck3parse.parser import parse_bytes, parser_in_use
from ck3parse.store import Store

BROKER_HOST, WORKER_HOST = "10.203.77.1", "10.203.77.2"
_PORT = 6379
_NAMES = tuple(f"ck3parse-{side}-{secrets.token_hex(2)}" for side in ("here", "there"))
_pause = threading.Event()


def main() -> int:
    """Run, print the results, and return 1 if anything was lost or differs, else 0."""
    options = argparse.ArgumentParser(description="The worker on another host.")
    options.add_argument("path", type=Path, help="a mod")
    options.add_argument("--copies", type=int, default=10)
    options.add_argument("--cut-s", type=float, default=10.0, help="how long the cable is cut")
    options.add_argument("--out-dir", type=Path, help="where to leave the stores")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary, _hosts() as (here, there):
        folder = given.out_dir or Path(temporary)
        mod = given.path.absolute()
        if given.copies:
            mod = _copies(mod, Path(temporary) / "mod", given.copies)
        expected, seconds = _expected(mod), {}
        password = secrets.token_hex(16)
        url = f"redis://:{password}@{BROKER_HOST}:{_PORT}/0"
        with _server(here, password, Path(temporary)):
            for name, host, transport, cut_s in (
                ("local", here, "path", 0.0),
                ("remote", there, "content", 0.0),
                ("cut", there, "content", given.cut_s),
            ):
                with _worker(host, url, Path(temporary)):
                    store = folder / f"{name}.sqlite"
                    args = ["--broker", url, "--transport", transport, "--out", str(store)]
                    seconds[name] = _run(here, mod, args, store, cut_s)
                    same = _stored(store) == expected
                said = "equal to the parser's" if same else "DIFFERENT"
                sys.stdout.write(f"{name:7}{seconds[name]:8.2f} s  {len(expected):,} ASTs {said}\n")
                if not same:
                    return 1
    ratio = seconds["remote"] / seconds["local"]
    sys.stdout.write(f"remote, content : local, path = {ratio:.2f} : 1\n")
    sys.stdout.write(f"a cable cut for {given.cut_s:g} s: nothing lost\n")
    return 0


@contextlib.contextmanager
def _hosts() -> Iterator[tuple[list[str], list[str]]]:
    """Create the hosts, and yield for each the prefix that runs a command on it."""
    here, there = _NAMES
    try:
        for name in _NAMES:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", here, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", there)
        for name, address in ((here, BROKER_HOST), (there, WORKER_HOST)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")
        yield ["ip", "netns", "exec", here], ["ip", "netns", "exec", there]
    finally:
        for name in _NAMES:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL)


def _ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True)


def _files(mod: Path) -> list[Path]:
    """Return the files to parse: a folder may have such a name, too."""
    return [path for path in mod.rglob("*.txt") if path.is_file()]


def _copies(mod: Path, out: Path, count: int) -> Path:
    for number in range(count):
        for path in _files(mod):
            copy = out / str(number) / path.relative_to(mod)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes() + b"\n# %d" % number)
    return out


def _expected(mod: Path) -> dict[str, bytes]:
    asts = {}
    for path in _files(mod):
        name = path.relative_to(mod).as_posix()
        if ast := parse_bytes(path.read_bytes(), name).ast_json:
            asts[name] = ast
    return asts


def _stored(store: Path) -> dict[str, bytes]:
    with Store(store, parser_in_use().version) as opened:
        return {name: ast for _, name, ast in opened.asts()}


@contextlib.contextmanager
def _running(command: list[str], folder: Path, **env: str) -> Iterator[None]:
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **env}, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _server(host: list[str], password: str, folder: Path) -> Iterator[None]:
    command = [*host, str(_server_binary()), "--bind", BROKER_HOST, "--port", str(_PORT)]
    with _running([*command, "--requirepass", password, "--save", ""], folder):
        yield


@contextlib.contextmanager
def _worker(host: list[str], url: str, folder: Path) -> Iterator[None]:
    command = [*host, sys.executable, "-m", "celery", "-A", "ck3parse", "worker", "-c", "2"]
    with _running(command, folder, CK3PARSE_BROKER_URL=url, REMAP_SIGTERM="SIGQUIT"):
        yield


def _run(host: list[str], mod: Path, args: list[str], store: Path, cut_s: float) -> float:
    """Parse the mod, and return the seconds in its report."""
    command = [
        *host,
        sys.executable,
        "-m",
        "ck3parse",
        "run",
        "--no-index",
        "--wait",
        "--json",
        str(mod),
    ]
    command += ["--include", "*.txt", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if cut_s:
            while not (store.exists() and _stored_count(store)):
                _pause.wait(0.02)
            _ip("-n", _NAMES[0], "link", "set", "cable", "down")
            began = monotonic()
            sys.stdout.write(f"cut after {_stored_count(store):,} files\n")
            while monotonic() - began < cut_s:
                _pause.wait(0.1)
            sys.stdout.write(f"joined again after {_stored_count(store):,} files\n")
            _ip("-n", _NAMES[0], "link", "set", "cable", "up")
        out, _ = process.communicate()
    report: dict[str, Any] = json.loads(out)
    return float(report["seconds"])


def _stored_count(store: Path) -> int:
    with Store(store, parser_in_use().version) as opened:
        return sum(1 for _ in opened.asts())


if __name__ == "__main__":
    sys.exit(main())
