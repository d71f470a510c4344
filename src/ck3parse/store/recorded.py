"""Files that were recorded, with their keys."""

from collections.abc import Iterable
from typing import NamedTuple

from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store.schema import Database


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


class RecordedFiles(Database):
    """Finds the keys of files."""

    def _with_keys(self, results: Iterable[tuple[Found, ParseResult]]) -> list[Recorded]:
        """Return those results whose content is that of their file in the store."""
        recorded = []
        for found, result in results:
            row = self._db.execute(
                "SELECT file_id FROM files JOIN roots USING (root_id)"
                " WHERE path = ? AND name = ? AND dialect = ? AND content_hash = ?",
                [found.root, found.name, self._dialect, result.content_hash],
            ).fetchone()
            if row:
                recorded.append(Recorded(row[0], found, result))
        return recorded
