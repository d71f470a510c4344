import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import ck3parse as package
from ck3parse.parser import parser_in_use
from command import ck3parse
from json_schemas import fits
from services import running, wait_for_processes, worker

HERE = ["stat", "read", "read again", "hash", "parse", "compress"]
TRIP = ["publish", "queue wait", "work", "transfer"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mod" / "a.txt"
    path.parent.mkdir()
    path.write_text("trait = { index = 1 }\n" * 50)
    return path


def diagnose(
    *args: str | Path, cwd: Path, code: int = 0, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    done = ck3parse("diagnose", "--json", *args, cwd=cwd, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = fits("diagnose", done.stdout)
    assert told["ok"] is (code == 0)
    return told


def errors(told: Mapping[str, Any]) -> str:
    return "\n".join(f["what"] for f in told["findings"] if f["severity"] == "error")


def other_code(folder: Path, old: str, new: str) -> dict[str, str]:
    """Return the environment of a worker that runs a copy of the package with one thing changed."""
    copy = folder / "other" / "ck3parse"
    shutil.copytree(Path(package.__file__).parent, copy)
    init = copy / "__init__.py"
    init.write_text(init.read_text().replace(old, new))
    return {"PYTHONPATH": str(copy.parent)}


def test_a_file_s_way_in_stages(file: Path, tmp_path: Path) -> None:
    told = diagnose(file, cwd=tmp_path)
    (stages,) = told["files"]
    assert list(stages["local_ms"]) == HERE
    assert list(stages["trip_ms"]) == TRIP
    assert all(ms >= 0 for ms in [*stages["local_ms"].values(), *stages["trip_ms"].values()])
    assert stages["store_ms"] > 0
    assert (stages["size"], stages["same"], stages["error_type"]) == (1100, True, None)
    assert list(told["starting_ms"]) == [
        "python", "ck3parse", "parser", "celery", "broker", "broker and worker",
    ]  # fmt: skip
    assert told["client"]["parser"] == parser_in_use().name
    assert told["client"]["package"] == str(Path(package.__file__).parent)
    (theirs,) = told["workers"].values()
    assert theirs["code"] == told["client"]["code"]
    assert theirs["roots"] == [str(file.parent)]
    assert told["route"]["waiting"] == {"ck3parse.interactive": 0, "ck3parse.bulk": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mod"]


@pytest.mark.thorough
def test_without_a_file_it_is_a_made_up_text_and_words(tmp_path: Path) -> None:
    done = ck3parse("diagnose", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    for words in (
        "the built-in sample",
        "queue wait",
        "pipeline.window.Window.submit",
        "this process",
    ):
        assert words in done.stdout


@pytest.mark.thorough
def test_a_broken_file_is_no_broken_setup(file: Path, tmp_path: Path) -> None:
    file.write_text("a = {\n b = }\n}")
    told = diagnose(file, cwd=tmp_path)
    assert f"{file}:2:6: ParseError" in told["findings"][-1]["what"]
    assert told["files"][0]["same"] is True


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "missing.txt: FileNotFoundError" in errors(diagnose("missing.txt", cwd=tmp_path, code=1))


@pytest.mark.thorough
def test_the_python_parser_is_told_to_be_slow(tmp_path: Path) -> None:
    told = diagnose(cwd=tmp_path, env={"CK3PARSE_PARSER": "python"})
    assert "The pure-Python parser is in use" in told["findings"][0]["what"]


@pytest.mark.thorough
def test_a_parser_that_does_not_exist(tmp_path: Path) -> None:
    told = diagnose(cwd=tmp_path, env={"CK3PARSE_PARSER": "no_such:parse"}, code=1)
    assert "The parser cannot be used: UsageError: CK3PARSE_PARSER is 'no_such:parse'" in errors(
        told
    )


@pytest.mark.thorough
def test_a_broker_that_cannot_be_reached(file: Path, tmp_path: Path) -> None:
    url = "redis://:secret@127.0.0.1:1/0"
    told = diagnose(file, "--broker", url, cwd=tmp_path, code=3)
    assert "cannot be reached" in errors(told)
    assert "secret" not in json.dumps(told)
    assert list(told["files"][0]["local_ms"]) == HERE


@pytest.mark.thorough
def test_a_broker_without_a_worker(broker: str, tmp_path: Path) -> None:
    assert "has no worker" in errors(diagnose("--broker", broker, cwd=tmp_path, code=3))


def test_a_worker_of_another_version_is_an_error(broker: str, file: Path, tmp_path: Path) -> None:
    env = other_code(tmp_path, package.__version__, "0.0.1")
    with worker(broker, cwd=tmp_path, env=env):
        told = diagnose(file, "--broker", broker, cwd=tmp_path, code=1)
    assert f"runs ck3parse 0.0.1, this is {package.__version__}." in errors(told)


@pytest.mark.thorough
def test_other_code_of_the_same_version_is_an_error(broker: str, tmp_path: Path) -> None:
    with worker(broker, cwd=tmp_path, env=other_code(tmp_path, '"""', '""" ')):
        told = diagnose("--broker", broker, cwd=tmp_path, code=1)
    assert f"other code with the same version, from {tmp_path}/other" in errors(told)


@pytest.mark.thorough
def test_a_worker_with_another_parser_is_an_error(broker: str, tmp_path: Path) -> None:
    env = {"CK3PARSE_PARSER": "faulty:parse", "PYTHONPATH": str(Path(__file__).parents[1])}
    with worker(broker, cwd=tmp_path, env=env):
        told = diagnose("--broker", broker, cwd=tmp_path, code=1)
    assert "parses with faulty:parse" in errors(told)


@pytest.mark.thorough
def test_roots_that_do_not_hold_the_file(broker: str, file: Path, tmp_path: Path) -> None:
    with worker(broker, cwd=tmp_path, env={"CK3PARSE_ROOTS": "/elsewhere"}):
        told = diagnose(file, "--broker", broker, cwd=tmp_path, code=1)
        assert "inside none of the worker's roots (/elsewhere)" in errors(told)
        assert not errors(
            diagnose(file, "--broker", broker, "--transport", "content", cwd=tmp_path)
        )


@pytest.mark.thorough
def test_a_path_map_that_does_not_fit(broker: str, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "copies" / "a.txt"
    other.parent.mkdir()
    other.write_text("old = yes")
    with worker(broker, cwd=tmp_path):
        args = (file, "--broker", broker)
        env = {"CK3PARSE_PATH_MAP": f"{file.parent}=/nowhere"}
        told = diagnose(*args, cwd=tmp_path, env=env, code=1)
        assert "the worker does not see it as /nowhere/a.txt" in errors(told)
        env = {"CK3PARSE_PATH_MAP": f"{file.parent}={other.parent}"}
        told = diagnose(*args, cwd=tmp_path, env=env, code=1)
        assert "the worker read another file" in errors(told)


@pytest.mark.thorough
def test_a_queue_that_nobody_listens_to(broker: str, tmp_path: Path) -> None:
    with worker(broker, "-Q", "ck3parse.bulk", cwd=tmp_path):
        told = diagnose("--broker", broker, cwd=tmp_path, code=1)
    assert "No worker listens to the queue ck3parse.interactive" in errors(told)


@pytest.mark.thorough
def test_a_worker_of_something_else(broker: str, tmp_path: Path) -> None:
    (tmp_path / "alien.py").write_text(
        "from celery import Celery\n"
        f"app = Celery(broker={broker!r}, backend={broker!r})\n"
        "app.conf.update(accept_content=['msgpack'], task_serializer='msgpack')\n"
        "app.conf.update(result_serializer='msgpack')\n"
    )
    command = [sys.executable, "-m", "celery", "-A", "alien", "worker", "-c", "1"]
    with running(command, cwd=tmp_path):
        wait_for_processes(broker, 1)
        told = diagnose("--broker", broker, cwd=tmp_path, code=1)
    assert "cannot say what it runs" in errors(told)
