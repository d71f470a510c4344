-- The store, version 2 (PRAGMA user_version). Only records.py writes to it.
--
-- `asts` has the columns of qbuilder's own table of that name, so that qbuilder can read it. A row
-- is the outcome of one content under one parser version; several files may have the content. Its
-- blob is a zstd frame of AST JSON whose root node has the name of the file `file_id`.
--
-- References are declared as documentation, and not enforced: each table would need another index.

CREATE TABLE roots (
    root_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE             -- absolute, as given by the user
);

CREATE TABLE files (
    file_id INTEGER PRIMARY KEY,
    root_id INTEGER NOT NULL REFERENCES roots,
    name TEXT NOT NULL,                   -- relative to the root, with /
    size INTEGER NOT NULL,                -- bytes, when it was found
    mtime_ns INTEGER NOT NULL,            -- nanoseconds since 1970, when it was found
    content_hash TEXT,                    -- SHA-256 in hex; NULL if it could not be read
    parser_version_id INTEGER NOT NULL REFERENCES parser_versions,
    state TEXT NOT NULL CHECK (state IN ('parsed', 'failed')),
    error_type TEXT,
    error TEXT,
    line INTEGER,
    column INTEGER,
    dialect TEXT NOT NULL,                -- of the parser version: a file has a row for each
    UNIQUE (root_id, name, dialect)
);

CREATE TABLE parser_versions (
    parser_version_id INTEGER PRIMARY KEY,
    version TEXT NOT NULL UNIQUE          -- dialect and contract version, or module:callable
);

CREATE TABLE asts (
    ast_id INTEGER PRIMARY KEY,
    file_id INTEGER NOT NULL REFERENCES files,
    content_hash TEXT NOT NULL,
    parser_version_id INTEGER NOT NULL REFERENCES parser_versions,
    ast_blob BLOB,                        -- of a broken content: the AST of its sound parts, if its
                                          -- dialect has one; NULL in the cache of `check`
    ast_format TEXT NOT NULL DEFAULT 'json+zstd',
    parse_ok INTEGER NOT NULL,
    node_count INTEGER NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (content_hash, parser_version_id)
);

CREATE TABLE diagnostics (
    ast_id INTEGER NOT NULL REFERENCES asts,
    line INTEGER NOT NULL,
    column INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    end_column INTEGER NOT NULL,
    severity TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX diagnostics_ast ON diagnostics (ast_id);

CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    finished_at TEXT,                     -- NULL while it runs, and if it was killed
    paths TEXT NOT NULL,                  -- JSON list, absolute
    parser TEXT NOT NULL,
    parsed INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER
);
