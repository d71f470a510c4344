"""What is known about the index of a store as a whole."""

from ck3parse.store.schema import Database


class IndexState(Database):
    """Keeps a text for each of a few keys, which `store.sql` lists."""

    _generation = ""
    """The state `generation` of when this process began to write the index."""

    def _any(self, table: str) -> bool:
        query = f"SELECT 1 FROM {table} LIMIT 1"  # noqa: S608
        return self._db.execute(query).fetchone() is not None

    def _state(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM index_state WHERE key = ?", [key]).fetchone()
        return row[0] if row else ""

    def _set_state(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO index_state VALUES (?, ?)", [key, value])
