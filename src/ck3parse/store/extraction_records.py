"""What can be written of extractors' rows, other than those of the index."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store.recorded import Recorded, RecordedFiles

RelpathOf = Callable[[Found], str]
"""Returns the path of a file relative to its mod, with `/`."""


class ExtractionTarget(NamedTuple):
    """What `Records.record` needs to keep the rows of extractors.

    Attributes:
        names: full names of the extractors.
        relpath_of: returns the path that extractors get.
        missing: takes the files whose outcome was known, and for which rows are missing, with the
            extractors that are to make them.
    """

    names: Sequence[str]
    relpath_of: RelpathOf
    missing: dict[Found, list[str]]


class ExtractionRecords(RecordedFiles):
    """Writes rows of extractors. Its methods with a `_` run within a transaction."""

    def extracted(self) -> set[tuple[int, str, str]]:
        """Return the key of each file with the extractor and the path of the rows that it has."""
        return set(
            self._db.execute(
                "SELECT file_id, extractor, relpath FROM extracted_files"
                " JOIN extractions USING (extraction_id) WHERE parser_version_id = ?",
                [self._parser_id],
            ).fetchall()
        )

    def link_extractions(
        self, files: Iterable[tuple[int, Found]], target: ExtractionTarget
    ) -> None:
        """Give files the rows that the store has of their content at their path.

        Args:
            files: parsed files with their keys; `target.missing` takes those that lack some.
            target: what is wanted.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._link_extractions(files, target)

    def record_extractions(
        self, results: Sequence[tuple[Found, ParseResult]], target: ExtractionTarget
    ) -> None:
        """Write the rows of files whose outcome is in the store.

        Args:
            results: files with their results. Those of another content than in the store are left
                out.
            target: what is wanted.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._record_extractions(self._with_keys(results), target)

    def _record_extractions(self, recorded: Iterable[Recorded], target: ExtractionTarget) -> None:
        made = [
            (each, target.relpath_of(each.found), name)
            for each in recorded
            for name in target.names
            if name in each.result.rows or name in each.result.extract_errors
        ]
        self._db.executemany(
            "INSERT OR IGNORE INTO extractions"
            " (content_hash, relpath, extractor, parser_version_id, rows, error)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    each.result.content_hash, relpath, name, self._parser_id,
                    each.result.rows.get(name), each.result.extract_errors.get(name),
                )
                for each, relpath, name in made
            ],
        )  # fmt: skip
        self._db.executemany(
            "INSERT OR IGNORE INTO extracted_files SELECT ?, extraction_id FROM extractions"
            " WHERE content_hash = ? AND relpath = ? AND extractor = ? AND parser_version_id = ?",
            [
                (each.file_id, each.result.content_hash, relpath, name, self._parser_id)
                for each, relpath, name in made
            ],
        )

    def _link_extractions(
        self, files: Iterable[tuple[int, Found]], target: ExtractionTarget
    ) -> None:
        for file_id, found in files:
            content = self._db.execute(
                "SELECT content_hash FROM files WHERE file_id = ?", [file_id]
            ).fetchone()[0]
            there = dict(
                self._db.execute(
                    "SELECT extractor, extraction_id FROM extractions"
                    " WHERE content_hash = ? AND relpath = ? AND parser_version_id = ?",
                    [content, target.relpath_of(found), self._parser_id],
                ).fetchall()
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO extracted_files VALUES (?, ?)",
                [(file_id, there[name]) for name in target.names if name in there],
            )
            if lacking := [name for name in target.names if name not in there]:
                target.missing[found] = lacking

    def _remove_stale_extractions(self) -> None:
        """Remove the rows that no file has any more."""
        self._db.execute(
            "DELETE FROM extractions WHERE extraction_id NOT IN"
            " (SELECT extraction_id FROM extracted_files)"
        )
