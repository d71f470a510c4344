"""The bridge with workers that have other files than its process."""

import os
from pathlib import Path

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from ck3parse.errors import UsageError
from ck3parse.parser import parse_bytes
from ck3parse.qbuilder_bridge import (
    ParseFuture,
    enqueue_many,
    enqueue_parse,
    enqueue_parse_text,
    gather,
    parse_file,
    prefetch,
)
from services import worker

CONTENT = b"\xef\xbb\xbfkey = {\r\n a = 1 }\r\n"


def ast(name: str | Path) -> str:
    made = parse_bytes(CONTENT, str(name)).ast_json
    assert made
    return made.decode()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    for number in range(20):
        (folder / f"f{number}.txt").write_bytes(CONTENT)
    return folder


def test_files_that_are_sent(broker: str, here: Path, tmp_path: Path) -> None:
    files = sorted(here.iterdir())
    gone, large = here / "gone.txt", here / "large.txt"
    large.write_text("a = 1\n" * 2000)
    env = {
        SWITCH: "1",
        "CK3PARSE_BROKER_URL": broker,
        "CK3PARSE_TRANSPORT": "content",
        "CK3PARSE_MAX_FILE_BYTES": "10000",
    }
    # Its roots do not matter: it opens no file.
    with (
        worker(broker, cwd=tmp_path, env={"CK3PARSE_ROOTS": "/nowhere"}),
        bridge(env),
    ):
        one = parse_file(files[0])
        assert (one.path, one.ast_json) == (str(files[0]), ast(files[0]))
        results = {result.path: result for result in enqueue_many([*files, gone, large])}
        assert set(results) == {str(path) for path in [*files, gone, large]}
        assert all(results[str(path)].ast_json == ast(path) for path in files)
        assert results[str(gone)].error_type == "FileNotFoundError"
        assert results[str(large)].error_type == "FileTooLarge"
        assert "10,000" in (results[str(large)].error or "")
        # What cannot be read keeps its place among those that a future's id counts.
        futures = [enqueue_parse(path) for path in (gone, files[1], files[2])]
        text = enqueue_parse_text("a = 1", "text")
        found = [ParseFuture.from_id(future.id).result().success for future in futures]
        assert found == [False, True, True]
        assert [result.success for result in gather([*futures, text])] == [False, True, True, True]
        prefetch(files)
        assert [parse_file(path).ast_json for path in files] == [ast(path) for path in files]


def test_files_that_the_worker_has_elsewhere(broker: str, here: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    here.rename(there)
    env = {SWITCH: "1", "CK3PARSE_BROKER_URL": broker, "CK3PARSE_PATH_MAP": f"{here}={there}"}
    with (
        worker(broker, cwd=tmp_path, env={"CK3PARSE_ROOTS": str(there)}),
        bridge(env) as patch,
    ):
        one = parse_file(here / "f1.txt")
        assert (one.path, one.ast_json) == (str(here / "f1.txt"), ast(here / "f1.txt"))
        gone = parse_file(here / "gone.txt")
        assert (gone.path, gone.error_type) == (str(here / "gone.txt"), "FileNotFoundError")
        patch.chdir(tmp_path)
        assert parse_file("here/f2.txt").ast_json == ast("here/f2.txt")


def test_a_path_is_meant_from_where_its_caller_is(broker: str, here: Path, tmp_path: Path) -> None:
    env = {SWITCH: "1", "CK3PARSE_BROKER_URL": broker}
    with worker(broker, cwd=tmp_path), bridge(env) as patch:
        patch.chdir(here)
        one = parse_file("f3.txt")
        assert (one.path, one.ast_json) == ("f3.txt", ast("f3.txt"))


def test_a_path_map_that_cannot_be_used(broker: str, here: Path) -> None:
    env = {SWITCH: "1", "CK3PARSE_BROKER_URL": broker, "CK3PARSE_PATH_MAP": f"{os.curdir}=x"}
    with bridge(env), pytest.raises(UsageError, match="CK3PARSE_PATH_MAP cannot be used"):
        parse_file(here / "f1.txt")
