"""What can be written to a store."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store.extraction_records import ExtractionRecords, ExtractionTarget
from ck3parse.store.index_records import IndexRecords, IndexTarget
from ck3parse.store.playset_records import PlaysetRecords
from ck3parse.store.queries import StoredFile
from ck3parse.store.recorded import Recorded
from ck3parse.store.root_name import frame_with_root_name

Outcomes = Sequence[tuple[Found, ParseResult]]
"""Files as they were found, each with its result."""


class Vanished(NamedTuple):
    """A file that the store has and that no longer exists.

    Attributes:
        root: the absolute path of the folder that it was found in.
        name: its path relative to the root, with `/`.
        before: what the store has of it.
    """

    root: str
    name: str
    before: StoredFile


class Counts(NamedTuple):
    """Numbers of files of a run."""

    parsed: int
    unchanged: int
    skipped: int
    failed: int


class Records(IndexRecords, PlaysetRecords, ExtractionRecords):
    """Writes to a store, under its version of a parser."""

    def record(
        self,
        outcomes: Outcomes,
        known: Outcomes = (),
        index: IndexTarget | None = None,
        extraction: ExtractionTarget | None = None,
    ) -> list[Found]:
        """Commit the outcomes of some files in one transaction.

        Args:
            outcomes: files with their results.
            known: files with a content whose outcome is in the store, or in `outcomes`, each with
                that outcome, without its AST.
            index: what to index. `None` leaves the index as it is.
            extraction: which rows of extractors to keep.

        Returns:
            The files of `known` that were not recorded, because another program has removed the
            outcome of their content from the store since.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            recorded = self._record_files(outcomes)
            self._record_asts(recorded)
            present = self._present({result.content_hash for _, result in known})
            also = self._record_files([each for each in known if each[1].content_hash in present])
            self._index_all(recorded, also, index)
            if extraction:
                self._record_extractions(recorded, extraction)
                parsed = [(each.file_id, each.found) for each in also if each.result.ok]
                self._link_extractions(parsed, extraction)
        return [found for found, result in known if result.content_hash not in present]

    def _index_all(
        self, recorded: list[Recorded], also: list[Recorded], index: IndexTarget | None
    ) -> None:
        """Index files that were recorded with their results, and others whose content is known."""
        if index:
            self._index(recorded, index.rule_of)
            files = [(each.file_id, each.found, each.result.content_hash) for each in also]
            index.missing.extend(self._link(files, index.rule_of))

    def _present(self, contents: set[str | None]) -> set[str]:
        """Return those of some contents that have an outcome."""
        if not contents:
            return set()
        rows = self._db.execute(
            "SELECT content_hash FROM asts WHERE parser_version_id = ?"
            " AND content_hash IN (SELECT value FROM json_each(?))",
            [self._parser_id, json.dumps(list(contents))],
        )
        return {content for (content,) in rows}

    def _record_files(self, outcomes: Outcomes) -> list[Recorded]:
        """Write the rows of files, and return each result with the key of its file."""
        by_root: defaultdict[str, list[tuple[Found, ParseResult]]] = defaultdict(list)
        for found, result in outcomes:
            by_root[found.root].append((found, result))
        return [
            recorded
            for root, root_outcomes in by_root.items()
            for recorded in self._record_files_of(self._root_id(root), root_outcomes)
        ]

    def _record_files_of(
        self, root_id: int, outcomes: list[tuple[Found, ParseResult]]
    ) -> list[Recorded]:
        names = json.dumps([found.name for found, _ in outcomes])
        known = dict(
            self._db.execute(
                "SELECT name, file_id FROM files"
                " WHERE root_id = ? AND name IN (SELECT value FROM json_each(?)) AND dialect = ?",
                [root_id, names, self._dialect],
            ).fetchall()
        )
        next_id = self._db.execute("SELECT coalesce(max(file_id), 0) + 1 FROM files").fetchone()[0]
        recorded = [
            Recorded(known.get(found.name, next_id + position), found, result)
            for position, (found, result) in enumerate(outcomes)
        ]
        # One statement for many rows: this is most of what a file costs the client. `ON CONFLICT DO
        # UPDATE` would run triggers, for which SQLite copies each page before it changes it.
        self._db.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (each.file_id, root_id, each.found.name, *self._state_of(each), self._dialect)
                for each in recorded
                if each.found.name not in known
            ],
        )
        self._db.executemany(
            "UPDATE files SET size = ?, mtime_ns = ?, content_hash = ?, parser_version_id = ?,"
            " state = ?, error_type = ?, error = ?, line = ?, column = ? WHERE file_id = ?",
            [
                (*self._state_of(each), each.file_id)
                for each in recorded
                if each.found.name in known
            ],
        )
        return recorded

    def _state_of(self, recorded: Recorded) -> tuple[str | int | None, ...]:
        """Return the columns of `files` that change with a file."""
        _, found, result = recorded
        return (
            found.size, found.mtime_ns, result.content_hash, self._parser_id,
            "parsed" if result.ok else "failed", result.error_type, result.error, result.line,
            result.column,
        )  # fmt: skip

    def _record_asts(self, recorded: list[Recorded]) -> None:
        """Write the outcomes of contents, each with the key of a file that has the content."""
        results = [(file_id, result) for file_id, _, result in recorded if result.of_the_content]
        last = self._db.execute("SELECT coalesce(max(ast_id), 0) FROM asts").fetchone()[0]
        now = self._db.execute("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')").fetchone()[0]
        self._db.executemany(
            "INSERT OR IGNORE INTO asts"
            " (file_id, content_hash, parser_version_id, ast_blob, parse_ok, node_count,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (file_id, r.content_hash, self._parser_id, r.ast, r.ok, r.node_count, now)
                for file_id, r in results
            ],
        )
        self._db.executemany(
            # A content that was in the store has its diagnostics there, too.
            "INSERT INTO diagnostics SELECT ast_id, ?, ?, ?, ?, ?, ?, ? FROM asts WHERE ast_id > ?"
            " AND file_id = ? AND content_hash = ? AND parser_version_id = ?",
            [
                (
                    *msgspec.structs.astuple(diagnostic),
                    last, file_id, r.content_hash, self._parser_id,
                )
                for file_id, r in results
                for diagnostic in r.diagnostics
            ],
        )  # fmt: skip

    def _root_id(self, root: str) -> int:
        row = self._db.execute("SELECT root_id FROM roots WHERE path = ?", [root]).fetchone()
        if row is None:
            cursor = self._db.execute("INSERT INTO roots (path) VALUES (?)", [root])
            return int(cursor.lastrowid or 0)
        return int(row[0])

    def remove(self, vanished: Iterable[Vanished]) -> None:
        """Remove files that no longer exist, unless another program has recorded them again.

        Args:
            vanished: the files with what the store had of them.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._db.executemany(
                # A free key may have been given to another file.
                "DELETE FROM files WHERE file_id = ? AND name = ? AND size = ? AND mtime_ns = ?"
                " AND root_id = (SELECT root_id FROM roots WHERE path = ?)",
                [
                    (each.before.file_id, each.name, each.before.size, each.before.mtime_ns,
                     each.root)
                    for each in vanished
                ],
            )  # fmt: skip

    def tidy(self) -> None:
        """Repair the ASTs whose file was removed or has another content now.

        Such an AST passes to another file with the same content, and gets its name. If there is
        none, the AST is removed. One look at all ASTs costs less than one at each change. Rows of
        extractors that no file has any more are removed, too.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            left = self._db.execute(
                "SELECT ast_id, a.content_hash, a.parser_version_id"
                " FROM asts AS a LEFT JOIN files AS f USING (file_id)"
                " WHERE f.content_hash IS NOT a.content_hash"
                " OR f.parser_version_id IS NOT a.parser_version_id"
            ).fetchall()
            if left:
                self._pass_on({(content, parser): ast_id for ast_id, content, parser in left})
            self._remove_stale_extractions()
            self._db.execute(
                "DELETE FROM checked_definitions WHERE (content_hash, parser_version_id)"
                " NOT IN (SELECT content_hash, parser_version_id FROM files)"
            )

    def _pass_on(self, asts: dict[tuple[str, int], int]) -> None:
        """Pass ASTs, given by content and parser version, to other files, or remove them."""
        new_files = {
            asts[content, parser]: (file_id, name)
            for file_id, name, content, parser in self._db.execute(
                "SELECT file_id, name, content_hash, parser_version_id FROM files"
            )
            if (content, parser) in asts
        }
        orphans = [(ast_id,) for ast_id in asts.values() if ast_id not in new_files]
        self._db.executemany("DELETE FROM diagnostics WHERE ast_id = ?", orphans)
        self._db.executemany("DELETE FROM asts WHERE ast_id = ?", orphans)
        for ast_id, (file_id, name) in new_files.items():
            blob = self._db.execute(
                "SELECT ast_blob FROM asts WHERE ast_id = ?", [ast_id]
            ).fetchone()[0]
            self._db.execute(
                "UPDATE asts SET file_id = ?, ast_blob = ? WHERE ast_id = ?",
                [file_id, blob and frame_with_root_name(blob, name), ast_id],
            )

    def begin_run(self, paths: Sequence[str], parser: str, shard: str | None = None) -> int:
        """Record the start of a run.

        Args:
            paths: the absolute paths that it was given.
            parser: the name of the parser in use.
            shard: which part of the files it takes, such as `1/4`; default: all.

        Returns:
            The key of the run.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO runs (paths, parser) VALUES (?, ?)", [json.dumps(list(paths)), parser]
            )
            self._begin_shard(shard)
        return int(cursor.lastrowid or 0)

    def end_run(
        self,
        run_id: int,
        counts: Counts,
        exit_code: int,
        shard: str | None = None,
        *,
        is_early: bool = False,
    ) -> None:
        """Record the end of a run.

        Args:
            run_id: the key of the run.
            counts: the numbers of its files.
            exit_code: the exit code of its command.
            shard: as for `begin_run`.
            is_early: whether it ended before all of its files had an outcome.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), parsed = ?,"
                " unchanged = ?, skipped = ?, failed = ?, exit_code = ? WHERE run_id = ?",
                [*counts, exit_code, run_id],
            )
            if not is_early:
                self._end_shard(shard)
