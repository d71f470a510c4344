"""What contents define, in the cache of `check`."""

from collections import defaultdict
from collections.abc import Iterable

from ck3parse.store.schema import Database


class DefinitionRecords(Database):
    """Keeps what contents define, under the store's version of a parser."""

    def record_definitions(self, definitions: Iterable[tuple[str, str, bytes]]) -> None:
        """Keep what some contents define.

        Args:
            definitions: for each, the SHA-256 of the content in hex, the rule under which it was
                read, and what it defines.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO checked_definitions VALUES (?, ?, ?, ?)",
                [
                    (content_hash, self._parser_id, rule, names)
                    for content_hash, rule, names in definitions
                ],
            )

    def definitions_of(self, root: str) -> dict[str, dict[str, bytes]]:
        """Return what the files of a root define.

        Args:
            root: the absolute path of the folder.

        Returns:
            What is known of each file, by its name and then by the rule under which it was read.
        """
        rows = self._db.execute(
            "SELECT name, rule, names FROM roots JOIN files USING (root_id)"
            " JOIN checked_definitions USING (content_hash, parser_version_id)"
            " WHERE path = ? AND parser_version_id = ?",
            [root, self._parser_id],
        )
        found: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        for name, rule, names in rows:
            found[name][rule] = names
        return found
