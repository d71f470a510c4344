"""The SQLite store of files and their ASTs: what a second run need not parse again."""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files as package_files
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
import zstandard

from ck3parse.errors import ErrorType, StoreError
from ck3parse.files.walk import Found
from ck3parse.messages import Diagnostic, ParseResult
from ck3parse.store.root_name import renamed, renamed_frame

SCHEMA_VERSION = 1
"""Kept in SQLite's `user_version`; a store with a higher one is a later ck3parse's."""

_OF_THE_CONTENT = json.dumps([each for each in ErrorType if each.of_the_content])

Outcomes = Sequence[tuple[Found, ParseResult]]
"""Files as they were found, each with its result."""

PAGE_BYTES = 64 * 1024
"""A few ASTs of the usual ten kilobytes: larger pages are fewer for the kernel to make room for."""


class StoredFile(NamedTuple):
    """What the store knows of a file.

    Attributes:
        file_id: its key.
        size: bytes, when it was looked at.
        mtime_ns: nanoseconds since 1970, when it was looked at.
        settled: whether its outcome follows from its content alone, and is here, so that it still
            holds: 0 or 1.
        ok: whether it has an AST: 0 or 1.
        error_type: as in `ParseResult`, or one that only another version of ck3parse knows.
        error: as in `ParseResult`, like the rest.
    """

    file_id: int
    size: int
    mtime_ns: int
    settled: int
    ok: int
    error_type: str | None
    error: str | None
    line: int | None
    column: int | None


class Vanished(NamedTuple):
    """A file that the store has and that is no more.

    Attributes:
        root: the folder that it was found under, absolute.
        name: its path relative to that, with `/`.
        before: what the store has of it.
    """

    root: str
    name: str
    before: StoredFile


class Counts(NamedTuple):
    """Files of a run, by what became of them."""

    parsed: int
    unchanged: int
    skipped: int
    failed: int


