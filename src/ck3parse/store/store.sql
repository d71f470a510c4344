-- The store, version 4 (PRAGMA user_version). Only *records.py and text_store.py write to it.
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
    dialect TEXT NOT NULL,                -- of the parser version: a file has a row for each;
                                          -- `localization` for localization files
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

-- What contents define, as far as a mod should define it once: in the cache of `check` only.
CREATE TABLE checked_definitions (
    content_hash TEXT NOT NULL,           -- as in `files`
    parser_version_id INTEGER NOT NULL REFERENCES parser_versions,
    rule TEXT NOT NULL,                   -- the id of the rule of ck3/1 under which it was read
    names BLOB NOT NULL,                  -- msgpack of ck3parse.lint.definitions
    PRIMARY KEY (content_hash, parser_version_id, rule)
) WITHOUT ROWID;

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

-- The index: what files define and use, and which of them the game reads. `ck3parse run` writes it,
-- unless it is told not to. Its tables may change; docs/reference/store.md describes the views.

CREATE TABLE index_rules (
    rule_id INTEGER PRIMARY KEY,
    extractor TEXT NOT NULL,              -- name and version, such as ck3/1
    rule TEXT NOT NULL,                   -- the extractor's id of the rule for files of a folder
    UNIQUE (extractor, rule)
);

-- The rules for definitions of each kind.
CREATE TABLE definition_kinds (
    kind_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL UNIQUE,            -- such as trait
    rule TEXT NOT NULL,                   -- the extractor's id of the rule
    wins TEXT NOT NULL,                   -- which of two definitions: last, first, priority, file
                                          -- (last, but the file should be replaced), merge (all),
                                          -- error (none), or local (each in its own file)
    certainty TEXT NOT NULL,              -- of `wins`: high, medium or low
    since TEXT NOT NULL,                  -- version of the game, or empty
    source TEXT NOT NULL,                 -- where the rule is known from
    note TEXT NOT NULL
);

-- A content that was read under a rule, which a path decides. Keys are not used again, as `words`
-- keeps those of contents that are gone.
CREATE TABLE index_contents (
    content_id INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash TEXT NOT NULL,           -- as in `files`
    rule_id INTEGER NOT NULL REFERENCES index_rules,
    error TEXT,                           -- why the extractor made no rows, or NULL
    UNIQUE (content_hash, rule_id)
);

CREATE TABLE definition_rows (
    definition_id INTEGER PRIMARY KEY,    -- content_id << 24 | its place among those of the content
    start_byte INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind_id INTEGER NOT NULL REFERENCES definition_kinds,
    end_byte INTEGER NOT NULL,
    line INTEGER NOT NULL,                -- from 1
    hash INTEGER NOT NULL,                -- of its text without comments and blanks
    priority INTEGER                      -- id_override_priority or history_override_priority
);
CREATE INDEX definition_names ON definition_rows (name, kind_id);

-- At least the names that have more than one definition, so that `overlaps` need not look for them.
CREATE TABLE repeated_names (name TEXT PRIMARY KEY) WITHOUT ROWID;

-- Which contents use a word, in lower case: a document is a content.
CREATE VIRTUAL TABLE words USING fts5 (
    word, content = '', columnsize = 0, detail = none,
    tokenize = "ascii tokenchars '!""#$%&''()*+,-./:;<=>?@[\]^_`{|}~'"
);
CREATE VIRTUAL TABLE word_contents USING fts5vocab (words, instance);

