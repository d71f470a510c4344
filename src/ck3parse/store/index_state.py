"""What is known about the index of a store as a whole."""

from ck3parse.store.schema import Database

ALL_FILES = "all"
"""What stands for all files in the state `unfinished`."""


class IndexState(Database):
    """Keeps a text for each of a few keys.

    `shards` has the shards that the store has or is to have, such as `1/4 2/4`; nothing if it is
    that of all files. `unfinished` has those of them whose run has not ended, or ended early.
    """

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

    def begin_all(self) -> None:
        """Write down that the store of a shard is to have all files, and does not have them yet.

        Raises:
            StoreError: the store cannot be written.
        """
        if self._state("shards"):
            with self._transaction():
                self._begin_shard(None)

    def end_all(self) -> None:
        """Write down that the store has all files.

        Raises:
            StoreError: the store cannot be written.
        """
        if self._state("unfinished"):
            with self._transaction():
                self._end_shard(None)

    def _begin_shard(self, shard: str | None) -> None:
        """Write down that the store is to have a shard, or all files, and does not have it yet."""
        if shard is None:
            self._set_state("shards", "")
            self._set_state("unfinished", ALL_FILES)
            return
        for key in ("shards", "unfinished"):
            shards = {*self._state(key).split(), shard} - {ALL_FILES}
            self._set_state(key, " ".join(sorted(shards)))

    def _end_shard(self, shard: str | None) -> None:
        """Write down that the store has all files of a shard, or all files."""
        left = {*self._state("unfinished").split()} - {shard} if shard else set()
        self._set_state("unfinished", " ".join(sorted(left)))
