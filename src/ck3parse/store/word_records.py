"""What can be written of the words that files use: `words`, an FTS5 index of contents by word.

FTS5 takes one content at a time, in a third of the time that indexing takes altogether. For many
contents the native module collects the words in memory instead, and makes a segment of FTS5's own
form of them, which is written once. One process at a time does so, noted in the state `collecting`,
and the state `unwritten` has the first content whose words are in its memory. The next process to
write the index cannot know whether that one was killed: it removes these contents, reads their
files again, and counts the state `generation` up, so that the other one forgets its words if it
still runs, and writes those to come one content at a time.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ck3parse.errors import StoreError
from ck3parse.store.copied_tables import CopiedTables
from ck3parse.store.freed_memory import return_freed_memory
from ck3parse.store.index_state import IndexState

if TYPE_CHECKING:
    from ck3parse.parser._native import WordLists

_MAX_LISTS_BYTES = 16 * 1024 * 1024
"""Memory that words may take before they are written."""

_SPARE_WORDS = 1_000
"""Contents that are gone and still in `words` before it is made again: or as many as there are."""

_TOTALS, _STRUCTURE = 1, 10
"""Ids of the blocks in which FTS5 counts its contents, and lists its segments."""

_DataRows = list[tuple[int, bytes]]
"""Rows of `words_data`."""
_IdxRows = list[tuple[int, bytes, int]]
"""Rows of `words_idx`."""


class WordRecords(CopiedTables, IndexState):
    """Writes the words of contents. Its methods with a `_` run within a transaction."""

    _lists: "WordLists | None" = None
    """Words of contents that were recorded, and that are not in the store yet."""

    def drop_unwritten(self) -> bool:
        """Remove the contents whose words are in the memory of another process, or are lost.

        Returns:
            Whether there is or was such a process.

        Raises:
            StoreError: the store cannot be written.
        """
        is_shared = bool(self._state("unwritten") or self._state("collecting"))
        if is_shared:
            with self._transaction():
                first = int(self._state("unwritten") or 1 << 38)
                for table, condition in (
                    ("indexed_files", "content_id >= ?"),
                    ("definition_rows", "definition_id >= ? << 24"),
                    ("index_contents", "content_id >= ?"),
                ):
                    self._db.execute(f"DELETE FROM {table} WHERE {condition}", [first])  # noqa: S608
                self._set_state("unwritten", "")
                self._set_state("collecting", "")
                self._set_state("generation", str(int(self._state("generation") or 0) + 1))
        self._generation = self._state("generation")
        return is_shared

    def lacks_words(self) -> bool:
        """Return whether words of contents in the store are in the memory of a process, or lost."""
        return bool(self._state("unwritten"))

    def close(self) -> None:
        """Close the file. Everything that was committed is kept."""
        if self._lists:
            with suppress(StoreError):  # then the next run reads the files again
                self._write_lists()
        super().close()

    def _collect_words(self) -> None:
        """Collect the words of the contents to come, if that can be done."""
        if self._lists or self._state("collecting"):
            return
        if self._can_copy():
            from ck3parse.parser.native import WordLists

            # SQLite can be set to let nobody but FTS5 write to the tables of FTS5.
            with suppress(sqlite3.OperationalError):
                self._db.execute("UPDATE words_data SET block = block WHERE id = ?", [_STRUCTURE])
                self._lists = WordLists()
                self._set_state("collecting", "yes")
                self._generation = self._state("generation")

    def _forget_lists(self) -> None:
        """Forget the words in memory if another process has removed their contents."""
        if self._lists and self._state("generation") != self._generation:
            self._lists = None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with super()._transaction():
                yield
        except BaseException:
            # They may be of contents that were not committed, whose keys another process takes.
            self._lists = None
            raise

    def _write_words(self, words: Iterable[tuple[int, str]]) -> None:
        """Write the words of contents.

        Args:
            words: keys of contents, each with its words with spaces between them.
        """
        self._db.executemany("INSERT INTO words (rowid, word) VALUES (?, ?)", words)

    def _note_unwritten(self, first: int) -> None:
        """Write down from which content on words are in memory only, and write many of them."""
        if not self._state("unwritten"):
            self._set_state("unwritten", str(first))
        if self._lists and self._lists.size() > _MAX_LISTS_BYTES:
            self._add_segment(*self._lists.segment(*self._segment_blocks()))
            return_freed_memory()

    def _write_lists(self, beside: Callable[[], object] = lambda: None) -> None:
        """Write the words that are in memory, in a transaction of its own.

        Args:
            beside: called in that transaction while the native module prepares them, if there are
                any.

        Raises:
            StoreError: the store cannot be written.
        """
        if self._lists is None:
            return
        with self._transaction():
            self._forget_lists()
            lists, self._lists = self._lists, None
            if lists:
                self._set_state("collecting", "")
                if lists.last():
                    self._add_segment(*_made_beside(beside, lists, *self._segment_blocks()))
                    return_freed_memory()
        # FTS5 does not expect that another one writes to its tables on this connection.
        self._db.execute("PRAGMA writable_schema = RESET")

    def _segment_blocks(self) -> tuple[bytes, bytes]:
        """Return what the native module needs of the store to make a segment."""
        query = "SELECT id, block FROM words_data WHERE id IN (?, ?)"
        blocks = dict(self._db.execute(query, [_STRUCTURE, _TOTALS]).fetchall())
        return blocks[_STRUCTURE], blocks[_TOTALS]

    def _add_segment(self, data: _DataRows, idx: _IdxRows) -> None:
        """Write a segment that the native module has made."""
        self._db.executemany("INSERT OR REPLACE INTO words_data VALUES (?, ?)", data)
        self._db.executemany("INSERT INTO words_idx VALUES (?, ?, ?)", idx)
        self._set_state("unwritten", "")

    def _count_stale_words(self, stale: int) -> None:
        """Write all words again if most of them are of contents that are gone.

        Args:
            stale: how many contents were removed.
        """
        count = int(self._state("stale_words") or 0) + stale
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


def _made_beside(
    other: Callable[[], object], lists: "WordLists", structure: bytes, totals: bytes
) -> tuple[_DataRows, _IdxRows]:
    """Return the segment of lists, which a thread makes while another function runs."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, "words") as thread:
        made = thread.submit(lists.segment, structure, totals)
        other()
        return made.result()
