"""The cache of earlier checks: a store apart from that of syntax trees."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from ck3parse.errors import StoreError
from ck3parse.files.walk import Found
from ck3parse.lint.file_check import FileOutcome
from ck3parse.store import Store

_COMMIT_INTERVAL_S = 0.25
"""Seconds between commits: each waits for the disk, and rewrites pages of indexes."""


class CacheWriter:
    """Writes the outcomes of files to a cache, many of them in one transaction.

    Call `write` at the end, however the check ends.

    Args:
        store: the cache.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Found, FileOutcome]] = []
        self._written = monotonic()

    def add(self, outcomes: Sequence[tuple[Found, FileOutcome]]) -> None:
        """Take over the outcomes of files.

        Args:
            outcomes: the files with their outcomes.

        Raises:
            StoreError: the store cannot be written.
        """
        self._waiting += outcomes
        if monotonic() - self._written >= _COMMIT_INTERVAL_S:
            self.write()

    def write(self) -> None:
        """Write everything that was added.

        Raises:
            StoreError: the store cannot be written.
        """
        outcomes, self._waiting = self._waiting, []
        if outcomes:
            self._store.record([(found, outcome.result) for found, outcome in outcomes])
            self._store.record_definitions(
                (outcome.result.content_hash, *outcome.definitions)
                for _, outcome in outcomes
                if outcome.definitions and outcome.result.content_hash
            )
        self._written = monotonic()


@contextmanager
def open_cache(
    path: Path | None,
    version: str,
    *,
    wanted: bool,
    say: Callable[[str | None], None] = lambda _: None,
) -> Iterator[Store]:
    """Open the cache of earlier checks.

    Args:
        path: the file; default: one in the user's cache folder.
        version: the version that diagnostics are stored under.
        wanted: if false, the store is empty and nothing is kept.
        say: as for `Store`.

    Raises:
        StoreError: the file at `path` cannot be used.
    """
    if not wanted:
        store = Store(Path(":memory:"), version)
    else:
        try:
            store = Store(path or _default_cache(), version, say=say)
        except (StoreError, OSError) as error:
            if path:
                raise StoreError(
                    f"the cache {path} cannot be used: name another with --cache, or leave it out"
                    f" with --no-cache ({error.__cause__ or error})"
                ) from error
            # A check works without a cache too.
            store = Store(Path(":memory:"), version)
    with store:
        yield store


def _default_cache() -> Path:
    import platformdirs  # not needed with --cache or --no-cache

    folder: Path = platformdirs.user_cache_path("ck3parse", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "check.sqlite"
