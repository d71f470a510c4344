"""The localization files of a store: their texts are recorded with their outcomes."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence

from ck3parse.errors import StoreError
from ck3parse.extractors import LOCALIZATION
from ck3parse.localization import language_of_name
from ck3parse.store.index_records import IndexTarget
from ck3parse.store.queries import Queries
from ck3parse.store.recorded import Recorded
from ck3parse.store.records import Records

MANY_FILES = 200
"""Localization files above which an empty index is filled without the index of texts by key."""
_CHUNK = 64
"""Contents whose texts are in memory at once: each may have thousands."""


class TextStore(Queries, Records):
    """The localization files of a store. `Store.texts` opens it."""

    def begin_texts(self, files: int) -> None:
        """Prepare for new texts.

        Args:
            files: how many files have new texts. Into an empty index, many are written without the
                index by key, which `end_texts` makes.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            if files > MANY_FILES and not self._any("loc_texts"):
                self._db.execute("DROP INDEX IF EXISTS loc_texts_key")

    def end_texts(self) -> None:
        """Remove what no file has any more, and make the index by key again.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._db.execute("CREATE INDEX IF NOT EXISTS loc_texts_key ON loc_texts (key_id)")
            self._db.execute(
                "DELETE FROM loc_contents"
                " WHERE loc_content_id NOT IN (SELECT loc_content_id FROM loc_files)"
            )
            stale = self._db.execute(
                "SELECT block_id FROM loc_blocks"
                " WHERE block_id NOT IN (SELECT block_id FROM loc_contents)"
            ).fetchall()
            if stale:
                self._remove_blocks(stale)

    def faulty(self) -> set[tuple[str, str]]:
        """Return the root and the name of each file in which something is wrong.

        Raises:
            StoreError: the store cannot be read.
        """
        try:
            rows = self._db.execute(
                "SELECT roots.path, files.name FROM files JOIN roots USING (root_id)"
                " JOIN asts USING (content_hash)"
                " WHERE files.dialect = ? AND asts.parser_version_id = ?"
                " AND EXISTS (SELECT 1 FROM diagnostics WHERE ast_id = asts.ast_id)",
                [self._dialect, self._parser_id],
            ).fetchall()
        except sqlite3.Error as error:
            raise StoreError(
                f"the store {self.path} cannot be read ({error}): run again to continue"
            ) from error
        return set(rows)

    def _remove_blocks(self, blocks: list[tuple[int]]) -> None:
        ids = json.dumps([block_id for (block_id,) in blocks])
        keys: set[tuple[int]] = set()
        for table in ("loc_texts", "loc_references"):
            keys.update(
                self._db.execute(
                    f"SELECT DISTINCT key_id FROM {table}"  # noqa: S608
                    " WHERE block_id IN (SELECT value FROM json_each(?))",
                    [ids],
                )
            )
            self._db.execute(
                f"DELETE FROM {table} WHERE block_id IN (SELECT value FROM json_each(?))",  # noqa: S608
                [ids],
            )
        self._db.executemany("DELETE FROM loc_blocks WHERE block_id = ?", blocks)
        self._db.executemany(
            "DELETE FROM loc_keys WHERE key_id = ?"
            " AND NOT EXISTS (SELECT 1 FROM loc_texts WHERE key_id = loc_keys.key_id)"
            " AND NOT EXISTS (SELECT 1 FROM loc_references WHERE key_id = loc_keys.key_id)",
            sorted(keys),
        )

    def _contents(self) -> Iterable[tuple[str]]:
        return self._db.execute("SELECT content_hash FROM loc_contents")

    def _present(self, contents: set[str | None]) -> set[str]:
        if not contents:
            return set()
        rows = self._db.execute(
            "SELECT content_hash FROM loc_contents"
            " WHERE content_hash IN (SELECT value FROM json_each(?))",
            [json.dumps(list(contents))],
        )
        return {content for (content,) in rows}

    def _index_all(
        self, recorded: list[Recorded], also: list[Recorded], index: IndexTarget | None
    ) -> None:
        del index  # there is no such file without its texts
        have = self._present({each.result.content_hash for each in recorded})
        new: dict[str | None, Recorded] = {
            each.result.content_hash: each
            for each in recorded
            if LOCALIZATION in each.result.rows and each.result.content_hash not in have
        }
        contents = list(new.values())
        for start in range(0, len(contents), _CHUNK):
            self._write_contents(contents[start : start + _CHUNK])
        self._db.executemany(
            "INSERT INTO loc_files SELECT ?, loc_content_id, coalesce(?, header, '')"
            " FROM loc_contents"
            " WHERE content_hash = ? ON CONFLICT (file_id) DO UPDATE SET"
            " loc_content_id = excluded.loc_content_id, language = excluded.language",
            [
                (each.file_id, language_of_name(each.found.name), each.result.content_hash)
                for each in (*recorded, *also)
                if each.result.ok
            ],
        )

    def _write_contents(self, contents: Sequence[Recorded]) -> None:
        from ck3parse.extractors.localization import decode, decode_texts

        decoded = [decode(each.result.rows_json(LOCALIZATION) or b"") for each in contents]
        digests = [hashlib.sha256(rows.texts).digest() for rows in decoded]
        block_ids: dict[bytes, int] = {}
        texts: list[tuple[int, int, str, str]] = []
        references: list[tuple[str, int, int]] = []
        for digest, rows in zip(digests, decoded, strict=True):
            if digest in block_ids:
                continue
            row = self._db.execute(
                "SELECT block_id FROM loc_blocks WHERE digest = ?", [digest]
            ).fetchone()
            if row:
                block_ids[digest] = row[0]
                continue
            cursor = self._db.execute("INSERT INTO loc_blocks (digest) VALUES (?)", [digest])
            block_id = block_ids[digest] = int(cursor.lastrowid or 0)
            texts += [(block_id, *row) for row in decode_texts(rows)]
            references += [(key, block_id, line) for line, key in rows.uses]
        key_ids = self._key_ids({key for _, _, key, _ in texts} | {key for key, _, _ in references})
        self._db.executemany(
            "INSERT INTO loc_texts VALUES (?, ?, ?, ?)",
            ((block_id, line, key_ids[key], text) for block_id, line, key, text in texts),
        )
        self._db.executemany(
            "INSERT INTO loc_references VALUES (?, ?, ?)",
            sorted((key_ids[key], block_id, line) for key, block_id, line in references),
        )
        self._db.executemany(
            "INSERT INTO loc_contents (content_hash, header, block_id) VALUES (?, ?, ?)",
            [
                (each.result.content_hash, rows.header, block_ids[digest])
                for each, rows, digest in zip(contents, decoded, digests, strict=True)
            ],
        )

    def _key_ids(self, keys: Iterable[str]) -> dict[str, int]:
        """Return the number of each key; new ones are written."""
        wanted = json.dumps(sorted(keys))
        self._db.execute(
            "INSERT OR IGNORE INTO loc_keys (key) SELECT value FROM json_each(?)", [wanted]
        )
        return dict(
            self._db.execute(
                "SELECT loc_keys.key, key_id FROM json_each(?)"
                " JOIN loc_keys ON loc_keys.key = value",
                [wanted],
            ).fetchall()
        )
