"""What a store holds, without its keys: equal for stores with equal content."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ck3parse.messages import DEFAULT_DIALECT
from ck3parse.parser import parser_in_use
from ck3parse.store import Store

_VIEWS = (
    "definitions", "uses", "winners", "overlaps", "conflicts", "files_in_effect", "replaced_files",
)  # fmt: skip
_QUERIES = {
    "files": "SELECT path, name, size, content_hash, version, state, error_type, error, line,"
    " column, dialect FROM files JOIN roots USING (root_id)"
    " JOIN parser_versions USING (parser_version_id)",
    "asts": "SELECT content_hash, version, parse_ok, node_count FROM asts"
    " JOIN parser_versions USING (parser_version_id)",
    "diagnostics": "SELECT content_hash, version, line, column, severity, code, message"
    " FROM diagnostics JOIN asts USING (ast_id) JOIN parser_versions USING (parser_version_id)",
}


def content_of(store: Path) -> dict[str, list[Any]]:
    """Return all rows of a store and of its views, sorted, and its syntax trees."""
    content: dict[str, list[Any]] = {}
    with closing(sqlite3.connect(store)) as db:
        for name, query in _QUERIES.items():
            content[name] = sorted(db.execute(query).fetchall(), key=repr)
        for view in _VIEWS:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({view})")]
            taken = ", ".join(column for column in columns if column != "file_id")
            content[view] = sorted(db.execute(f"SELECT {taken} FROM {view}").fetchall(), key=repr)  # noqa: S608
    with Store(store, parser_in_use().version_of(DEFAULT_DIALECT)) as opened:
        content["trees"] = list(opened.asts())
    return content
