"""A daemon like qbuilder's, with the pipeline switched on and off."""

import json
from pathlib import Path

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from command import FAULTY
from daemon import MAX_RETRIES, TIMEOUT_S, Daemon

CONTENTS = {
    "traits.txt": "brave = { index = 1 }",
    "same.txt": "brave = { index = 1 }",
    "names.txt": '\ufeffname = "Øyvind"\r\n',
    "empty.txt": "",
    "broken.txt": "a = {",
    "lexer.txt": 'a = "b',
    "hangs.txt": "fault = hang",
    "dies.txt": "fault = segfault ",
    "gone.txt": None,
    "last.txt": "z = 1",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mod"
    root.mkdir()
    for name, content in CONTENTS.items():
        if content is not None:
            (root / name).write_bytes(content.encode())
    return root


def built(root: Path, switch: str) -> dict[str, list[tuple[object, ...]]]:
    """Run the daemon with a new database, and return the content of the database."""
    daemon = Daemon(root, CONTENTS)
    # One was in the hands of a daemon that died.
    daemon.db.execute(
        "UPDATE build_queue SET status = 'processing', lease_expires_at = 1 WHERE build_id = 2"
    )
    with bridge({**FAULTY, SWITCH: switch, "CK3PARSE_WORKERS": "2"}):
        daemon.run()
    return daemon.dump()


def test_both_ways_build_the_same_database(root: Path) -> None:
    pipeline, legacy = built(root, "1"), built(root, "0")
    assert pipeline == legacy
    queue = {file_id: row for _, file_id, *row in pipeline["build_queue"]}
    by_name = {name: queue[file_id] for file_id, name, _ in pipeline["files"]}
    assert {name: row[0] for name, row in by_name.items()} == {
        name: "error"
        if name in ("broken.txt", "lexer.txt", "hangs.txt", "dies.txt", "gone.txt")
        else "completed"
        for name in CONTENTS
    }
    assert by_name["hangs.txt"][1] == 1  # final at once
    assert by_name["dies.txt"][1] == by_name["broken.txt"][1] == MAX_RETRIES
    assert str(by_name["hangs.txt"][2]).startswith(
        f"ParseTimeoutError: Parse timeout after {TIMEOUT_S}s: "
    )
    assert str(by_name["broken.txt"][2]).startswith("RuntimeError: ParseError: ")
    asts = {row[2]: json.loads(str(row[4])) for row in pipeline["asts"]}
    assert len(asts) == 4
    assert asts["brave = { index = 1 }"]["filename"] == str(root / "traits.txt")
