"""Merging stores: what shards of a playset wrote becomes one store.

The rows of each store are copied with new keys, in SQL. Trees are copied as they are, compressed.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ck3parse.errors import StoreError, UsageError
from ck3parse.plurals import counted
from ck3parse.store.index_state import ALL_FILES
from ck3parse.store.lock import LOCK_PATIENCE_S
from ck3parse.store.reading import open_to_read
from ck3parse.store.schema import SCHEMA_VERSION
from ck3parse.store.store import Store


class _Table(NamedTuple):
    """How a table is copied.

    Attributes:
        name: its name.
        id: the column of its key, which another store has given to another row; or `None`.
        key: the columns by which a row is the same in two stores; none if no two rows are.
        part_of: a table copied before. Only rows that belong to new rows of it are copied.
        owner: the SQL of the key of that row; default: the column of the same name.
    """

    name: str
    id: str | None = None
    key: tuple[str, ...] = ()
    part_of: str | None = None
    owner: str | None = None


_TABLES = [
    _Table("roots", "root_id", ("path",)),
    _Table("parser_versions", "parser_version_id", ("version",)),
    _Table("files", "file_id", ("root_id", "name", "dialect")),
    _Table("asts", "ast_id", ("content_hash", "parser_version_id")),
    _Table("diagnostics", part_of="asts"),
    _Table("runs", "run_id"),
    _Table("index_rules", "rule_id", ("extractor", "rule")),
    _Table("definition_kinds", "kind_id", ("kind",)),
    _Table("index_contents", "content_id", ("content_hash", "rule_id")),
    _Table("definition_rows", part_of="index_contents", owner="definition_id >> 24"),
    _Table("indexed_files", key=("file_id",)),
    _Table("playset_files", key=("file_id",)),
    _Table("loc_keys", "key_id", ("key",)),
    _Table("loc_blocks", "block_id", ("digest",)),
    _Table("loc_texts", part_of="loc_blocks"),
    _Table("loc_references", part_of="loc_blocks"),
    _Table("loc_contents", "loc_content_id", ("content_hash",)),
    _Table("loc_files", key=("file_id",)),
    _Table(
        "extractions",
        "extraction_id",
        ("content_hash", "relpath", "extractor", "parser_version_id"),
    ),
    _Table("extracted_files", key=("file_id", "extraction_id")),
]
"""In an order in which a row comes after those that it refers to."""

_REFERENCES = {
    "root_id": "roots",
    "parser_version_id": "parser_versions",
    "file_id": "files",
    "replaced_by": "files",
    "ast_id": "asts",
    "rule_id": "index_rules",
    "kind_id": "definition_kinds",
    "content_id": "index_contents",
    "key_id": "loc_keys",
    "block_id": "loc_blocks",
    "loc_content_id": "loc_contents",
    "extraction_id": "extractions",
}
"""Columns that hold the key of a row, of whatever table, and the table of the row."""

NOT_COPIED = {
    "checked_definitions": "in the cache of `check` only",
    "words": "copied by content, as it is no ordinary table",
    "repeated_names": "found again",
    "index_state": "found again",
    "playset_sources": "the same in all stores",
    "replaced_folders": "the same in all stores",
}
"""Tables that are not copied row by row, and why."""

_MOST_EXAMPLES = 3


class Merged(NamedTuple):
    """What a merged store holds.

    Attributes:
        files: number of files.
        asts: number of contents with a syntax tree, or with the reason why there is none.
        definitions: number of definitions.
        missing_shards: the shards that none of the stores has, such as `2/4`.
    """

    files: int
    asts: int
    definitions: int
    missing_shards: list[str]


def merge(
    stores: Sequence[Path], out: Path, *, told: Callable[[Path], None] = lambda _: None
) -> Merged:
    """Merge stores into a new one.

    Args:
        stores: stores of the same version of ck3parse, with the same playset. They are not changed.
            A file may be in several of them if its content is the same.
        out: the new store. It appears when it is complete.
        told: called with each store before it is copied.

    Raises:
        UsageError: `out` exists, or the stores do not fit together.
        StoreError: a store cannot be read, or `out` cannot be written.
    """
    if len({os.path.realpath(store) for store in stores}) < len(stores):
        raise UsageError("the same store is named twice: name each once")
    if os.path.exists(out):
        raise UsageError(f"{out} exists: remove it, or name another with --out")
    for store in stores:
        _check_is_store(store)
    part = out.with_name(f"{out.name}.part")
    try:
        # The largest is copied page by page.
        first, *others = sorted(stores, key=lambda store: -store.stat().st_size)
        told(first)
        _copy(first, part)
        with _MergedStore(part, _any_version(part)) as merged:
            merged.begin(first)
            for store in others:
                told(store)
                merged.add(store, first)
            merged.complete()
            counts = merged.counts()
        os.replace(part, out)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the stores cannot be merged into {out} ({error})") from error
    finally:
        part.unlink(missing_ok=True)
    return counts


def _check_is_store(path: Path) -> None:
    if not os.path.isfile(path):
        raise UsageError(f"{path} is not there: name the stores that `ck3parse run` wrote")
    try:
        with closing(open_to_read(path, LOCK_PATIENCE_S)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            is_store = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'asts'")
            if not is_store.fetchone()[0]:
                raise UsageError(f"{path} is not a store of `ck3parse run`")
            query = "SELECT 1 FROM index_state WHERE key = 'unwritten' AND value <> ''"
            if version == SCHEMA_VERSION:
                _check_is_whole(db, "main", path)
                if db.execute(query).fetchone():
                    raise UsageError(
                        f"{path} lacks words of its index, as the run that wrote it was killed: run"
                        " the shard again"
                    )
    except sqlite3.Error as error:
        raise StoreError(f"the store {path} cannot be read ({error})") from error
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"the store {path} was written by another version of ck3parse (its schema is {version},"
            f" this one writes {SCHEMA_VERSION}): run the shard again with this one"
        )


def _check_is_whole(db: sqlite3.Connection, schema: str, path: Path) -> None:
    """Raise an error if a run that writes a store has not ended, or ended early."""
    query = f"SELECT value FROM {schema}.index_state WHERE key = 'unfinished'"
    for (unfinished,) in db.execute(query):
        if shards := unfinished.split():
            what = "all files" if ALL_FILES in shards else f"shard {', '.join(shards)}"
            raise UsageError(
                f"{path} has only a part of {what}, as the run that writes it has not ended, or was"
                f" ended early: run {what} again with --out {path}, and merge then"
            )


def _copy(store: Path, part: Path) -> None:
    part.unlink(missing_ok=True)
    with (
        closing(open_to_read(store, LOCK_PATIENCE_S)) as source,
        closing(sqlite3.connect(part)) as target,
    ):
        source.backup(target)


def _any_version(part: Path) -> str:
    with closing(sqlite3.connect(part)) as db:
        row = db.execute("SELECT version FROM parser_versions ORDER BY 1 LIMIT 1").fetchone()
    return str(row[0])


class _MergedStore(Store):
    """A copy of one store, to which others are added."""

    def begin(self, first: Path) -> None:
        """Prepare for others: nobody sees the file before it is complete.

        Args:
            first: the store that this one is a copy of.

        Raises:
            UsageError: a run has begun to write to it since it was looked at.
        """
        _check_is_whole(self._db, "main", first)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._shards = set(self._state("shards").split())

    def add(self, store: Path, first: Path) -> None:
        """Copy the rows of another store.

        Args:
            store: the other store.
            first: the store that this one was a copy of, to name it.

        Raises:
            UsageError: it does not fit to what is there.
        """
        self._db.execute("ATTACH ? AS other", [str(store.absolute())])
        self._db.execute("BEGIN")  # so that nobody writes to the other store meanwhile
        try:
            _check_is_whole(self._db, "other", store)
            self._check_fits(store, first)
            for table in _TABLES:
                self._add_rows(table)
            self._add_words()
            for (shards,) in self._db.execute(
                "SELECT value FROM other.index_state WHERE key = 'shards'"
            ):
                self._shards.update(shards.split())
            for table in _TABLES:
                self._db.execute(f"DROP TABLE IF EXISTS temp.{_map_of(table.name)}")
        finally:
            self._db.execute("COMMIT")
            self._db.execute("DETACH other")

    def complete(self) -> None:
        """Find what depends on all rows."""
        if self._playset_signature():
            self._set_state("repeated_names", "stale")
            self.end_index()
        self._set_state("shards", " ".join(sorted(self._shards)) if self._missing() else "")
        self._db.execute("PRAGMA optimize")

    def counts(self) -> Merged:
        """Return what the store holds."""
        files, asts, definitions = (
            self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("files", "asts", "definition_rows")
        )
        return Merged(files, asts, definitions, self._missing())

    def _missing(self) -> list[str]:
        counts = {int(shard.partition("/")[2]) for shard in self._shards}
        wanted = {f"{number}/{count}" for count in counts for number in range(1, count + 1)}
        return sorted(wanted - self._shards, key=lambda shard: int(shard.partition("/")[0]))

    def _check_fits(self, store: Path, first: Path) -> None:
        """Raise an error if the other store is of other versions, another playset, other files."""
        for what, query in _MUST_BE_EQUAL.items():
            here, there = (
                self._db.execute(query.format(db=db)).fetchall() for db in ("main", "other")
            )
            if here != there:
                raise UsageError(
                    f"{first} and {store} cannot be merged, as they have {what}: run the shards"
                    " again, with the same ck3parse and on the same files"
                )
        different = self._db.execute(
            "SELECT a_roots.path || '/' || a.name FROM files AS a JOIN roots AS a_roots USING"
            " (root_id) JOIN other.roots AS b_roots ON b_roots.path = a_roots.path"
            " JOIN other.files AS b ON b.root_id = b_roots.root_id AND b.name = a.name"
            " AND b.dialect = a.dialect WHERE a.content_hash <> b.content_hash"
        ).fetchall()
        if different:
            names = ", ".join(name for (name,) in different[:_MOST_EXAMPLES])
            raise UsageError(
                f"{first} and {store} cannot be merged, as they have different contents of"
                f" {counted(len(different), 'file')}, such as {names}: run the shards again, on the"
                " same files"
            )

    def _add_rows(self, table: _Table) -> None:
        columns = [row[1] for row in self._db.execute(f"PRAGMA main.table_info({table.name})")]
        taken = [column for column in columns if column != table.id]
        values = ", ".join(map(_here, taken))
        where = ""
        if table.part_of:
            (key,) = (each.id for each in _TABLES if each.name == table.part_of)
            key = table.owner or key
            where = f"WHERE {key} IN (SELECT old FROM temp.{_map_of(table.part_of)} WHERE is_new)"
        last = self._highest(table.name, table.id) if table.id else 0
        self._db.execute(
            f"INSERT OR IGNORE INTO main.{table.name} ({', '.join(taken)})"
            f" SELECT {values} FROM other.{table.name} AS s {where}"
        )
        if table.id and table.key:
            same = " AND ".join(f"m.{column} = {_here(column)}" for column in table.key)
            map_name = f"temp.{_map_of(table.name)}"
            self._db.execute(
                f"CREATE TABLE {map_name}"
                " (old INTEGER PRIMARY KEY, new INTEGER NOT NULL, is_new INTEGER NOT NULL)"
            )
            self._db.execute(
                f"INSERT INTO {map_name}"
                f" SELECT s.{table.id}, m.{table.id}, m.{table.id} > ? FROM other.{table.name} AS s"
                f" CROSS JOIN main.{table.name} AS m ON {same}",
                [last],
            )

    def _highest(self, table: str, column: str) -> int:
        query = f"SELECT coalesce(max({column}), 0) FROM main.{table}"
        return int(self._db.execute(query).fetchone()[0])

    def _add_words(self) -> None:
        self._db.execute(
            "INSERT INTO main.words (rowid, word)"
            " SELECT new, group_concat(term, ' ') FROM other.word_contents"
            " JOIN temp.map_index_contents ON old = doc WHERE is_new GROUP BY doc"
        )


def _map_of(table: str) -> str:
    """Return the name of the temporary table with the old and the new keys of a table."""
    return f"map_{table}"


def _here(column: str) -> str:
    """Return the SQL for what a column of a row `s` of the other store is in this one."""
    if column == "definition_id":  # it has the key of the content in it
        new = f"SELECT new FROM temp.{_map_of('index_contents')} WHERE old = s.definition_id >> 24"
        return f"((({new}) << 24) | (s.definition_id & ((1 << 24) - 1)))"
    if column not in _REFERENCES:
        return f"s.{column}"
    return f"(SELECT new FROM temp.{_map_of(_REFERENCES[column])} WHERE old = s.{column})"


_MUST_BE_EQUAL = {
    "trees of different versions": "SELECT DISTINCT dialect, version FROM {db}.files"
    " JOIN {db}.parser_versions USING (parser_version_id) WHERE dialect IN"
    " (SELECT dialect FROM main.files INTERSECT SELECT dialect FROM other.files) ORDER BY 1, 2",
    # Kinds that no rule names are those of the files.
    "different rules of the index": "SELECT kind, rule, wins, certainty FROM {db}.definition_kinds"
    " WHERE kind IN (SELECT kind FROM main.definition_kinds INTERSECT"
    " SELECT kind FROM other.definition_kinds) ORDER BY kind",
    "indexes of different versions": "SELECT DISTINCT extractor FROM {db}.index_rules"
    " WHERE EXISTS (SELECT 1 FROM main.index_rules) AND EXISTS (SELECT 1 FROM other.index_rules)"
    " ORDER BY 1",
    "different playsets": "SELECT position, name, kind, path FROM {db}.playset_sources"
    " ORDER BY position",
    "different replaced folders": "SELECT position, folder FROM {db}.replaced_folders"
    " ORDER BY 1, 2",
    "been made when there were other files in the playset": "SELECT substr(value, 1, 64) FROM"
    " {db}.index_state WHERE key = 'playset'",
}
"""What two stores must agree about, and the query for it."""
