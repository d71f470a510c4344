"""A daemon that works on its queue like qbuilder's, for one table of files."""

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from ck3parse.errors import Ck3parseError
from ck3parse.qbuilder_bridge import (
    ParseResult,
    ParseSubprocessError,
    ParseTimeoutError,
    get_pool,
    is_pool_enabled,
    parse_file,
)

LEASE_S = 180.0
MAX_RETRIES = 3
TIMEOUT_S = 5
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


class Daemon:
    """Claims one item after another, parses its file, and stores the result.

    Args:
        root: the folder of the files.
        files: the content hashes of the files, by name; each file is an item of the queue.
        timeout_s: the time limit of a file in seconds.

    Attributes:
        db: its database.
        failures: the number of failed attempts.
    """

    def __init__(self, root: Path, files: Mapping[str, object], timeout_s: int = TIMEOUT_S) -> None:
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.failures = 0
        self._root = root
        self._timeout_s = timeout_s
        self.db.executescript(SCHEMA)
        for name, content_hash in files.items():
            self.db.execute(
                "INSERT INTO files (relpath, content_hash) VALUES (?, ?)", (name, content_hash)
            )
        self.db.execute("INSERT INTO build_queue (file_id) SELECT file_id FROM files")

    def run(self) -> None:
        while item := self._claim():
            try:
                self._build(*item)
                self._finish(item[0], "completed")
            except (RuntimeError, Ck3parseError) as error:
                self._fail(item[0], error)

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Return the content of the database, and close it."""
        tables = {
            table: self.db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608
            for table in ("files", "build_queue", "asts")
        }
        self.db.close()
        return tables

    def _claim(self) -> tuple[int, int, str, str] | None:
        now = time.time()
        self.db.execute(
            "UPDATE build_queue SET status = 'pending', lease_expires_at = NULL"
            " WHERE status = 'processing' AND lease_expires_at < ?",
            (now,),
        )
        row = self.db.execute(
            "UPDATE build_queue SET status = 'processing', lease_expires_at = ?, lease_holder = 'd'"
            " WHERE build_id = (SELECT build_id FROM build_queue WHERE status = 'pending'"
            " ORDER BY build_id LIMIT 1) RETURNING build_id, file_id",
            (now + LEASE_S,),
        ).fetchone()
        self.db.commit()
        if row is None:
            return None
        found = self.db.execute(
            "SELECT relpath, content_hash FROM files WHERE file_id = ?", (row[1],)
        )
        relpath, content_hash = found.fetchone()
        return row[0], row[1], relpath, content_hash

    def _build(self, build_id: int, file_id: int, relpath: str, content_hash: str) -> None:
        del build_id
        result = self._parse(self._root / relpath)
        if not result.success:
            raise RuntimeError(f"{result.error_type}: {result.error}")
        self.db.execute(
            "INSERT OR IGNORE INTO asts (file_id, content_hash, parser_version_id, ast_blob,"
            " ast_format, parse_ok, node_count) VALUES (?, ?, 1, ?, 'json', 1, ?)",
            (file_id, content_hash, result.ast_json, result.node_count),
        )

    def _parse(self, path: Path) -> ParseResult:
        if not is_pool_enabled():
            return parse_file(path, timeout=self._timeout_s)
        result = get_pool().parse_file(path, timeout_ms=self._timeout_s * 1000)
        if result.error_type == "ParseTimeoutError":
            raise ParseTimeoutError(str(path), self._timeout_s)
        if result.error_type == "WorkerCrashed":
            raise ParseSubprocessError(str(path), result.error or "")
        return result

    def _fail(self, build_id: int, error: Exception) -> None:
        self.failures += 1
        query = "SELECT retry_count FROM build_queue WHERE build_id = ?"
        retries = self.db.execute(query, (build_id,)).fetchone()[0] + 1
        final = isinstance(error, ParseTimeoutError) or retries >= MAX_RETRIES
        # The message about a process's end differs each time.
        text = "" if isinstance(error, ParseSubprocessError) else str(error)
        self._finish(
            build_id, "error" if final else "pending", retries, f"{type(error).__name__}: {text}"
        )

    def _finish(
        self, build_id: int, status: str, retries: int = 0, message: str | None = None
    ) -> None:
        self.db.execute(
            "UPDATE build_queue SET status = ?, retry_count = ?, error_message = ?,"
            " lease_expires_at = NULL, lease_holder = NULL WHERE build_id = ?",
            (status, retries, message, build_id),
        )
        self.db.commit()
