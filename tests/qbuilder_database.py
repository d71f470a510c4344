"""Databases like qbuilder's: its tables, indexes, full-text indexes, triggers and guards.

Written from what is known of qbuilder's schema. Tables that a build does not touch are left out.
"""

import hashlib
import sqlite3
from collections.abc import Iterable
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

_TABLES = """
CREATE TABLE files (
    file_id INTEGER PRIMARY KEY AUTOINCREMENT,
    content_version_id INTEGER NOT NULL REFERENCES content_versions(content_version_id),
    relpath TEXT NOT NULL, content_hash TEXT, file_type TEXT, mtime TEXT,
    deleted INTEGER NOT NULL DEFAULT 0, file_mtime REAL, file_size INTEGER, file_hash TEXT,
    UNIQUE (content_version_id, relpath)
);
CREATE TABLE build_queue (
    build_id INTEGER PRIMARY KEY AUTOINCREMENT, file_id INTEGER NOT NULL, envelope TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0, work_file_mtime REAL NOT NULL,
    work_file_size INTEGER NOT NULL, work_file_hash TEXT, status TEXT NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'error')),
    lease_expires_at REAL, lease_holder TEXT, created_at REAL NOT NULL, started_at REAL,
    completed_at REAL, retry_count INTEGER NOT NULL DEFAULT 0,
    reclaim_count INTEGER NOT NULL DEFAULT 0, error_message TEXT, error_step TEXT
);
CREATE UNIQUE INDEX idx_build_unique_work ON build_queue
    (file_id, envelope, work_file_mtime, work_file_size, COALESCE(work_file_hash, ''));
CREATE INDEX idx_build_claim ON build_queue (status, priority DESC, build_id);
CREATE INDEX idx_build_file ON build_queue (file_id);
CREATE TABLE asts (
    ast_id INTEGER PRIMARY KEY AUTOINCREMENT, content_hash TEXT NOT NULL,
    parser_version_id INTEGER NOT NULL, ast_blob BLOB NOT NULL,
    ast_format TEXT NOT NULL DEFAULT 'json', parse_ok INTEGER NOT NULL DEFAULT 1,
    node_count INTEGER, diagnostics_json TEXT,
    created_at TEXT NOT NULL DEFAULT (datetime('now')), file_id INTEGER,
    UNIQUE (content_hash, parser_version_id)
);
CREATE INDEX idx_asts_content_hash ON asts (content_hash);
CREATE INDEX idx_asts_parse_ok ON asts (parse_ok);
CREATE TABLE symbols (
    symbol_id INTEGER PRIMARY KEY AUTOINCREMENT,
    ast_id INTEGER NOT NULL REFERENCES asts(ast_id), name TEXT NOT NULL,
    symbol_type TEXT NOT NULL, scope TEXT, line_number INTEGER, column_number INTEGER,
    metadata_json TEXT, node_hash_norm TEXT, node_start_offset INTEGER, node_end_offset INTEGER
);
CREATE INDEX idx_symbols_type ON symbols (symbol_type);
CREATE INDEX idx_symbols_name ON symbols (name);
CREATE INDEX idx_symbols_type_name ON symbols (symbol_type, name);
CREATE INDEX idx_symbols_ast_id ON symbols (ast_id);
CREATE TABLE refs (
    ref_id INTEGER PRIMARY KEY AUTOINCREMENT, ast_id INTEGER NOT NULL REFERENCES asts(ast_id),
    name TEXT NOT NULL, ref_type TEXT NOT NULL, line_number INTEGER, column_number INTEGER,
    context TEXT, resolution_status TEXT NOT NULL DEFAULT 'unknown'
);
CREATE INDEX idx_refs_name ON refs (name);
CREATE INDEX idx_refs_type_name ON refs (ref_type, name);
CREATE INDEX idx_refs_ast_id ON refs (ast_id);
CREATE VIRTUAL TABLE symbols_fts USING fts5
    (name, symbol_type, content=symbols, content_rowid=symbol_id);
CREATE VIRTUAL TABLE refs_fts USING fts5 (name, ref_type, content=refs, content_rowid=ref_id);
CREATE TABLE province_lookup (
    province_id INTEGER PRIMARY KEY, name TEXT NOT NULL, culture TEXT, content_version_id INTEGER
);
CREATE TABLE db_metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE builder_sessions (
    session_id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL, started_at TEXT NOT NULL DEFAULT (datetime('now')),
    expires_at TEXT NOT NULL, is_active INTEGER NOT NULL DEFAULT 1, ended_at TEXT,
    rows_written INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX idx_builder_sessions_active ON builder_sessions (is_active, expires_at);
CREATE VIEW v_builder_session_active AS SELECT CASE WHEN EXISTS (
    SELECT 1 FROM builder_sessions WHERE is_active = 1 AND datetime(expires_at) > datetime('now')
) THEN 1 ELSE 0 END AS has_active_session;
"""
_ROOTS_IN_PACKAGES = """
CREATE TABLE mod_packages (
    mod_package_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, source_path TEXT
);
CREATE TABLE content_versions (
    content_version_id INTEGER PRIMARY KEY AUTOINCREMENT,
    mod_package_id INTEGER REFERENCES mod_packages(mod_package_id)
);
INSERT INTO db_metadata VALUES ('schema_version', '6');
"""
_ROOTS_IN_VERSIONS = """
CREATE TABLE content_versions (
    content_version_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, source_path TEXT
);
INSERT INTO db_metadata VALUES ('schema_version', '7');
"""
_TRIGGERS = """
CREATE TRIGGER {table}_ai AFTER INSERT ON {table} BEGIN
    INSERT INTO {table}_fts(rowid, name, {type}) VALUES (NEW.{key}, NEW.name, NEW.{type});
END;
CREATE TRIGGER {table}_ad AFTER DELETE ON {table} BEGIN
    INSERT INTO {table}_fts({table}_fts, rowid, name, {type})
    VALUES ('delete', OLD.{key}, OLD.name, OLD.{type});
END;
CREATE TRIGGER {table}_au AFTER UPDATE ON {table} BEGIN
    INSERT INTO {table}_fts({table}_fts, rowid, name, {type})
    VALUES ('delete', OLD.{key}, OLD.name, OLD.{type});
    INSERT INTO {table}_fts(rowid, name, {type}) VALUES (NEW.{key}, NEW.name, NEW.{type});
END;
"""
_GUARD = """
CREATE TRIGGER {table}_write_protect_{verb}
BEFORE {verb} ON {table}
WHEN (SELECT has_active_session FROM v_builder_session_active) = 0
BEGIN
    SELECT RAISE(ABORT, 'WRITE_PROTECTED: {table} requires an active builder session.');
END;
"""

