"""Writes trees, symbols and references: many items in one transaction.

The triggers of `symbols` and `refs` do for each row what can be done for all rows of a transaction
at once: they ask whether a builder session is active, and copy the row into a full-text index.
With many rows, those triggers are dropped at the start of the transaction and made again, from the
same text, at its end; nobody else sees the database without them. Measured with 136,807 symbols and
74,223 references, in seconds of processor time: 3.0 like this, 5.7 with the sessions' triggers, 10
with all (`benchmarks/qbuilder_build.py`).
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.installed import REFS, SYMBOLS
from ck3parse.qbuilder.outcome import Parsed
from ck3parse.qbuilder.schema import PARSER_VERSION_ID, row_triggers
from ck3parse.qbuilder.staging import TABLE, Staging

BULK_ROWS = 200
"""Rows of a transaction from which its triggers' work is done in bulk. To drop and make triggers
takes as long as about fifty rows, and has every other connection read the schema again."""

_COPY_SYMBOLS = (
    "INSERT INTO symbols (ast_id, name, symbol_type, line_number, column_number, node_hash_norm,"  # noqa: S608
    f" node_start_offset, node_end_offset) SELECT ?, name, type, line, col, ?, 0, 0 FROM {TABLE}"
    " WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
)
_COPY_REFS = (
    "INSERT INTO refs (ast_id, name, ref_type, line_number, column_number)"  # noqa: S608
    f" SELECT ?, name, type, line, col FROM {TABLE} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
)


class Tree(msgspec.Struct, eq=False):
    """What is to be written for an item.

    Attributes:
        item: the item.
        steps: the steps of its envelope.
        ast_json: the tree as JSON text, or `None` if the database has it.
        node_count: the number of its nodes.
        symbols: the numbers of its symbols in the staging table.
        refs: those of its references.
    """

    item: Item
    steps: tuple[str, ...]
    ast_json: str | None
    node_count: int
    symbols: range
    refs: range

    @property
    def rows(self) -> int:
        """How many rows it has, the tree not counted."""
        return len(self.symbols) + len(self.refs)

    @property
    def size(self) -> int:
        """How many bytes its text has."""
        return len(self.ast_json or "")


class StoredTree(msgspec.Struct, frozen=True):
    """A tree that the database has.

    Attributes:
        ast_id: its key.
        has_symbols: whether there are symbols of it.
        has_refs: whether there are references of it.
    """

    ast_id: int
    has_symbols: bool
    has_refs: bool

    def lacks_rows(self, steps: Sequence[str]) -> bool:
        """Return whether these steps may make rows of it that the database has not."""
        return (SYMBOLS in steps and not self.has_symbols) or (REFS in steps and not self.has_refs)


class Writer:
    """Writes within the caller's transaction.

    Args:
        db: a connection to the database.

    Attributes:
        extracted: the keys of the trees whose references it wrote, so that those without any are
            not taken for trees that still lack them. Symbols depend on the place of a file, too.
        staging: the rows of trees that are not written yet.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.extracted: set[int] = set()
        self.staging = Staging(db)
        self._db = db

    def stage(self, parsed: Parsed) -> Tree:
        """Prepare what is to be written for an item; call it outside of transactions."""
        return Tree(
            parsed.item,
            parsed.steps,
            parsed.ast_json,
            parsed.node_count,
            self.staging.add(parsed.rows.symbols if SYMBOLS in parsed.steps else []),
            self.staging.add(parsed.rows.refs if REFS in parsed.steps else []),
        )

    def write(self, trees: Iterable[Tree], rows: int) -> None:
        """Write trees in this order.

        Args:
            trees: what to write.
            rows: how many rows they have at most.
        """
        with self._session(rows), self._triggers(in_bulk=rows >= BULK_ROWS):
            for tree in trees:
                self._write(tree)

    def stored(self, content_hashes: str) -> dict[str, StoredTree]:
        """Return the trees that the database has, by hash of their content.

        Args:
            content_hashes: a JSON array of hashes.
        """
        rows = self._db.execute(
            "SELECT content_hash, ast_id, EXISTS (SELECT 1 FROM symbols s WHERE s.ast_id ="
            " a.ast_id), EXISTS (SELECT 1 FROM refs r WHERE r.ast_id = a.ast_id) FROM asts a"
            " WHERE parser_version_id = ? AND content_hash IN (SELECT value FROM json_each(?))",
            (PARSER_VERSION_ID, content_hashes),
        ).fetchall()
        return {
            content_hash: StoredTree(
                ast_id,
                bool(has_symbols),
                bool(has_refs) or ast_id in self.extracted,
            )
            for content_hash, ast_id, has_symbols, has_refs in rows
        }

    def blob(self, ast_id: int) -> bytes:
        """Return the JSON of a tree that the database has."""
        sql = "SELECT ast_blob FROM asts WHERE ast_id = ?"
        (blob,) = self._db.execute(sql, (ast_id,)).fetchone()
        return blob if isinstance(blob, bytes) else str(blob).encode()

    def _write(self, tree: Tree) -> None:
        content_hash, symbols, refs = tree.item.content_hash, tree.symbols, tree.refs
        ast_id = self._insert(tree)
        if ast_id is None:
            found = self.stored(msgspec.json.encode([content_hash]).decode())
            stored = found.get(content_hash)
            if stored is None:
                return  # somebody removed it
            ast_id = stored.ast_id
            symbols = range(0) if stored.has_symbols else symbols
            refs = range(0) if stored.has_refs else refs
        if symbols:
            self._db.execute(_COPY_SYMBOLS, (ast_id, content_hash, symbols[0], symbols[-1]))
        if refs:
            self._db.execute(_COPY_REFS, (ast_id, refs[0], refs[-1]))
        if REFS in tree.steps:
            self.extracted.add(ast_id)

    def _insert(self, tree: Tree) -> int | None:
        """Insert a tree, and return its key; `None` if the database has it."""
        if tree.ast_json is None:
            return None
        item = tree.item
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO asts (file_id, content_hash, parser_version_id, ast_blob,"
            " ast_format, parse_ok, node_count, created_at)"
            " VALUES (?, ?, ?, ?, 'json', 1, ?, datetime('now'))",
            (item.file_id, item.content_hash, PARSER_VERSION_ID, tree.ast_json, tree.node_count),
        )
        return inserted.lastrowid if inserted.rowcount == 1 else None

    @contextmanager
    def _session(self, rows: int) -> Iterator[None]:
        """Have an active builder session, as the triggers of `symbols` and `refs` demand."""
        if not rows:
            yield
            return
        token = f"builder-{os.urandom(16).hex()}"
        self._db.execute(
            "INSERT INTO builder_sessions (token, purpose, expires_at)"
            " VALUES (?, 'ck3parse: symbols and refs', datetime('now', '+1 hour'))",
            (token,),
        )
        yield
        self._db.execute(
            "UPDATE builder_sessions SET is_active = 0, ended_at = datetime('now') WHERE token = ?",
            (token,),
        )

    @contextmanager
    def _triggers(self, *, in_bulk: bool) -> Iterator[None]:
        """Do the work of triggers at the end, for all rows that were inserted meanwhile."""
        triggers = row_triggers(self._db) if in_bulk else []
        last = {trigger.table: self._last_key(trigger.table) for trigger in triggers}
        for trigger in triggers:
            self._db.execute(f"DROP TRIGGER {_quoted(trigger.name)}")
        yield
        for trigger in triggers:
            if trigger.fill:
                self._db.execute(trigger.fill, (last[trigger.table],))
            self._db.execute(trigger.sql)

    def _last_key(self, table: str) -> int:
        sql = f"SELECT COALESCE(max(rowid), 0) FROM {table}"  # noqa: S608 - symbols or refs
        key: int = self._db.execute(sql).fetchone()[0]
        return key


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