CREATE TABLE index_state (
    key TEXT PRIMARY KEY,                 -- such as playset or stale_words
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE indexed_files (
    file_id INTEGER PRIMARY KEY REFERENCES files,
    content_id INTEGER NOT NULL REFERENCES index_contents
);
CREATE INDEX indexed_files_content ON indexed_files (content_id);

CREATE TRIGGER file_changed AFTER UPDATE OF content_hash ON files
WHEN new.content_hash IS NOT old.content_hash
BEGIN
    DELETE FROM indexed_files WHERE file_id = old.file_id;
END;
CREATE TRIGGER file_removed AFTER DELETE ON files
BEGIN
    DELETE FROM indexed_files WHERE file_id = old.file_id;
    DELETE FROM playset_files WHERE file_id = old.file_id;
END;

-- The playset of the last run that wrote the index.
CREATE TABLE playset_sources (
    position INTEGER PRIMARY KEY,         -- in load order, from 0
    name TEXT NOT NULL,
    kind TEXT NOT NULL,                   -- game, mod or folder
    path TEXT NOT NULL                    -- absolute
);

CREATE TABLE replaced_folders (
    position INTEGER NOT NULL REFERENCES playset_sources,
    folder TEXT NOT NULL,                 -- of a replace_path
    PRIMARY KEY (position, folder)
) WITHOUT ROWID;

CREATE TABLE playset_files (
    file_id INTEGER PRIMARY KEY REFERENCES files,
    position INTEGER NOT NULL REFERENCES playset_sources,
    relpath TEXT NOT NULL,                -- relative to its mod, with /
    read_order INTEGER,                   -- when the game reads it, from 0; NULL: not at all
    replaced_by INTEGER REFERENCES files, -- the file of a later source in the same place
    dropped_by INTEGER REFERENCES playset_sources  -- a later source with a replace_path
);

CREATE VIEW files_in_effect AS
SELECT read_order, position, playset_sources.name AS source, relpath,
    roots.path || '/' || files.name AS file, file_id
FROM playset_files
JOIN playset_sources USING (position)
JOIN files USING (file_id)
JOIN roots USING (root_id)
WHERE read_order NOT NULL;

CREATE VIEW replaced_files AS
SELECT old.relpath, lost.name AS source, roots.path || '/' || files.name AS file,
    won.name AS by_source, by_roots.path || '/' || by_files.name AS by_file,
    files.content_hash IS by_files.content_hash AS equal
FROM playset_files AS old
JOIN playset_sources AS lost ON lost.position = old.position
JOIN files ON files.file_id = old.file_id
JOIN roots ON roots.root_id = files.root_id
LEFT JOIN files AS by_files ON by_files.file_id = old.replaced_by
LEFT JOIN roots AS by_roots ON by_roots.root_id = by_files.root_id
LEFT JOIN playset_files AS new ON new.file_id = old.replaced_by
LEFT JOIN playset_sources AS won ON won.position = coalesce(new.position, old.dropped_by)
WHERE old.read_order IS NULL;

CREATE VIEW definitions AS
SELECT d.name, definition_kinds.kind, playset_sources.name AS source,
    roots.path || '/' || files.name AS file, d.line,
    start_byte, end_byte, hash, priority, read_order NOT NULL AS in_effect, read_order, position,
    relpath, rule, wins, certainty, file_id
FROM definition_rows AS d
JOIN definition_kinds USING (kind_id)
JOIN indexed_files ON content_id = definition_id >> 24
JOIN playset_files USING (file_id)
JOIN playset_sources USING (position)
JOIN files USING (file_id)
JOIN roots USING (root_id);

CREATE VIEW uses AS
SELECT term AS name, playset_sources.name AS source, roots.path || '/' || files.name AS file,
    read_order NOT NULL AS in_effect, relpath, file_id
FROM word_contents
JOIN indexed_files ON content_id = doc
JOIN playset_files USING (file_id)
JOIN playset_sources USING (position)
JOIN files USING (file_id)
JOIN roots USING (root_id);

-- The definitions of a name and kind in effect, one row each: the one that the game uses. `decided`
-- is 0 if the rule names none, or only a file of the same path should have replaced the other.
CREATE VIEW winners AS
SELECT ranked.name, ranked.kind, playset_sources.name AS source,
    roots.path || '/' || files.name AS file, ranked.line, start_byte, end_byte, hash, rule, wins,
    certainty,
    number = 1 OR CASE wins WHEN 'priority' THEN priority IS NOT next_priority
        ELSE wins NOT IN ('error', 'file') END AS decided,
    number AS definitions, relpath, file_id
FROM (
    SELECT d.name, kind, rule, wins, certainty, file_id, position, relpath, line, start_byte,
        end_byte, hash, priority, row_number() OVER best AS place,
        lead(priority) OVER best AS next_priority,
        count(*) OVER (
            PARTITION BY d.name, kind_id, CASE wins WHEN 'local' THEN file_id END
        ) AS number
    FROM definition_rows AS d
    JOIN definition_kinds USING (kind_id)
    JOIN indexed_files ON content_id = definition_id >> 24
    JOIN playset_files USING (file_id)
    WHERE read_order NOT NULL
    WINDOW best AS (
        PARTITION BY d.name, kind_id, CASE wins WHEN 'local' THEN file_id END
        ORDER BY CASE wins WHEN 'priority' THEN priority END DESC,
            CASE WHEN wins IN ('first', 'error') THEN read_order ELSE -read_order END,
            CASE WHEN wins IN ('first', 'error') THEN start_byte ELSE -start_byte END
    )
) AS ranked
JOIN playset_sources USING (position)
JOIN files USING (file_id)
JOIN roots USING (root_id)
WHERE place = 1;

-- Each definition in effect that another one of its name and kind replaces, or is merged with.
CREATE VIEW overlaps AS
WITH places AS MATERIALIZED (
    -- In the order of the table: it is read once, from start to end.
    SELECT definition_id
    FROM repeated_names CROSS JOIN definition_rows AS d USING (name)
    ORDER BY definition_id
),
found AS MATERIALIZED (
    SELECT d.name, kind_id, kind, rule, wins, certainty, file_id, position, read_order, d.line,
        start_byte, hash, priority
    FROM places CROSS JOIN definition_rows AS d USING (definition_id)
    JOIN definition_kinds USING (kind_id)
    JOIN indexed_files ON content_id = definition_id >> 24
    JOIN playset_files USING (file_id)
    WHERE read_order NOT NULL AND wins <> 'local'
),
ranked AS MATERIALIZED (
    SELECT *, row_number() OVER best AS place, first_value(file_id) OVER best AS best_file_id,
        first_value(position) OVER best AS best_position, first_value(line) OVER best AS best_line,
        first_value(start_byte) OVER best AS best_start_byte,
        first_value(hash) OVER best AS best_hash, first_value(priority) OVER best AS best_priority,
        nth_value(priority, 2) OVER best AS next_priority
    FROM found
    WINDOW best AS (
        PARTITION BY name, kind_id
        ORDER BY CASE wins WHEN 'priority' THEN priority END DESC,
            CASE WHEN wins IN ('first', 'error') THEN read_order ELSE -read_order END,
            CASE WHEN wins IN ('first', 'error') THEN start_byte ELSE -start_byte END
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
SELECT ranked.name, ranked.kind, rule, wins, certainty,
    CASE wins WHEN 'priority' THEN best_priority IS NOT next_priority
        ELSE wins NOT IN ('error', 'file') END AS decided,
    won.name AS winner_source, won_roots.path || '/' || won_files.name AS winner_file,
    best_line AS winner_line, best_start_byte AS winner_start_byte, lost.name AS loser_source,
    roots.path || '/' || files.name AS loser_file, ranked.line AS loser_line,
    start_byte AS loser_start_byte, hash = best_hash AS equal
FROM ranked
JOIN playset_sources AS lost USING (position)
JOIN files USING (file_id)
JOIN roots USING (root_id)
JOIN playset_sources AS won ON won.position = best_position
JOIN files AS won_files ON won_files.file_id = best_file_id
JOIN roots AS won_roots ON won_roots.root_id = won_files.root_id
WHERE place > 1;

CREATE VIEW conflicts AS SELECT * FROM overlaps WHERE wins <> 'merge';

-- Texts: what localization files define, as part of the index.

-- What follows the header of a file. Mods have copies of one language's texts in all others: they
-- differ in their header only, and are one block.
CREATE TABLE loc_blocks (
    block_id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE           -- SHA-256 of lines, keys and texts
);

CREATE TABLE loc_contents (
    loc_content_id INTEGER PRIMARY KEY,
    content_hash TEXT NOT NULL UNIQUE,    -- as in `files`
    header TEXT,                          -- the language that its header names
    block_id INTEGER NOT NULL REFERENCES loc_blocks
);
CREATE INDEX loc_contents_block ON loc_contents (block_id);

CREATE TABLE loc_files (
    file_id INTEGER PRIMARY KEY REFERENCES files,
    loc_content_id INTEGER NOT NULL REFERENCES loc_contents,
    language TEXT NOT NULL                -- by its name, else by its header, else empty
);
CREATE INDEX loc_files_content ON loc_files (loc_content_id);

CREATE TABLE loc_keys (
    key_id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
);

CREATE TABLE loc_texts (
    block_id INTEGER NOT NULL REFERENCES loc_blocks,
    line INTEGER NOT NULL,                -- from 1
    key_id INTEGER NOT NULL REFERENCES loc_keys,
    text TEXT NOT NULL,                   -- between the quotes, as it stands in the file
    PRIMARY KEY (block_id, line)
) WITHOUT ROWID;
CREATE INDEX loc_texts_key ON loc_texts (key_id);

-- The keys that a text names as `$KEY$`.
CREATE TABLE loc_references (
    key_id INTEGER NOT NULL REFERENCES loc_keys,
    block_id INTEGER NOT NULL REFERENCES loc_blocks,
    line INTEGER NOT NULL,                -- of the text
    PRIMARY KEY (key_id, block_id, line)
) WITHOUT ROWID;

CREATE TRIGGER loc_file_changed AFTER UPDATE OF content_hash ON files
WHEN new.dialect = 'localization' AND new.content_hash IS NOT old.content_hash
BEGIN
    DELETE FROM loc_files WHERE file_id = old.file_id;
END;
CREATE TRIGGER loc_file_removed AFTER DELETE ON files
WHEN old.dialect = 'localization'
BEGIN
    DELETE FROM loc_files WHERE file_id = old.file_id;
END;

-- Of a key in one language the game uses the first text that it reads, but if some of them are in a
-- folder `replace`, the last of these.
CREATE VIEW loc_entries AS
SELECT language, key, text, source, file, line, in_effect, in_effect AND place = 1 AS wins,
    in_replace, read_order, position, relpath, file_id
FROM (
    SELECT language, key, text, playset_sources.name AS source,
        roots.path || '/' || files.name AS file, t.line, read_order NOT NULL AS in_effect,
        lower(relpath) GLOB '*/replace/*' AS in_replace, read_order, position, relpath, file_id,
        row_number() OVER (
            PARTITION BY key, language, read_order NOT NULL
            ORDER BY lower(relpath) GLOB '*/replace/*' DESC,
                CASE WHEN lower(relpath) GLOB '*/replace/*' THEN -read_order ELSE read_order END,
                CASE WHEN lower(relpath) GLOB '*/replace/*' THEN -t.line ELSE t.line END
        ) AS place
    FROM loc_keys
    JOIN loc_texts AS t USING (key_id)
    JOIN loc_contents USING (block_id)
    JOIN loc_files USING (loc_content_id)
    JOIN playset_files USING (file_id)
    JOIN playset_sources USING (position)
    JOIN files USING (file_id)
    JOIN roots USING (root_id)
);

-- A row for each `$KEY$` that a text names: `key` is named by the text of `by_key`.
CREATE VIEW loc_uses AS
SELECT named.key, language, by_keys.key AS by_key, playset_sources.name AS source,
    roots.path || '/' || files.name AS file, r.line, read_order NOT NULL AS in_effect, relpath,
    file_id
FROM loc_keys AS named
JOIN loc_references AS r USING (key_id)
JOIN loc_texts AS t USING (block_id, line)
JOIN loc_keys AS by_keys ON by_keys.key_id = t.key_id
JOIN loc_contents USING (block_id)
JOIN loc_files USING (loc_content_id)
JOIN playset_files USING (file_id)
JOIN playset_sources USING (position)
JOIN files USING (file_id)
JOIN roots USING (root_id);

-- Each text in effect that another one of its key and language replaces.
CREATE VIEW loc_conflicts AS
WITH live AS MATERIALIZED (
    SELECT block_id, language, file_id, position, read_order,
        lower(relpath) GLOB '*/replace/*' AS in_replace
    FROM loc_files
    JOIN loc_contents USING (loc_content_id)
    JOIN playset_files USING (file_id)
    WHERE read_order NOT NULL
),
repeated AS MATERIALIZED (
    SELECT key_id, language FROM loc_texts JOIN live USING (block_id)
    GROUP BY key_id, language HAVING count(*) > 1
),
ranked AS MATERIALIZED (
    SELECT key_id, language, file_id, position, t.line, text, row_number() OVER best AS place,
        first_value(file_id) OVER best AS best_file_id,
        first_value(position) OVER best AS best_position,
        first_value(t.line) OVER best AS best_line, first_value(text) OVER best AS best_text,
        first_value(in_replace) OVER best AS best_in_replace
    FROM repeated CROSS JOIN loc_texts AS t USING (key_id)
    JOIN live USING (block_id, language)
    WINDOW best AS (
        PARTITION BY key_id, language
        ORDER BY in_replace DESC, CASE WHEN in_replace THEN -read_order ELSE read_order END,
            CASE WHEN in_replace THEN -t.line ELSE t.line END
    )
)
SELECT key, language, won.name AS winner_source,
    won_roots.path || '/' || won_files.name AS winner_file, best_line AS winner_line,
    best_text AS winner_text, best_in_replace AS winner_in_replace, lost.name AS loser_source,
    roots.path || '/' || files.name AS loser_file, ranked.line AS loser_line, text AS loser_text,
    text = best_text AS equal
FROM ranked
JOIN loc_keys USING (key_id)
JOIN playset_sources AS lost USING (position)
JOIN files USING (file_id)
JOIN roots USING (root_id)
JOIN playset_sources AS won ON won.position = best_position
JOIN files AS won_files ON won_files.file_id = best_file_id
JOIN roots AS won_roots ON won_roots.root_id = won_files.root_id
WHERE place > 1;

-- Rows of other extractors. `ck3parse run --extract` writes them.

-- What an extractor made of a content under one parser version, at a path: rows may depend on both.
CREATE TABLE extractions (
    extraction_id INTEGER PRIMARY KEY,
    content_hash TEXT NOT NULL,           -- as in `files`
    relpath TEXT NOT NULL,                -- relative to the mod of a file, with /
    extractor TEXT NOT NULL,              -- name and version, such as qbuilder/1
    parser_version_id INTEGER NOT NULL REFERENCES parser_versions,
    rows BLOB,                            -- a zstd frame of JSON, or NULL
    error TEXT,                           -- why the extractor made no rows, or NULL
    UNIQUE (content_hash, relpath, extractor, parser_version_id)
);

CREATE TABLE extracted_files (
    file_id INTEGER NOT NULL REFERENCES files,
    extraction_id INTEGER NOT NULL REFERENCES extractions,
    PRIMARY KEY (file_id, extraction_id)
) WITHOUT ROWID;
CREATE INDEX extracted_files_extraction ON extracted_files (extraction_id);

CREATE TRIGGER extracted_file_changed AFTER UPDATE OF content_hash ON files
WHEN new.content_hash IS NOT old.content_hash
BEGIN
    DELETE FROM extracted_files WHERE file_id = old.file_id;
END;
CREATE TRIGGER extracted_file_removed AFTER DELETE ON files
BEGIN
    DELETE FROM extracted_files WHERE file_id = old.file_id;
END;

CREATE VIEW extracted AS
SELECT roots.path || '/' || files.name AS file, relpath, extractor, rows, extractions.error, file_id
FROM extractions
JOIN extracted_files USING (extraction_id)
JOIN files USING (file_id, parser_version_id)
JOIN roots USING (root_id);