SCHEMAS = (6, 7)
"""The numbers of the two variants."""


class Queued(NamedTuple):
    """An item of the queue.

    Attributes:
        relpath: the path of its file below the root.
        envelope: what is to be done with it.
        priority: 1 for an item that goes first.
        content_hash: the hash of its file when it was queued; `None`: that of the file now.
        has_file: whether the row of its file is there.
        has_root: whether the root of its file is known.
    """

    relpath: str
    envelope: str = "E_SCRIPT"
    priority: int = 0
    content_hash: str | None = None
    has_file: bool = True
    has_root: bool = True


_opened: list[sqlite3.Connection] = []


def close_all() -> None:
    """Close the connections that `connect` opened: from 3.13 on, Python reports those left open."""
    while _opened:
        _opened.pop().close()


def connect(path: Path, timeout: float = 5.0) -> sqlite3.Connection:
    """Return a connection like qbuilder's."""
    db = sqlite3.connect(path, timeout=timeout, check_same_thread=False)
    _opened.append(db)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def make_database(
    path: Path, root: Path, items: Iterable[Queued], schema: int = 7
) -> sqlite3.Connection:
    """Create a database with a queue, and return a connection to it.

    Args:
        path: the database file.
        root: the root folder of all files.
        items: the items of the queue, in this order.
        schema: which variant, one of `SCHEMAS`.
    """
    db = connect(path)
    script = _TABLES + (_ROOTS_IN_VERSIONS if schema == 7 else _ROOTS_IN_PACKAGES)
    tables = (("symbols", "symbol_type", "symbol_id"), ("refs", "ref_type", "ref_id"))
    for table, kind, key in tables:
        script += _TRIGGERS.format(table=table, type=kind, key=key)
        for verb in ("insert", "update", "delete"):
            script += _GUARD.format(table=table, verb=verb)
    db.executescript(script)
    for folder in (str(root), None):
        if schema == 7:
            db.execute("INSERT INTO content_versions (source_path) VALUES (?)", (folder,))
        else:
            db.execute("INSERT INTO mod_packages (name, source_path) VALUES ('m', ?)", (folder,))
            db.execute(
                "INSERT INTO content_versions (mod_package_id)"
                " SELECT max(mod_package_id) FROM mod_packages"
            )
    enqueue(db, root, items)
    return db


