"""What a qbuilder database has to have, and what it has.

Two variants are known. They differ in where the root folder of a file is kept: in
`mod_packages.source_path`, or, since qbuilder's schema 7, in `content_versions.source_path`.
"""

import re
import sqlite3
from typing import NamedTuple

import msgspec

from ck3parse.errors import StoreError

PARSER_VERSION_ID = 1
"""The `parser_version_id` under which qbuilder keeps all trees."""

_USED = {
    "build_queue": (
        "build_id file_id envelope priority work_file_hash status lease_expires_at lease_holder"
        " started_at completed_at retry_count reclaim_count error_message error_step"
    ),
    "files": "file_id content_version_id relpath",
    "content_versions": "content_version_id",
    "asts": (
        "ast_id file_id content_hash parser_version_id ast_blob ast_format parse_ok node_count"
        " created_at"
    ),
    "symbols": (
        "symbol_id ast_id name symbol_type line_number column_number node_hash_norm"
        " node_start_offset node_end_offset"
    ),
    "refs": "ref_id ast_id name ref_type line_number column_number",
    "builder_sessions": "session_id token purpose started_at expires_at is_active ended_at",
}
"""The columns that a build reads or writes, by table."""

_WRITTEN = ("asts", "symbols", "refs", "builder_sessions")
"""Tables that a build inserts rows into."""

_FILL = re.compile(
    r"CREATE TRIGGER \S+ AFTER INSERT ON (?P<table>\w+) (?:FOR EACH ROW )?BEGIN"
    r" INSERT INTO (?P<index>\w+) ?\( ?(?P<into>[\w, ]+)\)"
    r" VALUES ?\( ?(?P<values>[\w., ]+)\) ?; ?END",
    re.IGNORECASE,
)
"""A trigger that copies each new row into a full-text index."""
_GUARD = re.compile(
    r"CREATE TRIGGER \S+ BEFORE INSERT ON \w+ (?:FOR EACH ROW )?WHEN .*session.*"
    r" BEGIN SELECT RAISE ?\( ?ABORT.*\) ?; ?END",
    re.IGNORECASE,
)
"""A trigger that refuses each new row unless a builder session is active."""


class RowTrigger(NamedTuple):
    """A trigger for each new row of `symbols` or `refs` whose work can be done in bulk.

    Attributes:
        name: its name.
        table: the table that it belongs to.
        sql: the statement that makes it.
        fill: the statement that does its work for all rows whose key is above the one given; empty
            if it only asks for a builder session.
    """

    name: str
    table: str
    sql: str
    fill: str


class Schema(msgspec.Struct, frozen=True):
    """The variant of a database.

    Attributes:
        version: the number in `db_metadata`, or `None` if there is none.
        roots: the table that has the root folders.
        joins: how `files f` is joined with that table as `r`.
    """

    version: str | None
    roots: str
    joins: str


def read_schema(db: sqlite3.Connection) -> Schema:
    """Return the variant of a database.

    Args:
        db: a connection to it.

    Raises:
        StoreError: it is not a qbuilder database, or one of a variant that is not known.
    """
    try:
        found = _columns(db)
        wrong = misfits(db)
    except sqlite3.Error as error:
        raise StoreError(
            f"the database cannot be read ({error}): check that the file is qbuilder's database"
        ) from error
    if wrong:
        raise StoreError(
            f"this is not a database that qbuilder's build can write to: {'; '.join(wrong)}:"
            " run `ck3parse qbuilder check --db FILE`, and update qbuilder or name another file"
        )
    joins = "JOIN content_versions cv ON cv.content_version_id = f.content_version_id"
    if "source_path" in found["content_versions"]:
        joins = joins.replace(" cv ", " r ").replace("cv.", "r.")
        return Schema(_version(db), "content_versions", joins)
    joins += " LEFT JOIN mod_packages r ON r.mod_package_id = cv.mod_package_id"
    return Schema(_version(db), "mod_packages", joins)


