"""A daemon that does what qbuilder's does, with the switch on and off."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from ck3parse.errors import Ck3parseError
from ck3parse.qbuilder_bridge import (
    ParseResult,
    ParseSubprocessError,
    ParseTimeoutError,
    get_pool,
    is_pool_enabled,
    parse_file,
)
from command import FAULTY

LEASE_S = 180.0
MAX_RETRIES = 3
TIMEOUT_S = 1
SCHEMA = """
CREATE TABLE files (file_id INTEGER PRIMARY KEY, relpath TEXT, content_hash TEXT);
CREATE TABLE build_queue (
    build_id INTEGER PRIMARY KEY, file_id INTEGER, status TEXT DEFAULT 'pending',
    retry_count INTEGER DEFAULT 0, error_message TEXT, lease_expires_at REAL, lease_holder TEXT
);
CREATE TABLE asts (
    ast_id INTEGER PRIMARY KEY, file_id INTEGER, content_hash TEXT, parser_version_id INTEGER,
    ast_blob TEXT, ast_format TEXT, parse_ok INTEGER, node_count INTEGER,
    UNIQUE (content_hash, parser_version_id)
);
"""
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


class Daemon:
    """Claims one item after another, parses its file, and stores what came of it."""

    def __init__(self, db: sqlite3.Connection, root: Path) -> None:
        self._db = db
        self._root = root

    def run(self) -> None:
        while item := self._claim():
            try:
                self._build(*item)
                self._finish(item[0], "completed")
            except (RuntimeError, Ck3parseError) as error:
                self._fail(item[0], error)

    def _claim(self) -> tuple[int, int, str, str] | None:
        now = time.time()
        self._db.execute(
            "UPDATE build_queue SET status = 'pending', lease_expires_at = NULL"
            " WHERE status = 'processing' AND lease_expires_at < ?",
            (now,),
        )
        row = self._db.execute(
            "UPDATE build_queue SET status = 'processing', lease_expires_at = ?, lease_holder = 'd'"
            " WHERE build_id = (SELECT build_id FROM build_queue WHERE status = 'pending'"
            " ORDER BY build_id LIMIT 1) RETURNING build_id, file_id",
            (now + LEASE_S,),
        ).fetchone()
        self._db.commit()
        if row is None:
            return None
        found = self._db.execute(
            "SELECT relpath, content_hash FROM files WHERE file_id = ?", (row[1],)
        )
        relpath, content_hash = found.fetchone()
        return row[0], row[1], relpath, content_hash

    def _build(self, build_id: int, file_id: int, relpath: str, content_hash: str) -> None:
        del build_id
        result = self._parse(self._root / relpath)
        if not result.success:
            raise RuntimeError(f"{result.error_type}: {result.error}")
        self._db.execute(
            "INSERT OR IGNORE INTO asts (file_id, content_hash, parser_version_id, ast_blob,"
            " ast_format, parse_ok, node_count) VALUES (?, ?, 1, ?, 'json', 1, ?)",
            (file_id, content_hash, result.ast_json, result.node_count),
        )

    def _parse(self, path: Path) -> ParseResult:
        if not is_pool_enabled():
            return parse_file(path, timeout=TIMEOUT_S)
        result = get_pool().parse_file(path, timeout_ms=TIMEOUT_S * 1000)
        if result.error_type == "ParseTimeout":
            raise ParseTimeoutError(str(path), TIMEOUT_S)
        if result.error_type == "WorkerCrashed":
            raise ParseSubprocessError(str(path), result.error or "")
        return result

    def _fail(self, build_id: int, error: Exception) -> None:
        query = "SELECT retry_count FROM build_queue WHERE build_id = ?"
        retries = self._db.execute(query, (build_id,)).fetchone()[0] + 1
        final = isinstance(error, ParseTimeoutError) or retries >= MAX_RETRIES
        # How a process died is said in other words each time.
        text = "" if isinstance(error, ParseSubprocessError) else str(error)
        self._finish(
            build_id, "error" if final else "pending", retries, f"{type(error).__name__}: {text}"
        )

    def _finish(
        self, build_id: int, status: str, retries: int = 0, message: str | None = None
    ) -> None:
        self._db.execute(
            "UPDATE build_queue SET status = ?, retry_count = ?, error_message = ?,"
            " lease_expires_at = NULL, lease_holder = NULL WHERE build_id = ?",
            (status, retries, message, build_id),
        )
        self._db.commit()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mod"
    root.mkdir()
    for name, content in CONTENTS.items():
        if content is not None:
            (root / name).write_bytes(content.encode())
    return root


def built(root: Path, switch: str) -> dict[str, list[tuple[object, ...]]]:
    """Run the daemon on a new database, and return all that is in it then."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    for name, content in CONTENTS.items():
        db.execute("INSERT INTO files (relpath, content_hash) VALUES (?, ?)", (name, content))
    db.execute("INSERT INTO build_queue (file_id) SELECT file_id FROM files")
    # One was in the hands of a daemon that died.
    db.execute(
        "UPDATE build_queue SET status = 'processing', lease_expires_at = 1 WHERE build_id = 2"
    )
    with bridge({**FAULTY, SWITCH: switch, "CK3PARSE_WORKERS": "2"}):
        Daemon(db, root).run()
    dump = {
        "files": db.execute("SELECT * FROM files ORDER BY 1").fetchall(),
        "build_queue": db.execute("SELECT * FROM build_queue ORDER BY 1").fetchall(),
        "asts": db.execute("SELECT * FROM asts ORDER BY 1").fetchall(),
    }
    db.close()
    return dump


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
    assert str(by_name["hangs.txt"][2]).startswith("ParseTimeoutError: Parse timeout after 1s: ")
    assert str(by_name["broken.txt"][2]).startswith("RuntimeError: ParseError: ")
    asts = {row[2]: json.loads(str(row[4])) for row in pipeline["asts"]}
    assert len(asts) == 4
    assert asts["brave = { index = 1 }"]["filename"] == str(root / "traits.txt")