def enqueue(db: sqlite3.Connection, root: Path, items: Iterable[Queued]) -> None:
    """Append items to the queue, each with a file row of its own."""
    for item in items:
        file = root / item.relpath
        data = file.read_bytes() if file.is_file() else b""
        digest = item.content_hash or hashlib.sha256(data).hexdigest()
        cvid = 1 if item.has_root else 2
        db.execute(
            "INSERT OR IGNORE INTO files (content_version_id, relpath, content_hash)"
            " VALUES (?, ?, ?)",
            (cvid, item.relpath, digest),
        )
        (file_id,) = db.execute(
            "SELECT file_id FROM files WHERE content_version_id = ? AND relpath = ?",
            (cvid, item.relpath),
        ).fetchone()
        db.execute(
            "INSERT INTO build_queue (file_id, envelope, priority, work_file_mtime,"
            " work_file_size, work_file_hash, created_at) VALUES (?, ?, ?, 1, ?, ?, 1)",
            (
                file_id if item.has_file else 1_000_000 + file_id,
                item.envelope,
                item.priority,
                len(data),
                digest,
            ),
        )
    db.commit()


_COMPARED = {
    "build_queue": (
        "SELECT build_id, file_id, envelope, priority, work_file_hash, status,"
        " lease_expires_at IS NULL, lease_holder IS NULL, started_at IS NULL,"
        " completed_at IS NULL, retry_count, reclaim_count, CASE WHEN error_message LIKE"
        " 'ParseSubprocessError: %' THEN 'ParseSubprocessError' ELSE error_message END, error_step"
        " FROM build_queue ORDER BY build_id"
    ),
    "files": "SELECT * FROM files ORDER BY file_id",
    "asts": (
        "SELECT content_hash, file_id, parser_version_id, ast_blob, typeof(ast_blob), ast_format,"
        " parse_ok, node_count, diagnostics_json, created_at IS NULL FROM asts"
        " ORDER BY content_hash"
    ),
    "symbols": (
        "SELECT a.content_hash, s.name, symbol_type, scope, line_number, column_number,"
        " metadata_json, node_hash_norm, node_start_offset, node_end_offset"
        " FROM symbols s JOIN asts a USING (ast_id) ORDER BY 1, symbol_id"
    ),
    "refs": (
        "SELECT a.content_hash, r.name, ref_type, line_number, column_number, context,"
        " resolution_status FROM refs r JOIN asts a USING (ast_id) ORDER BY 1, ref_id"
    ),
    "symbols_fts": (
        "SELECT a.content_hash, f.name, f.symbol_type FROM symbols_fts f JOIN symbols s"
        " ON s.symbol_id = f.rowid JOIN asts a USING (ast_id) ORDER BY 1, s.symbol_id"
    ),
    "refs_fts": (
        "SELECT a.content_hash, f.name, f.ref_type FROM refs_fts f JOIN refs r"
        " ON r.ref_id = f.rowid JOIN asts a USING (ast_id) ORDER BY 1, r.ref_id"
    ),
    "province_lookup": "SELECT * FROM province_lookup ORDER BY 1",
    "active sessions": "SELECT count(*) FROM builder_sessions WHERE is_active = 1",
    "schema": (
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type != 'index'"
        " ORDER BY type, name"
    ),
}


def content(db: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that two builds of the same queue must leave alike.

    Times, keys and how a process died are not. The full-text indexes are also compared with the
    tables that they belong to.
    """
    check(db)
    return {name: list(map(tuple, db.execute(sql))) for name, sql in _COMPARED.items()}


def differences(found: sqlite3.Connection, expected: sqlite3.Connection) -> list[str]:
    """Return the first rows of each table in which a database differs from the expected one.

    Like comparing what `content` returns, without having it all in memory.
    """
    check(found)
    differing = []
    for name, sql in _COMPARED.items():
        pairs = zip_longest(map(tuple, found.execute(sql)), map(tuple, expected.execute(sql)))
        unequal = (f"{name}: {a!s:.1000} instead of {b!s:.1000}" for a, b in pairs if a != b)
        differing += list(islice(unequal, 5))
    return differing


def check(db: sqlite3.Connection) -> None:
    """Check that a database is sound, and its full-text indexes equal to their tables."""
    for index in ("symbols_fts", "refs_fts"):
        sql = f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)"  # noqa: S608
        db.execute(sql)
    db.commit()
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
