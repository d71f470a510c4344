"""Opens the SQLite file of a store, and creates its tables."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ck3parse.errors import StoreError
from ck3parse.extractors import LOCALIZATION
from ck3parse.messages import DEFAULT_DIALECT
from ck3parse.store.lock import LOCK_PATIENCE_S, Waiting, holder, is_locked

SCHEMA_VERSION = 4
"""The version of `store.sql`, kept in SQLite's `user_version`."""

PAGE_BYTES = 64 * 1024
"""Size of a page: it holds a few ASTs. The kernel makes room for fewer pages sooner."""


def dialect_of(parser_version: str) -> str:
    """Return the dialect of a parser's version, such as `ck3/2`.

    Args:
        parser_version: the version under which results are stored.

    Returns:
        The dialect; the default one for a parser of the user's own; `localization` for that of
        localization files.
    """
    dialect = parser_version.partition("/")[0]
    return dialect if dialect in ("ck3", TEXT_DIALECT) else DEFAULT_DIALECT


TEXT_DIALECT = LOCALIZATION.partition("/")[0]
"""What `files` has in place of a dialect for localization files."""

_CREATED = re.compile(r"^CREATE (?:VIRTUAL )?(TABLE|INDEX|VIEW|TRIGGER) (\w+)", re.MULTILINE)

_INDEX_OF_VERSION_3 = (
    "definition_rows", "repeated_names", "word_contents", "words", "index_contents", "index_state",
    "indexed_files",
)  # fmt: skip


def _statements() -> list[str]:
    from importlib.resources import files as package_files  # only a new store needs it

    schema = package_files("ck3parse.store").joinpath("store.sql").read_text("utf-8")
    statements, statement = [], ""
    for line in schema.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):  # a trigger has semicolons inside
            statements.append(statement)
            statement = ""
    return statements


class Database:
    """An open store file.

    Args:
        path: the SQLite file; it is created if it does not exist.
        parser_version: the version under which results are stored and found.
        say: called with what is being waited for, if another program writes to the file, and with
            `None` afterwards, in any thread.

    Attributes:
        path: as given.

    Raises:
        StoreError: the file cannot be opened or created, or a newer ck3parse wrote it.
    """

    def __init__(
        self,
        path: Path,
        parser_version: str,
        *,
        say: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.path = path
        self._waiting = Waiting(path, say)
        try:
            # Several threads use the connection, but never at the same time.
            self._db = sqlite3.connect(
                path, timeout=LOCK_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._parser_id = self._open(parser_version)
                self._dialect = dialect_of(parser_version)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise self._error(
                "opened",
                error,
                "name another with --out, or make sure that its folder exists and may be written"
                " to",
            ) from error

    def _open(self, parser_version: str) -> int:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {self.path} was written by a newer ck3parse (its schema is {version},"
                f" this one knows {SCHEMA_VERSION}): upgrade ck3parse, or name another with --out"
            )
        # A write-ahead log would write new pages twice, which takes a third of the time.
        self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._waiting.begin(self._db)
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._create()
        elif version < SCHEMA_VERSION:
            self._upgrade(version)
        elif version_id := self._version_id(parser_version):
            # To commit would wait until nobody reads the store, even if nothing was changed.
            self._db.execute("ROLLBACK")
            return version_id
        version_id = self._new_version_id(parser_version)
        self._waiting.commit(self._db)
        return version_id

    def _version_id(self, parser_version: str) -> int | None:
        """Return the key of a parser's version, if the store has it."""
        query = "SELECT parser_version_id FROM parser_versions WHERE version = ?"
        row = self._db.execute(query, [parser_version]).fetchone()
        return int(row[0]) if row else None

    def _new_version_id(self, parser_version: str) -> int:
        """Return the key of a parser's version, within a transaction."""
        if version_id := self._version_id(parser_version):
            return version_id
        insert = "INSERT INTO parser_versions (version) VALUES (?)"
        return int(self._db.execute(insert, [parser_version]).lastrowid or 0)

    @classmethod
    def beside(cls, other: "Database", parser_version: str) -> Self:
        """Return an open store under another version of a parser, in the same file.

        It need not be closed, and takes turns with the other.

        Args:
            other: an open store.
            parser_version: the version under which results are stored and found.

        Raises:
            StoreError: the store cannot be written.
        """
        self = cls.__new__(cls)
        self.path, self._dialect = other.path, dialect_of(parser_version)
        self._db, self._waiting = other._db, other._waiting  # noqa: SLF001
        if version_id := self._version_id(parser_version):
            self._parser_id = version_id
        else:
            with self._transaction():
                self._parser_id = self._new_version_id(parser_version)
        return self

    def _create(self) -> None:
        if self._db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            raise StoreError(
                f"{self.path} is an SQLite file of another program: name another with --out"
            )
        for statement in _statements():
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _upgrade(self, version: int) -> None:
        """Upgrade a store of an earlier version."""
        if version == 1:  # its files had one dialect
            (create_files,) = (each for each in _statements() if "CREATE TABLE files " in each)
            # In this order, as a table that refers to one that is renamed refers to it afterwards.
            self._db.execute(create_files.replace("TABLE files", "TABLE files_2", 1))
            self._db.execute("INSERT INTO files_2 SELECT *, ? FROM files", [DEFAULT_DIALECT])
            self._db.execute("DROP TABLE files")
            self._db.execute("ALTER TABLE files_2 RENAME TO files")
        if version == 3:  # the next run fills its index again
            for table in _INDEX_OF_VERSION_3:
                self._db.execute(f"DROP TABLE {table}")
        # Views and triggers hold nothing, so that they are made again.
        query = "SELECT type, name FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'"
        there = set(self._db.execute(query).fetchall())
        for kind, name in there:
            if kind in ("view", "trigger"):
                self._db.execute(f"DROP {kind} {name}")
        for statement in _statements():
            created = _CREATED.search(statement)
            if created is None:
                raise AssertionError(statement)
            kind, name = created[1].lower(), created[2]
            if kind in ("view", "trigger") or (kind, name) not in there:
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
        if isinstance(error, sqlite3.Error):
            raise self._error("read", error, "run again to continue") from error

    def close(self) -> None:
        """Close the file. Everything that was committed is kept."""
        self._db.close()

    def hurry(self) -> None:
        """Do not wait long any more for other programs: in any thread."""
        self._waiting.hurry()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit the changes of a block, or none of them.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            self._waiting.begin(self._db)
            yield
            self._waiting.commit(self._db)
        except sqlite3.Error as error:
            raise self._error(
                "written",
                error,
                "earlier commits are kept; free disk space, and run again to continue",
            ) from error
        finally:
            # An interrupt can come between any two statements.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _error(self, what: str, error: sqlite3.Error, hint: str) -> StoreError:
        """Return an error that says what to do.

        Args:
            what: what cannot be done with the store.
            error: why.
            hint: what to do, if no other program has locked it.
        """
        if is_locked(error):
            return StoreError(
                f"the store {self.path} cannot be {what}, as it is locked by {holder(self.path)}:"
                " earlier commits are kept; wait until that one has ended, or close it, and run"
                " again to continue"
            )
        return StoreError(f"the store {self.path} cannot be {what} ({error}): {hint}")
