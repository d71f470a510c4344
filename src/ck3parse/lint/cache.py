"""The cache of earlier checks: a store apart from that of syntax trees."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ck3parse.errors import StoreError
from ck3parse.store import Store


@contextmanager
def open_cache(path: Path | None, version: str, *, wanted: bool) -> Iterator[Store]:
    """Open the cache of earlier checks.

    Args:
        path: the file; default: one in the user's cache folder.
        version: the version that diagnostics are stored under.
        wanted: if false, the store is empty and nothing is kept.

    Raises:
        StoreError: the file at `path` cannot be used.
    """
    if not wanted:
        store = Store(Path(":memory:"), version)
    else:
        try:
            store = Store(path or _default_cache(), version)
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
