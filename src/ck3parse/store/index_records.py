"""What can be written to the index of a store."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ck3parse.extractors import CK3
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store.schema import TEXT_DIALECT, Database

if TYPE_CHECKING:
    # A run without index does not need its rules.
    from ck3parse.extractors.ck3 import Rule

RuleOf = Callable[[Found], int]
"""Returns the key of the rule under which a file is read."""


class IndexTarget(NamedTuple):
    """What `Records.record` needs to index files.

    Attributes:
        rule_of: returns the rule of a file.
        missing: takes the files whose outcome was known, and whose rows the index does not have.
    """

    rule_of: RuleOf
    missing: list[Found]


MANY_CONTENTS = 2_000
"""Contents above which one pass over all definitions is faster than a search for each of theirs."""
_CHUNK = 128
"""Contents whose rows are in memory at once: each may have thousands."""
_SPARE_WORDS = 1_000
"""Contents that are gone and still in `words` before it is made again: or as many as there are."""


class Recorded(NamedTuple):
    """A file that was recorded.

    Attributes:
        file_id: its key.
        found: the file.
        result: its result.
    """

    file_id: int
    found: Found
    result: ParseResult


class SourceRow(NamedTuple):
    """A source of a playset.

    Attributes:
        name: what to call it.
        kind: `game`, `mod` or `folder`.
        path: its absolute path.
        replaced: the folders that its `replace_path` lines name, with `/`, in lower case.
    """

    name: str
    kind: str
    path: str
    replaced: Sequence[str]


class FileRow(NamedTuple):
    """A file of a playset.

    Attributes:
        root: as in `Found`.
        name: as in `Found`.
        position: the position of its source.
        relpath: its path relative to its mod.
        read_order: when the game reads it, from 0; `None` if it does not.
        replaced_by: root and name of the file that replaces it, or `None`.
        dropped_by: the position of the source whose `replace_path` drops it, or `None`.
    """

    root: str
    name: str
    position: int
    relpath: str
    read_order: int | None
    replaced_by: tuple[str, str] | None
    dropped_by: int | None


class IndexRecords(Database):
    """Writes to the index of a store. Its methods with a `_` run within a transaction."""

    def begin_index(self, files: int) -> None:
        """Prepare for new rows: write the rules down.

        Args:
            files: how many files have new rows. Into an empty index, many are written without the
                index by name, which `end_index` makes.

        Raises:
            StoreError: the store cannot be written.
        """
        from ck3parse.extractors.ck3 import rules

        with self._transaction():
            self._write_kinds([_kind_row(rule) for rule in rules()])
            if files > MANY_CONTENTS and not self._any("definition_rows"):
                self._db.execute("DROP INDEX IF EXISTS definition_names")

    def rule_ids(self, rules: Iterable[str]) -> dict[str, int]:
        """Return the keys of rules of `ck3/1` for files.

        Args:
            rules: their ids.

        Raises:
            StoreError: the store cannot be written.
        """
        query = "SELECT rule, rule_id FROM index_rules WHERE extractor = ?"
        known = dict(self._db.execute(query, [CK3]).fetchall())
        if new := sorted(set(rules) - known.keys()):
            with self._transaction():
                self._db.executemany(
                    "INSERT OR IGNORE INTO index_rules (extractor, rule) VALUES (?, ?)",
                    [(CK3, rule) for rule in new],
                )
            known = dict(self._db.execute(query, [CK3]).fetchall())
        return known

    def indexed_rules(self) -> dict[int, int]:
        """Return the keys of all files in the index, each with that of its rule."""
        return dict(
            self._db.execute(
                "SELECT file_id, rule_id FROM indexed_files JOIN index_contents USING (content_id)"
            ).fetchall()
        )

    def index_known(self, files: Sequence[tuple[Found, int]], rule_of: RuleOf) -> list[Found]:
        """Put files into the index whose content it has.

        Args:
            files: files with their keys.
            rule_of: returns the rule of a file.

        Returns:
            The others.

        Raises:
            StoreError: the store cannot be written.
        """
        if not files:
            return []
        hashes: dict[int, str | None] = dict(
            self._db.execute(
                "SELECT file_id, content_hash FROM files"
                " WHERE file_id IN (SELECT value FROM json_each(?))",
                [json.dumps([file_id for _, file_id in files])],
            ).fetchall()
        )
        with self._transaction():
            return self._link([(file_id, found, hashes.get(file_id)) for found, file_id in files],
                              rule_of)  # fmt: skip

    def record_rows(self, results: Sequence[tuple[Found, ParseResult]], rule_of: RuleOf) -> int:
        """Write the rows of files whose outcome is in the store.

        Args:
            results: files with their results.
            rule_of: returns the rule of a file.

        Returns:
            How many of them have another content in the store, and were left out.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            recorded = []
            for found, result in results:
                row = self._db.execute(
                    "SELECT file_id FROM files JOIN roots USING (root_id)"
                    " WHERE path = ? AND name = ? AND dialect = ? AND content_hash = ?",
                    [found.root, found.name, self._dialect, result.content_hash],
                ).fetchone()
                if row:
                    recorded.append(Recorded(row[0], found, result))
            self._index(recorded, rule_of)
        return len(results) - len(recorded)

    def _index(self, recorded: Iterable[Recorded], rule_of: RuleOf) -> None:
        """Write the rows of results, and which file has which."""
        made = [
            (each, rule_of(each.found))
            for each in recorded
            if CK3 in each.result.rows or CK3 in each.result.extract_errors
        ]
        if not made:
            return
        hashes = json.dumps([each.result.content_hash for each, _ in made])
        content_ids = {
            (content_hash, rule_id): content_id
            for content_hash, rule_id, content_id in self._db.execute(
                "SELECT content_hash, rule_id, content_id FROM index_contents"
                " WHERE content_hash IN (SELECT value FROM json_each(?))",
                [hashes],
            )
        }
        last = self._db.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'index_contents'"
        ).fetchone()[0]
        new: list[tuple[int, Recorded, int]] = []
        links: list[tuple[int, int]] = []
        for each, rule_id in made:
            key = each.result.content_hash, rule_id
            content_id = content_ids.get(key)
            if content_id is None:
                content_id = content_ids[key] = last + len(new) + 1
                new.append((content_id, each, rule_id))
            links.append((each.file_id, content_id))
        self._db.executemany(
            "INSERT INTO index_contents VALUES (?, ?, ?, ?)",
            [
                (content_id, each.result.content_hash, rule_id, each.result.extract_errors.get(CK3))
                for content_id, each, rule_id in new
            ],
        )
        for start in range(0, len(new), _CHUNK):
            self._write_rows(new[start : start + _CHUNK])
        # REPLACE takes ten times as long.
        self._db.executemany(
            "INSERT INTO indexed_files VALUES (?, ?)"
            " ON CONFLICT (file_id) DO UPDATE SET content_id = excluded.content_id",
            links,
        )
        self._set_state("repeated_names", "stale")

    def _write_kinds(self, rows: Iterable[tuple[str, ...]]) -> None:
        self._db.executemany(
            "INSERT INTO definition_kinds (kind, rule, wins, certainty, since, source, note)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE SET rule = excluded.rule,"
            " wins = excluded.wins, certainty = excluded.certainty, since = excluded.since,"
            " source = excluded.source, note = excluded.note",
            rows,
        )

    def _write_rows(self, new: Sequence[tuple[int, Recorded, int]]) -> None:
        from ck3parse.extractors.ck3 import decode

        contents = [
            (content_id, decode(rows))
            for content_id, each, _ in new
            if (rows := each.result.rows_json(CK3)) is not None
        ]
        kind_ids = self._kind_ids({each.kind for _, rows in contents for each in rows.definitions})
        self._db.executemany(
            "INSERT INTO definition_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (key, start, name, kind_ids[kind], end, line, hashed, priority)
                for content_id, rows in contents
                for key, (name, kind, start, end, line, hashed, priority) in enumerate(
                    rows.definitions, content_id << 24
                )
            ),
        )
        self._db.executemany(
            "INSERT INTO words (rowid, word) VALUES (?, ?)",
            ((content_id, " ".join(rows.words)) for content_id, rows in contents),
        )

    def _kind_ids(self, kinds: set[str]) -> dict[str, int]:
        from ck3parse.extractors.ck3 import rule_of_kind

        query = "SELECT kind, kind_id FROM definition_kinds"
        known = dict(self._db.execute(query).fetchall())
        if new := kinds - known.keys():  # of folders that no rule names
            self._write_kinds(_kind_row(rule_of_kind(kind), kind) for kind in sorted(new))
            known = dict(self._db.execute(query).fetchall())
        return known

    def _link(self, files: Iterable[tuple[int, Found, str | None]], rule_of: RuleOf) -> list[Found]:
        """Put files into the index whose content it has, and return the others."""
        missing = []
        linked = False
        for file_id, found, content_hash in files:
            done = self._db.execute(
                "INSERT INTO indexed_files SELECT ?, content_id FROM index_contents"
                " WHERE content_hash = ? AND rule_id = ?"
                " ON CONFLICT (file_id) DO UPDATE SET content_id = excluded.content_id",
                [file_id, content_hash, rule_of(found)],
            )
            if done.rowcount:
                linked = True
            else:
                missing.append(found)
        if linked:
            self._set_state("repeated_names", "stale")
        return missing

    def note_shard(self, shard: str | None) -> None:
        """Write down that the store has a shard, or all files.

        Args:
            shard: such as `1/4`; `None` for all files.

        Raises:
            StoreError: the store cannot be written.
        """
        before = self._state("shards")
        shards = " ".join(sorted({*before.split(), shard})) if shard else ""
        if shards != before:
            with self._transaction():
                self._set_state("shards", shards)

    def playset_signature(self) -> str:
        """Return the signature of the playset in the store, or `""` if it is not whole."""
        signature, _, files = self._state("playset").partition(" ")
        count = self._db.execute("SELECT count(*) FROM playset_files").fetchone()[0]
        return signature if str(count) == files else ""

    def index_errors(self) -> tuple[int, str | None]:
        """Return how many files of the playset have no rows in the index, and why one of them."""
        row: tuple[int, str | None] = self._db.execute(
            "SELECT count(*), min(error) FROM index_contents JOIN indexed_files USING (content_id)"
            " JOIN playset_files USING (file_id) WHERE error NOT NULL"
        ).fetchone()
        return row

    def is_current(self, state: str) -> bool:
        """Return whether the index was complete in a state, and has lost nothing since.

        Args:
            state: as for `set_current`.
        """
        return self._state("current") == f"{state} {self._indexed_count()}"

    def set_current(self, state: str) -> None:
        """Write down in which state the index is complete.

        Args:
            state: a digest of all that the index depends on, but for the files.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._set_state("current", f"{state} {self._indexed_count()}")

    def _indexed_count(self) -> int:
        query = "SELECT count(*) FROM playset_files JOIN indexed_files USING (file_id)"
        return int(self._db.execute(query).fetchone()[0])

    def selection(self) -> str:
        """Return what `set_selection` wrote, or `""`."""
        return self._state("selection")

    def set_selection(self, selection: str) -> None:
        """Write down which files the index is of.

        Args:
            selection: a `Selection` as JSON.

        Raises:
            StoreError: the store cannot be written.
        """
        if selection != self.selection():
            with self._transaction():
                self._set_state("selection", selection)

    def playset_paths(self) -> list[str]:
        """Return the paths of the sources of the playset in the store."""
        rows = self._db.execute("SELECT path FROM playset_sources ORDER BY position")
        return [path for (path,) in rows]

    def record_playset(
        self, sources: Sequence[SourceRow], files: Sequence[FileRow], signature: str
    ) -> None:
        """Replace the playset.

        Args:
            sources: in load order.
            files: all files of the sources. Those that have no row in the store are left out.
            signature: what `playset_signature` shall return.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            for table in ("playset_sources", "replaced_folders", "playset_files"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608
            self._db.executemany(
                "INSERT INTO playset_sources VALUES (?, ?, ?, ?)",
                [(at, each.name, each.kind, each.path) for at, each in enumerate(sources)],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO replaced_folders VALUES (?, ?)",
                [(at, folder) for at, each in enumerate(sources) for folder in each.replaced],
            )
            ids = self._file_ids({each.root for each in files})
            self._db.executemany(
                "INSERT INTO playset_files VALUES (?, ?, ?, ?, ?, ?)", _rows_of(files, ids)
            )
            count = self._db.execute("SELECT count(*) FROM playset_files").fetchone()[0]
            self._set_state("playset", f"{signature} {count}")

    def _file_ids(self, roots: set[str]) -> dict[tuple[str, str], int]:
        paths = dict(self._db.execute("SELECT root_id, path FROM roots").fetchall())
        return {
            (paths[root_id], name): file_id
            for root_id, name, file_id in self._db.execute(
                "SELECT root_id, name, file_id FROM files NOT INDEXED WHERE dialect IN (?, ?)",
                [self._dialect, TEXT_DIALECT],
            )
            if paths[root_id] in roots
        }

    def end_index(self) -> None:
        """Bring the derived tables up to date, and remove what no file has any more.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._remove_stale()
            self._db.execute(
                "CREATE INDEX IF NOT EXISTS definition_names ON definition_rows (name, kind_id)"
            )
            if self._state("repeated_names") == "stale":
                self._find_repeated_names()
                self._set_state("repeated_names", "")

    def _find_repeated_names(self) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO repeated_names"
            " SELECT name FROM definition_rows"
            " WHERE kind_id NOT IN (SELECT kind_id FROM definition_kinds WHERE wins = 'local')"
            " GROUP BY name HAVING count(*) > 1"
            " UNION"
            " SELECT name FROM"
            " (SELECT content_id FROM indexed_files GROUP BY content_id HAVING count(*) > 1)"
            " CROSS JOIN definition_rows"
            " ON definition_id BETWEEN content_id << 24 AND (content_id + 1 << 24) - 1"
            " WHERE kind_id NOT IN (SELECT kind_id FROM definition_kinds WHERE wins = 'local')"
        )

    def _remove_stale(self) -> None:
        stale = self._db.execute(
            "SELECT content_id FROM index_contents LEFT JOIN indexed_files USING (content_id)"
            " WHERE file_id IS NULL"
        ).fetchall()
        if not stale:
            return
        self._db.executemany(
            "DELETE FROM definition_rows WHERE definition_id BETWEEN ? << 24 AND (? + 1 << 24) - 1",
            [content * 2 for content in stale],
        )
        self._db.executemany("DELETE FROM index_contents WHERE content_id = ?", stale)
        count = int(self._state("stale_words") or 0) + len(stale)
        live = self._db.execute("SELECT count(*) FROM index_contents").fetchone()[0]
        if count > live + _SPARE_WORDS:
            self._rewrite_words()
            count = 0
        self._set_state("stale_words", str(count))

    def _rewrite_words(self) -> None:
        """Write the words of the contents that are left, as single ones cannot be removed."""
        self._db.execute(
            "CREATE TEMP TABLE live_words AS SELECT doc, group_concat(term, ' ') AS words"
            " FROM word_contents WHERE doc IN (SELECT content_id FROM index_contents) GROUP BY doc"
        )
        self._db.execute("INSERT INTO words (words) VALUES ('delete-all')")
        self._db.execute("INSERT INTO words (rowid, word) SELECT doc, words FROM temp.live_words")
        self._db.execute("DROP TABLE temp.live_words")

    def _any(self, table: str) -> bool:
        query = f"SELECT 1 FROM {table} LIMIT 1"  # noqa: S608
        return self._db.execute(query).fetchone() is not None

    def _state(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM index_state WHERE key = ?", [key]).fetchone()
        return row[0] if row else ""

    def _set_state(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO index_state VALUES (?, ?)", [key, value])


def _kind_row(rule: "Rule", kind: str = "") -> tuple[str, ...]:
    return (
        kind or rule.kind, rule.id, rule.wins, rule.certainty, rule.since, rule.source, rule.note
    )  # fmt: skip


def _rows_of(
    files: Sequence[FileRow], ids: dict[tuple[str, str], int]
) -> Iterator[tuple[int | str | None, ...]]:
    for each in files:
        file_id = ids.get((each.root, each.name))
        if file_id is not None:
            by = ids.get(each.replaced_by) if each.replaced_by else None
            yield file_id, each.position, each.relpath, each.read_order, by, each.dropped_by