def misfits(db: sqlite3.Connection) -> list[str]:
    """Return what keeps a build from writing to a database, in a few words each; empty if nothing.

    Args:
        db: a connection to it.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    found = _columns(db)
    if not found:
        return ["it has no tables"]
    wrong = []
    for table, names in _USED.items():
        if table not in found:
            wrong.append(f"the table {table} is missing")
        elif missing := sorted(set(names.split()) - found[table].keys()):
            wrong.append(f"the table {table} has no {', '.join(missing)}")
    if wrong:
        return wrong
    wrong += [
        f"the column {table}.{name} needs a value that is not known here"
        for table in _WRITTEN
        for name, required in found[table].items()
        if required and name not in _USED[table].split()
    ]
    versions = found["content_versions"]
    packages = found.get("mod_packages", {})
    if "source_path" not in versions and not (
        "mod_package_id" in versions and {"mod_package_id", "source_path"} <= packages.keys()
    ):
        wrong.append("neither content_versions nor mod_packages has the root folders (source_path)")
    if not _is_unique(db, "asts", {"content_hash", "parser_version_id"}):
        wrong.append("asts is not unique by content_hash and parser_version_id")
    return wrong


def row_triggers(db: sqlite3.Connection) -> list[RowTrigger]:
    """Return the triggers for new rows of `symbols` and `refs` whose work can be done in bulk.

    A trigger of another form is not among them: it has to fire for each row.

    Args:
        db: a connection to the database.
    """
    found = []
    for name, table, sql in db.execute(
        "SELECT name, tbl_name, sql FROM sqlite_master"
        " WHERE type = 'trigger' AND tbl_name IN ('symbols', 'refs') ORDER BY rowid"
    ):
        plain = " ".join(re.sub(r"--[^\n]*", " ", sql).replace("IF NOT EXISTS ", "").split())
        fill = _fill(plain)
        if fill or _GUARD.fullmatch(plain):
            found.append(RowTrigger(name, table, sql, fill))
    return found


def _fill(trigger: str) -> str:
    """Return the statement that does the work of a trigger in bulk, or `""`."""
    match = _FILL.fullmatch(trigger)
    if match is None:
        return ""
    into = [name.strip() for name in match["into"].split(",")]
    values = [value.strip().lower() for value in match["values"].split(",")]
    if into[0].lower() != "rowid" or not all(value.startswith("new.") for value in values):
        return ""
    columns = [value.removeprefix("new.") for value in values]
    return (
        f"INSERT INTO {match['index']} ({', '.join(into)})"  # noqa: S608 - names of a schema
        f" SELECT {', '.join(columns)} FROM {match['table']} WHERE {columns[0]} > ?"
    )


def _columns(db: sqlite3.Connection) -> dict[str, dict[str, bool]]:
    """Return the columns of each table, and whether an insert has to give each a value."""
    found: dict[str, dict[str, bool]] = {}
    for table, name, required in db.execute(
        'SELECT m.name, c.name, c."notnull" AND c.dflt_value IS NULL AND NOT c.pk'
        " FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
        " AND m.sql NOT LIKE 'CREATE VIRTUAL%'"
    ):
        found.setdefault(table, {})[name] = bool(required)
    return found


def _is_unique(db: sqlite3.Connection, table: str, columns: set[str]) -> bool:
    for _, name, unique, _, partial in db.execute(f"PRAGMA index_list({table})").fetchall():
        if unique and not partial:
            rows = db.execute("SELECT name FROM pragma_index_info(?)", (name,))
            if {row[0] for row in rows} == columns:
                return True
    return False


def _version(db: sqlite3.Connection) -> str | None:
    try:
        row = db.execute("SELECT value FROM db_metadata WHERE key = 'schema_version'").fetchone()
    except sqlite3.OperationalError:
        return None
    return str(row[0]) if row else None