class Store:
    """A store opened for one parser; a context manager that closes it.

    Threads may use it by turns.

    Args:
        path: the SQLite file; it is made if it does not exist.
        parser_version: what results are stored under; those of other versions do not count.

    Raises:
        StoreError: it cannot be opened or made, or a newer ck3parse wrote it.
    """

    def __init__(self, path: Path, parser_version: str) -> None:
        self.path = path
        try:
            # One thread at a time uses it, but not always the same.
            self._db = sqlite3.connect(
                path, timeout=10, isolation_level=None, check_same_thread=False
            )
            try:
                self._open(parser_version)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise StoreError(
                f"the store {path} cannot be opened ({error}): name another with --out, or make"
                " sure that its folder exists and may be written to"
            ) from error

    def _open(self, parser_version: str) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {self.path} was written by a newer ck3parse (its schema is {version},"
                f" this one knows {SCHEMA_VERSION}): upgrade ck3parse, or name another with --out"
            )
        # New pages are written once, where a write-ahead log writes all twice: a third of the time.
        self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._db.execute("BEGIN IMMEDIATE")
        if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
            self._create()
        self._db.execute(
            "INSERT OR IGNORE INTO parser_versions (version) VALUES (?)", [parser_version]
        )
        self._db.execute("COMMIT")
        self._parser = self._db.execute(
            "SELECT parser_version_id FROM parser_versions WHERE version = ?", [parser_version]
        ).fetchone()[0]

    def _create(self) -> None:
        if self._db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            raise StoreError(
                f"{self.path} is an SQLite file of something else: name another with --out"
            )
        schema = package_files("ck3parse.store").joinpath("store.sql").read_text("utf-8")
        for statement in re.sub(r"--.*", "", schema).split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()

    def files_of(self, roots: Sequence[str]) -> dict[str, dict[str, StoredFile]]:
        """Return what is known of the files of some roots, each with its files by name."""
        found: dict[str, dict[str, StoredFile]] = {root: {} for root in roots}
        root_ids = self._db.execute(
            "SELECT root_id, path FROM roots WHERE path IN (SELECT value FROM json_each(?))",
            [json.dumps(roots)],
        ).fetchall()
        by_id = {root_id: found[path] for root_id, path in root_ids}
        if not by_id:
            return found  # without a look at the files of others
        # Through the index by name each file is a page of its own to read, in place of a hundred
        # to a page: 0.16 s for 92,000 files, and 0.39 with it.
        rows = self._db.execute(
            "SELECT root_id, name, content_hash, file_id, size, mtime_ns, parser_version_id = ? AND"
            " (state = 'parsed' OR error_type IN (SELECT value FROM json_each(?))) IS TRUE,"
            " state = 'parsed', error_type, error, line, column"
            " FROM files NOT INDEXED WHERE root_id IN (SELECT value FROM json_each(?))",
            [self._parser, _OF_THE_CONTENT, json.dumps(list(by_id))],
        )
        # One look-up of each content in SQLite would take six times as long.
        known = {content for (content,) in self._contents()}
        for root_id, name, content, *fields in rows:
            file = StoredFile._make(fields)
            if file.settled and content not in known:  # a damaged store
                file = file._replace(settled=0)
            by_id[root_id][name] = file
        return found

    def _contents(self) -> Iterable[tuple[str]]:
        """Return the hash of each content whose outcome is here, under this parser."""
        return self._db.execute(
            "SELECT content_hash FROM asts WHERE parser_version_id = ?", [self._parser]
        )

    def sizes(self) -> set[int]:
        """Return the sizes in bytes of all files whose outcome under this parser is known."""
        rows = self._db.execute(
            "SELECT DISTINCT size FROM files WHERE parser_version_id = ? AND content_hash NOT NULL",
            [self._parser],
        )
        return {size for (size,) in rows}

    def outcome_of(self, content_hash: str) -> ParseResult | None:
        """Return the outcome that a content has under this parser, without its AST, or `None`.

        Args:
            content_hash: SHA-256 of the content in hex.
        """
        row = self._db.execute(
            "SELECT parse_ok, node_count, error_type, error, line, column, size"
            " FROM asts AS a JOIN files AS f USING (file_id)"
            " WHERE a.content_hash = ? AND a.parser_version_id = ?"
            " AND f.content_hash = a.content_hash AND f.parser_version_id = a.parser_version_id"
            " AND (parse_ok OR error_type IN (SELECT value FROM json_each(?)))",
            [content_hash, self._parser, _OF_THE_CONTENT],
        ).fetchone()
        if row is None:
            return None
        ok, node_count, error_type, error, line, column, size = row
        return ParseResult(
            "",
            "",
            bool(ok),
            node_count=node_count,
            error_type=None if error_type is None else ErrorType(error_type),
            error=error,
            line=line,
            column=column,
            content_hash=content_hash,
            size=size,
        )

    def diagnostics_of(self, root: str) -> dict[str, list[Diagnostic]]:
        """Return the diagnostics under this parser of those of a root's files that have any."""
        rows = self._db.execute(
            "SELECT name, d.line, d.column, end_line, end_column, severity, code, message"
            " FROM roots JOIN files AS f USING (root_id)"
            " JOIN asts AS a USING (content_hash, parser_version_id)"
            " JOIN diagnostics AS d USING (ast_id)"
            " WHERE path = ? AND parser_version_id = ? ORDER BY d.rowid",
            [root, self._parser],
        )
        found: defaultdict[str, list[Diagnostic]] = defaultdict(list)
        for name, *fields in rows:
            found[name].append(Diagnostic(*fields))
        return found

    def record(self, outcomes: Outcomes, known: Outcomes = ()) -> list[Found]:
        """Commit what became of some files, in one transaction.

        Args:
            outcomes: each file as it was found, and its result.
            known: files whose content has its outcome here already, or by `outcomes`, each with
                that outcome without the AST.

        Returns:
            The files of `known` that were not recorded: the outcome of their content is here no
            more, as another program that uses the store has removed it since.

        Raises:
            StoreError: it cannot be written.
        """
        with self._transaction():
            self._record_asts(self._record_files(outcomes))
            present = self._present({result.content_hash for _, result in known})
            self._record_files([each for each in known if each[1].content_hash in present])
        return [found for found, result in known if result.content_hash not in present]

    def _present(self, contents: set[str | None]) -> set[str]:
        if not contents:
            return set()
        rows = self._db.execute(
            "SELECT content_hash FROM asts WHERE parser_version_id = ?"
            " AND content_hash IN (SELECT value FROM json_each(?))",
            [self._parser, json.dumps(list(contents))],
        )
        return {content for (content,) in rows}

    def _record_files(self, outcomes: Outcomes) -> list[tuple[int, ParseResult]]:
        """Write the rows of files, and return each result with the key of its file."""
        by_root: defaultdict[str, list[tuple[Found, ParseResult]]] = defaultdict(list)
        for found, result in outcomes:
            by_root[found.root].append((found, result))
        return [
            each
            for root, of_root in by_root.items()
            for each in self._record_files_of(self._root_id(root), of_root)
        ]

    def _record_files_of(
        self, root_id: int, outcomes: list[tuple[Found, ParseResult]]
    ) -> Iterator[tuple[int, ParseResult]]:
        names = json.dumps([found.name for found, _ in outcomes])
        known = dict(
            self._db.execute(
                "SELECT name, file_id FROM files"
                " WHERE root_id = ? AND name IN (SELECT value FROM json_each(?))",
                [root_id, names],
            ).fetchall()
        )
        next_id = self._db.execute("SELECT coalesce(max(file_id), 0) + 1 FROM files").fetchone()[0]
        file_ids = [
            known.get(found.name, next_id + position)
            for position, (found, _) in enumerate(outcomes)
        ]
        # One statement for many rows: a file's cost here is most of what it costs the client.
        self._db.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (file_id)"
            " DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,"
            " content_hash = excluded.content_hash, parser_version_id = excluded.parser_version_id,"
            " state = excluded.state, error_type = excluded.error_type, error = excluded.error,"
            " line = excluded.line, column = excluded.column",
            [
                (
                    file_id, root_id, found.name, found.size, found.mtime_ns, result.content_hash,
                    self._parser, "parsed" if result.ok else "failed", result.error_type,
                    result.error, result.line, result.column,
                )
                for file_id, (found, result) in zip(file_ids, outcomes, strict=True)
            ],
        )  # fmt: skip
        return zip(file_ids, (result for _, result in outcomes), strict=True)

    def _record_asts(self, of_files: list[tuple[int, ParseResult]]) -> None:
        results = [(file_id, result) for file_id, result in of_files if result.of_the_content]
        last = self._db.execute("SELECT coalesce(max(ast_id), 0) FROM asts").fetchone()[0]
        now = self._db.execute("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')").fetchone()[0]
        self._db.executemany(
            "INSERT OR IGNORE INTO asts"
            " (file_id, content_hash, parser_version_id, ast_blob, parse_ok, node_count,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (file_id, r.content_hash, self._parser, r.ast, r.ok, r.node_count, now)
                for file_id, r in results
            ],
        )
        self._db.executemany(
            # Of a content that was here already, so are its diagnostics.
            "INSERT INTO diagnostics SELECT ast_id, ?, ?, ?, ?, ?, ?, ? FROM asts WHERE ast_id > ?"
            " AND file_id = ? AND content_hash = ? AND parser_version_id = ?",
            [
                (*msgspec.structs.astuple(diagnostic), last, file_id, r.content_hash, self._parser)
                for file_id, r in results
                for diagnostic in r.diagnostics
            ],
        )

    def _root_id(self, root: str) -> int:
        row = self._db.execute("SELECT root_id FROM roots WHERE path = ?", [root]).fetchone()
        if row is None:
            cursor = self._db.execute("INSERT INTO roots (path) VALUES (?)", [root])
            return int(cursor.lastrowid or 0)
        return int(row[0])

    def remove(self, vanished: Iterable[Vanished]) -> None:
        """Forget files that are no more, unless another program recorded them anew since.

        Args:
            vanished: the files, as the store had them.

        Raises:
            StoreError: it cannot be written.
        """
        with self._transaction():
            self._db.executemany(
                # A key that is free is given to another file.
                "DELETE FROM files WHERE file_id = ? AND name = ? AND size = ? AND mtime_ns = ?"
                " AND root_id = (SELECT root_id FROM roots WHERE path = ?)",
                [
                    (each.before.file_id, each.name, each.before.size, each.before.mtime_ns,
                     each.root)
                    for each in vanished
                ],
            )  # fmt: skip

    def tidy(self) -> None:
        """Set right the ASTs that were left by the file whose name their root has.

        A file that has gone or changed leaves its AST to another file of the same content, or to
        nobody, and then the AST goes too. One look over all costs less than one at each change.

        Raises:
            StoreError: it cannot be written.
        """
        with self._transaction():
            left = self._db.execute(
                "SELECT ast_id, a.content_hash, a.parser_version_id"
                " FROM asts AS a LEFT JOIN files AS f USING (file_id)"
                " WHERE f.content_hash IS NOT a.content_hash"
                " OR f.parser_version_id IS NOT a.parser_version_id"
            ).fetchall()
            if left:
                self._leave({(content, parser): ast_id for ast_id, content, parser in left})

    def _leave(self, asts: dict[tuple[str, int], int]) -> None:
        heirs = {
            asts[content, parser]: (file_id, name)
            for file_id, name, content, parser in self._db.execute(
                "SELECT file_id, name, content_hash, parser_version_id FROM files"
            )
            if (content, parser) in asts
        }
        orphans = [(ast_id,) for ast_id in asts.values() if ast_id not in heirs]
        self._db.executemany("DELETE FROM diagnostics WHERE ast_id = ?", orphans)
        self._db.executemany("DELETE FROM asts WHERE ast_id = ?", orphans)
        for ast_id, (file_id, name) in heirs.items():
            blob = self._db.execute(
                "SELECT ast_blob FROM asts WHERE ast_id = ?", [ast_id]
            ).fetchone()[0]
            self._db.execute(
                "UPDATE asts SET file_id = ?, ast_blob = ? WHERE ast_id = ?",
                [file_id, blob and renamed_frame(blob, name), ast_id],
            )

    def ast_json(self, root: str, name: str) -> bytes | None:
        """Return the AST of a file as JSON, with its own name in the root, or `None`.

        Args:
            root: the folder it was found under, as it was given, absolute.
            name: its path relative to that, with `/`.
        """
        row = self._db.execute(
            "SELECT ast_blob FROM asts JOIN files USING (content_hash, parser_version_id)"
            " JOIN roots USING (root_id)"
            " WHERE path = ? AND name = ? AND parser_version_id = ? AND parse_ok",
            [root, name, self._parser],
        ).fetchone()
        return None if row is None else renamed(zstandard.decompress(row[0]), name)

    def asts(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield root, name and AST JSON of each file that has one, in order of both."""
        rows = self._db.execute(
            "SELECT path, name, ast_blob FROM files JOIN roots USING (root_id)"
            " JOIN asts USING (content_hash, parser_version_id)"
            " WHERE parser_version_id = ? AND parse_ok ORDER BY path, name",
            [self._parser],
        )
        for path, name, blob in rows:
            yield path, name, renamed(zstandard.decompress(blob), name)

    def begin_run(self, paths: Sequence[str], parser: str) -> int:
        """Note that a run begins, and return its key.

        Args:
            paths: what it was given, absolute.
            parser: the name of the parser in use.
        """
        cursor = self._db.execute(
            "INSERT INTO runs (paths, parser) VALUES (?, ?)", [json.dumps(list(paths)), parser]
        )
        return int(cursor.lastrowid or 0)

    def end_run(self, run_id: int, counts: Counts, exit_code: int) -> None:
        """Note how a run ended.

        Raises:
            StoreError: it cannot be written.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), parsed = ?,"
                " unchanged = ?, skipped = ?, failed = ?, exit_code = ? WHERE run_id = ?",
                [*counts, exit_code, run_id],
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(
                f"the store {self.path} cannot be written ({error}): what was committed before"
                " stays; make room or close what holds it, and run again to go on from there"
            ) from error
        finally:
            # An interrupt can come between any two statements.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
