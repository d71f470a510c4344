"""What can be written to the index of a store."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import zstandard

from ck3parse.extractors import CK3
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store.recorded import Recorded, RecordedFiles
from ck3parse.store.word_records import WordRecords

if TYPE_CHECKING:
    # A run without index does not need its rules.
    from ck3parse.extractors.ck3 import Rule
    from ck3parse.parser._native import DefinitionRows, WordLists

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

Rows = tuple[int, bytes]
"""The key of a content, and its rows as JSON."""

DefinitionRow = tuple[int, int, str, int, int, int, int, int | None]
"""A row of `definition_rows`."""


class IndexRecords(WordRecords, RecordedFiles):
    """Writes what files define and use. Its methods with a `_` run within a transaction."""

    _definitions: "DefinitionRows | None" = None
    """Collects definitions while words are collected."""
    _last_seen: int | None = None
    """The last content, if the definitions of all contents went through `_definitions`."""

    def begin_index(self, files: int) -> None:
        """Prepare for new rows: write the rules down.

        Args:
            files: how many files have new rows. Of many, the words are written together, and into
                an empty index they are written without the index by name, by `end_index`.

        Raises:
            StoreError: the store cannot be written.
        """
        from ck3parse.extractors.ck3 import rules

        with self._transaction():
            self._write_kinds([_kind_row(rule) for rule in rules()])
            if files > MANY_CONTENTS:
                self._collect_words()
                self._definitions = self._new_definitions()
                self._last_seen = None
                if not self._any("definition_rows"):
                    self._db.execute("DROP INDEX IF EXISTS definition_names")
                    self._last_seen = self._last_content()

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
            recorded = self._with_keys(results)
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
        self._forget_lists()
        last = self._last_content()
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
        definitions = self._definitions if self._lists else None
        is_seen = bool(definitions) and self._last_seen == last
        self._last_seen = last + len(new) if is_seen else None
        kind_ids = self._kind_ids(set()) if definitions else {}
        for start in range(0, len(new), _CHUNK):
            self._write_rows(new[start : start + _CHUNK], definitions, kind_ids)
        if definitions:
            self._write_definitions(definitions)
        # REPLACE takes ten times as long.
        self._db.executemany(
            "INSERT INTO indexed_files VALUES (?, ?)"
            " ON CONFLICT (file_id) DO UPDATE SET content_id = excluded.content_id",
            links,
        )
        self._set_state("repeated_names", "stale")

    def _last_content(self) -> int:
        """Return the key of the content that was written last by any process."""
        query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'index_contents'"
        return int(self._db.execute(query).fetchone()[0])

    def _write_kinds(self, rows: Iterable[tuple[str, ...]]) -> None:
        self._db.executemany(
            "INSERT INTO definition_kinds (kind, rule, wins, certainty, since, source, note)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE SET rule = excluded.rule,"
            " wins = excluded.wins, certainty = excluded.certainty, since = excluded.since,"
            " source = excluded.source, note = excluded.note",
            rows,
        )

    def _write_rows(
        self,
        new: Sequence[tuple[int, Recorded, int]],
        definitions: "DefinitionRows | None",
        kind_ids: dict[str, int],
    ) -> None:
        decompress = zstandard.ZstdDecompressor().decompress
        frames = ((content_id, each.result.rows.get(CK3)) for content_id, each, _ in new)
        contents = [(content_id, decompress(frame)) for content_id, frame in frames if frame]
        if not contents:
            return
        if self._lists and definitions:
            self._collect(contents, self._lists, definitions, kind_ids)
            self._note_unwritten(contents[0][0])
        else:
            self._db.executemany(
                "INSERT INTO definition_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                itertools.chain.from_iterable(self._decoded(contents)),
            )

    def _collect(
        self,
        contents: Sequence[Rows],
        lists: "WordLists",
        definitions: "DefinitionRows",
        kind_ids: dict[str, int],
    ) -> None:
        """Collect the words and the definitions of contents."""
        from ck3parse.extractors.ck3 import decode
        from ck3parse.extractors.stage import encoded

        while contents:
            try:
                taken = lists.add(contents, kind_ids, definitions)
            except ValueError:  # an unknown kind, or JSON in another form
                content_id, rows = contents[0]
                decoded = decode(rows)
                kind_ids.update(self._kind_ids({each.kind for each in decoded.definitions}))
                again = content_id, encoded(msgspec.to_builtins(decoded))
                taken = lists.add([again], kind_ids, definitions)
            contents = contents[taken:]

    def _new_definitions(self) -> "DefinitionRows | None":
        """Return what collects definitions, if words are collected, too."""
        if self._lists is None:
            return None
        from ck3parse.parser.native import DefinitionRows

        return DefinitionRows()

    def _write_definitions(self, definitions: "DefinitionRows") -> None:
        """Write definitions that were collected."""
        sql = self._sql_of("definition_rows")
        if made := definitions.database("definition_rows", sql):
            self._copy_rows("definition_rows", made)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with super()._transaction():
                yield
        except BaseException:
            self._last_seen = None
            raise

    def _decoded(self, contents: Iterable[Rows]) -> list[list[DefinitionRow]]:
        """Write the words of contents, and return the definitions of each."""
        from ck3parse.extractors.ck3 import decode

        decoded = [(content_id, decode(rows)) for content_id, rows in contents]
        kind_ids = self._kind_ids({each.kind for _, rows in decoded for each in rows.definitions})
        self._write_words((content_id, " ".join(rows.words)) for content_id, rows in decoded)
        return [
            [
                (key, start, name, kind_ids[kind], end, line, hashed, priority)
                for key, (name, kind, start, end, line, hashed, priority) in enumerate(
                    rows.definitions, content_id << 24
                )
            ]
            for content_id, rows in decoded
        ]

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

    def end_index(self) -> None:
        """Bring the derived tables up to date, and remove what no file has any more.

        Raises:
            StoreError: the store cannot be written.
        """
        self._write_lists(beside=self._create_name_index)
        with self._transaction():
            self._create_name_index()  # there may have been no words to write
            self._remove_stale()
            if self._state("repeated_names") == "stale":
                self._find_repeated_names()
                self._set_state("repeated_names", "")

    def _create_name_index(self) -> None:
        self._db.execute(
            "CREATE INDEX IF NOT EXISTS definition_names ON definition_rows (name, kind_id)"
        )

    def _find_repeated_names(self) -> None:
        if self._definitions and self._last_seen == self._last_content():
            # In the order of the index: it is larger than the cache.
            repeated = [(name,) for name in sorted(self._definitions.repeated_names())]
        else:
            repeated = self._db.execute(
                "SELECT name FROM definition_rows GROUP BY name HAVING count(*) > 1"
            ).fetchall()
        self._definitions = None
        self._db.executemany(
            "INSERT OR IGNORE INTO repeated_names SELECT name FROM (SELECT ? AS name) AS repeated"
            " WHERE 1 < (SELECT count(*) FROM definition_rows JOIN definition_kinds USING (kind_id)"
            " WHERE name = repeated.name AND wins <> 'local')",
            repeated,
        )
        self._db.execute(
            "INSERT OR IGNORE INTO repeated_names SELECT name FROM"
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
        self._count_stale_words(len(stale))


def _kind_row(rule: "Rule", kind: str = "") -> tuple[str, ...]:
    return (
        kind or rule.kind, rule.id, rule.wins, rule.certainty, rule.since, rule.source, rule.note
    )  # fmt: skip
