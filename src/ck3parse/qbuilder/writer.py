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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import msgspec

from ck3parse.extractors.qbuilder import QbuilderRows
from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.installed import REFS, SYMBOLS
from ck3parse.qbuilder.schema import PARSER_VERSION_ID, row_triggers

BULK_ROWS = 200
"""Rows of a transaction from which its triggers' work is done in bulk. To drop and make triggers
takes as long as about fifty rows, and has every other connection read the schema again."""


class Tree(msgspec.Struct, eq=False):
    """What is to be written for an item.

    Attributes:
        item: the item.
        steps: the steps of its envelope.
        ast_json: the tree as JSON text, or `None` if the database has it.
        node_count: the number of its nodes.
        rows: its symbols and references.
    """

    item: Item
    steps: tuple[str, ...]
    ast_json: str | None
    node_count: int
    rows: QbuilderRows

    @property
    def row_count(self) -> int:
        """How many rows it has, the tree not counted."""
        return len(self.rows.symbols) + len(self.rows.refs)


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
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.extracted: set[int] = set()
        self._db = db

    def write(self, trees: Sequence[Tree], limit_s: float) -> int:
        """Write trees in this order, until a time is over; at least one.

        Args:
            trees: what to write.
            limit_s: seconds after which no further one is begun.

        Returns:
            How many were written.
        """
        count = 0
        rows = sum(tree.row_count for tree in trees)
        ends = monotonic() + limit_s
        with self._session(rows), self._triggers(in_bulk=rows >= BULK_ROWS):
            for tree in trees:
                if count and monotonic() > ends:
                    break
                self._write(tree)
                count += 1
        return count

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
        item, db = tree.item, self._db
        symbols = tree.rows.symbols if SYMBOLS in tree.steps else []
        refs = tree.rows.refs if REFS in tree.steps else []
        ast_id = self._insert(tree)
        if ast_id is None:
            found = self.stored(msgspec.json.encode([item.content_hash]).decode())
            stored = found.get(item.content_hash)
            if stored is None:
                return  # somebody removed it
            ast_id = stored.ast_id
            symbols = [] if stored.has_symbols else symbols
            refs = [] if stored.has_refs else refs
        db.executemany(
            "INSERT INTO symbols (ast_id, name, symbol_type, line_number, column_number,"
            " node_hash_norm, node_start_offset, node_end_offset) VALUES (?, ?, ?, ?, ?, ?, 0, 0)",
            ((ast_id, *row, item.content_hash) for row in symbols),
        )
        db.executemany(
            "INSERT INTO refs (ast_id, name, ref_type, line_number, column_number)"
            " VALUES (?, ?, ?, ?, ?)",
            ((ast_id, *row) for row in refs),
        )
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
