"""What can be written of the playset of a store: its sources, and which of their files count."""

from collections.abc import Sequence
from typing import NamedTuple

from ck3parse.store.copied_tables import CopiedTables
from ck3parse.store.index_state import IndexState
from ck3parse.store.schema import TEXT_DIALECT


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
        file_id: its key in the store.
        position: the position of its source.
        relpath: its path relative to its mod.
        read_order: when the game reads it, from 0; `None` if it does not.
        replaced_by: the key of the file that replaces it, or `None`.
        dropped_by: the position of the source whose `replace_path` drops it, or `None`.
    """

    file_id: int
    position: int
    relpath: str
    read_order: int | None
    replaced_by: int | None
    dropped_by: int | None


class PlaysetRecords(CopiedTables, IndexState):
    """Writes the playset, and whether the index of its files is complete."""

    def playset_signature(self, files: int) -> str:
        """Return the signature of the playset in the store, or `""` if it is not whole.

        Args:
            files: how many files it has. A shard records its own only.
        """
        count = self._db.execute("SELECT count(*) FROM playset_files").fetchone()[0]
        return self._playset_signature() if count == files else ""

    def _playset_signature(self) -> str:
        # Earlier, a number of files came after it.
        return self._state("playset").partition(" ")[0]

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
        return (
            self._state("current") == f"{state} {self._indexed_count()}"
            and not self._state("unwritten")
            and not self.is_stale()
        )

    def is_stale(self) -> bool:
        """Return whether a process wrote to the index, and has not ended it or was killed."""
        return self._state("repeated_names") == "stale"

    def set_current(self, state: str) -> None:
        """Write down in which state the index is complete.

        It is not if another process has removed contents since this one began.

        Args:
            state: a digest of all that the index depends on, but for the files.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            if self._state("generation") == self._generation:
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
            files: all files of the sources that the store has, in order of their keys.
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
            self._write_files(files)
            self._set_state("playset", signature)
            self._set_state("current", "")

    def _write_files(self, files: Sequence[FileRow]) -> None:
        if files and self._can_copy():
            from ck3parse.parser.native import table_database

            made = table_database("playset_files", self._sql_of("playset_files"), files)
            self._copy_rows("playset_files", made)
        else:
            self._db.executemany("INSERT INTO playset_files VALUES (?, ?, ?, ?, ?, ?)", files)

    def file_ids(self) -> dict[str, dict[str, int]]:
        """Return the keys of files by root and name."""
        paths = dict(self._db.execute("SELECT root_id, path FROM roots").fetchall())
        ids: dict[str, dict[str, int]] = {path: {} for path in paths.values()}
        for root_id, name, file_id in self._db.execute(
            "SELECT root_id, name, file_id FROM files NOT INDEXED WHERE dialect IN (?, ?)",
            [self._dialect, TEXT_DIALECT],
        ):
            ids[paths[root_id]][name] = file_id
        return ids
