"""A worker like qbuilder's own: it claims, parses, extracts, inserts and commits item by item.

It is what a build has to equal, and what the benchmark compares with. Written from what is known of
qbuilder's worker; it parses through the bridge, as qbuilder does with three lines changed.
"""

import json
import sqlite3
import time
from pathlib import Path

from ck3parse.errors import ErrorType
from ck3parse.extractors.qbuilder import extract
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder_bridge import (
    DEFAULT_PARSE_TIMEOUT,
    ParseResult,
    ParseSubprocessError,
    ParseTimeoutError,
    get_pool,
    is_pool_enabled,
    parse_file,
)

LEASE_S = 180
MAX_RETRIES = 3
MAX_RECLAIMS = 3


class Worker:
    """Works on the queue until it is empty.

    Args:
        db: a connection to the database.
        qbuilder: the installed qbuilder.
        timeout_s: the time limit of a file in seconds.

    Attributes:
        done: the number of attempts, and of those that succeeded and failed.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        qbuilder: Qbuilder,
        timeout_s: float = DEFAULT_PARSE_TIMEOUT,
    ) -> None:
        self._db = db
        self._qbuilder = qbuilder
        self._timeout_s = timeout_s
        columns = {row[1] for row in db.execute("PRAGMA table_info(content_versions)")}
        self._root = "cv.source_path" if "source_path" in columns else "mp.source_path"
        self._join = (
            ""
            if "source_path" in columns
            else (" LEFT JOIN mod_packages mp ON cv.mod_package_id = mp.mod_package_id")
        )
        self.done = {"items_processed": 0, "completed": 0, "errors": 0}

    def run(self) -> dict[str, int]:
        """Work, and return the number of attempts, and of those that succeeded and failed."""
        while claimed := self._claim():
            build_id, file_id, envelope, content_hash = claimed
            place = self._db.execute(
                f"SELECT f.content_version_id, f.relpath, {self._root} FROM files f"  # noqa: S608
                " JOIN content_versions cv ON f.content_version_id = cv.content_version_id"
                f"{self._join} WHERE f.file_id = ?",
                (file_id,),
            ).fetchone()
            if place is None:
                self._fail(build_id, f"File not found: file_id={file_id}")
                continue
            cvid, relpath, root = place
            if not root:
                self._fail(build_id, f"Cannot resolve root for cvid={cvid}")
                continue
            self.done["items_processed"] += 1
            try:
                for step in self._qbuilder.steps.get(envelope, ()):
                    self._step(step, file_id, cvid, Path(root) / relpath, relpath, content_hash)
                self._db.execute(
                    "UPDATE build_queue SET status = 'completed', completed_at = ?"
                    " WHERE build_id = ?",
                    (time.time(), build_id),
                )
                self._db.commit()
                self.done["completed"] += 1
            except Exception as error:  # noqa: BLE001 - as qbuilder does
                final = isinstance(error, ParseTimeoutError)
                message = f"{type(error).__name__}: {error}"
                self._fail(build_id, message, "parse" if final else None, final=final)
                self.done["errors"] += 1
        return self.done

    def _claim(self) -> tuple[int, int, str, str] | None:
        db, now = self._db, time.time()
        db.execute(
            "UPDATE build_queue SET status = 'error', error_message = 'Exceeded max reclaims ('"
            " || reclaim_count || ') - likely causing worker crashes', lease_expires_at = NULL,"
            " lease_holder = NULL WHERE status = 'processing' AND lease_expires_at < ?"
            " AND reclaim_count >= ?",
            (now, MAX_RECLAIMS),
        )
        db.execute(
            "UPDATE build_queue SET status = 'pending', reclaim_count = reclaim_count + 1,"
            " lease_expires_at = NULL, lease_holder = NULL"
            " WHERE status = 'processing' AND lease_expires_at < ?",
            (now,),
        )
        db.commit()
        row = db.execute(
            "UPDATE build_queue SET status = 'processing', lease_expires_at = ?,"
            " lease_holder = 'worker-1', started_at = COALESCE(started_at, ?) WHERE build_id ="
            " (SELECT build_id FROM build_queue WHERE status = 'pending'"
            " ORDER BY priority DESC, build_id ASC LIMIT 1)"
            " RETURNING build_id, file_id, envelope, work_file_hash",
            (now + LEASE_S, now),
        ).fetchone()
        db.commit()
        return None if row is None else (row[0], row[1], row[2], row[3] or "")

    def _fail(
        self, build_id: int, message: str, step: str | None = None, *, final: bool = False
    ) -> None:
        db = self._db
        row = db.execute("SELECT retry_count FROM build_queue WHERE build_id = ?", (build_id,))
        retries = row.fetchone()[0] + 1
        status = "error" if final or retries >= MAX_RETRIES else "pending"
        db.execute(
            "UPDATE build_queue SET status = ?, retry_count = ?, error_message = ?,"
            " error_step = ?, lease_expires_at = NULL, lease_holder = NULL WHERE build_id = ?",
            (status, retries, message, step, build_id),
        )
        db.commit()

    def _step(
        self, step: str, file_id: int, cvid: int, path: Path, relpath: str, content_hash: str
    ) -> None:
        if step == "parse":
            self._parse(file_id, path, content_hash)
        elif step == "extract_symbols":
            self._extract("symbols", relpath, content_hash)
        elif step == "extract_refs":
            self._extract("refs", relpath, content_hash)
        elif lookup := self._qbuilder.lookups.get(step):
            try:
                text = path.read_text("utf-8-sig")
            except UnicodeDecodeError:
                text = path.read_text("latin-1")
            lookup(text, file_id, cvid, self._db)
            self._db.commit()

    def _parse(self, file_id: int, path: Path, content_hash: str) -> None:
        if not path.exists():
            raise FileNotFoundError(f"File not found: {path}")
        if self._stored(content_hash):
            return
        result = self._parsed(path)
        if not result.success:
            raise RuntimeError(f"{result.error_type}: {result.error}")
        self._db.execute(
            "INSERT OR IGNORE INTO asts (file_id, content_hash, parser_version_id, ast_blob,"
            " ast_format, parse_ok, node_count, created_at)"
            " VALUES (?, ?, 1, ?, 'json', 1, ?, datetime('now'))",
            (file_id, content_hash, result.ast_json, result.node_count),
        )

    def _parsed(self, path: Path) -> ParseResult:
        if not is_pool_enabled():
            return parse_file(path, timeout=self._timeout_s)
        result = get_pool().parse_file(path, timeout_ms=self._timeout_s * 1000)
        if result.error_type == "ParseTimeoutError":
            raise ParseTimeoutError(str(path), self._timeout_s)
        if result.error_type == ErrorType.WORKER_CRASHED:
            raise ParseSubprocessError(str(path), result.error or "")
        return result

    def _stored(self, content_hash: str) -> tuple[int, str] | None:
        row = self._db.execute(
            "SELECT ast_id, ast_blob FROM asts WHERE content_hash = ? AND parser_version_id = 1",
            (content_hash,),
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def _extract(self, table: str, relpath: str, content_hash: str) -> None:
        stored = self._stored(content_hash)
        if stored is None:
            return
        ast_id, blob = stored
        tree = json.loads(blob)
        db = self._db
        sql = f"SELECT 1 FROM {table} WHERE ast_id = ? LIMIT 1"  # noqa: S608
        if db.execute(sql, (ast_id,)).fetchone():
            return
        rows = extract(tree, relpath)[table]
        session = db.execute(
            "INSERT INTO builder_sessions (token, purpose, expires_at)"
            " VALUES (hex(randomblob(16)), ?, datetime('now', '+1 hour'))",
            (f"extract_{table}:{ast_id}",),
        ).lastrowid
        db.commit()
        for name, kind, line, column in rows:
            if table == "symbols":
                db.execute(
                    "INSERT INTO symbols (ast_id, name, symbol_type, line_number, column_number,"
                    " node_hash_norm, node_start_offset, node_end_offset)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (ast_id, name, kind, line, column, content_hash, 0, 0),
                )
            else:
                db.execute(
                    "INSERT INTO refs (ast_id, name, ref_type, line_number, column_number)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (ast_id, name, kind, line, column),
                )
        db.commit()
        db.execute(
            "UPDATE builder_sessions SET is_active = 0, ended_at = datetime('now')"
            " WHERE session_id = ?",
            (session,),
        )
        db.commit()
