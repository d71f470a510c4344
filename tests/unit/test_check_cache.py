"""What a check writes to its cache."""

from pathlib import Path

import pytest

from ck3parse.config import Settings
from ck3parse.lint.cache import open_cache
from ck3parse.lint.checker import Check
from ck3parse.parser import parser_in_use
from ck3parse.store import Store

FILES = 3


@pytest.fixture
def check(tmp_path: Path) -> Check:
    traits = tmp_path / "mod" / "common" / "traits"
    traits.mkdir(parents=True)
    for number in range(FILES):
        (traits / f"{number}.txt").write_text(f"brave = {{ level = {number} }}\n", "utf-8")
    return Check(Settings(), parser_in_use(), frozenset({"CK3-W011"}))


def found(check: Check, folder: Path, store: Store) -> list[tuple[str, int]]:
    checked = check.check_paths([str(folder)], include=(), exclude=(), store=store)
    return [(Path(each.path).name, len(each.diagnostics)) for each in checked]


def test_an_interrupted_check_keeps_what_it_did(check: Check, tmp_path: Path) -> None:
    folder = tmp_path / "mod"

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with (
        open_cache(tmp_path / "cache.sqlite", check.stored_version, wanted=True) as store,
        pytest.raises(KeyboardInterrupt),
    ):
        check.check_paths([str(folder)], include=(), exclude=(), store=store, on_batch=interrupt)
    with open_cache(tmp_path / "cache.sqlite", check.stored_version, wanted=True) as store:
        kept = store.files_of([str(folder)])[str(folder)]
        assert len(kept) == FILES
        assert all(each.settled for each in kept.values())
        names = store.definitions_of(str(folder))
        assert len(names) == FILES


def test_a_cached_check_finds_the_same_repeated_names(check: Check, tmp_path: Path) -> None:
    folder = tmp_path / "mod"
    with open_cache(tmp_path / "cache.sqlite", check.stored_version, wanted=True) as store:
        first = found(check, folder, store)
        again = found(check, folder, store)
    assert first == again == [("0.txt", 0), ("1.txt", 1), ("2.txt", 1)]
