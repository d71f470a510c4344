"""A daemon like qbuilder's, with the pipeline switched on and off."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from ck3parse.qbuilder.installed import Qbuilder
from command import FAULTY
from qbuilder_database import Queued, connect, content, make_database
from qbuilder_worker import MAX_RETRIES, Worker

TIMEOUT_S = 5
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
    for name, text in CONTENTS.items():
        if text is not None:
            (root / name).write_bytes(text.encode())
    return root


def built(root: Path, path: Path, switch: str) -> dict[str, list[tuple[Any, ...]]]:
    """Work off a new database, and return its content."""
    db = make_database(path, root, map(Queued, CONTENTS))
    # One was in the hands of a daemon that died.
    db.execute(
        "UPDATE build_queue SET status = 'processing', lease_expires_at = 1 WHERE build_id = 2"
    )
    db.commit()
    with bridge({**FAULTY, SWITCH: switch, "CK3PARSE_WORKERS": "2"}):
        Worker(db, Qbuilder("no_such_qbuilder"), TIMEOUT_S).run()
    return content(db)


def test_both_ways_build_the_same_database(root: Path, tmp_path: Path) -> None:
    pipeline = built(root, tmp_path / "pipeline.db", "1")
    assert pipeline == built(root, tmp_path / "legacy.db", "0")
    db = connect(tmp_path / "pipeline.db")
    queue = db.execute(
        "SELECT relpath, status, retry_count, reclaim_count, error_message FROM build_queue"
        " JOIN files USING (file_id)"
    )
    by_name = {name: row for name, *row in queue}
    assert {name: row[0] for name, row in by_name.items()} == {
        name: "error"
        if name in ("broken.txt", "lexer.txt", "hangs.txt", "dies.txt", "gone.txt")
        else "completed"
        for name in CONTENTS
    }
    assert by_name["same.txt"][2] == 1
    assert by_name["hangs.txt"][1] == 1  # final at once
    assert by_name["dies.txt"][1] == by_name["broken.txt"][1] == MAX_RETRIES
    assert by_name["hangs.txt"][3].startswith(
        f"ParseTimeoutError: Parse timeout after {TIMEOUT_S}s: "
    )
    assert by_name["broken.txt"][3].startswith("RuntimeError: ParseError: ")
    asts = {row[0]: json.loads(row[3]) for row in pipeline["asts"]}
    assert len(asts) == 4
    digest = hashlib.sha256((CONTENTS["traits.txt"] or "").encode()).hexdigest()
    assert asts[digest]["filename"] == str(root / "traits.txt")
