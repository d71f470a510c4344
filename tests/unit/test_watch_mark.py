from pathlib import Path

import msgspec
import pytest

from ck3parse.config import Settings
from ck3parse.index.selection import Selection
from ck3parse.index.watch_mark import WatchMark, is_up_to_date, path_of

SELECTION = Selection(["/game", "/mod"])
SETTINGS = Settings()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "ck3parse.sqlite"


def test_a_mark_says_what_is_up_to_date_while_it_is_held(store: Path) -> None:
    assert not is_up_to_date(store, SELECTION, SETTINGS)
    with WatchMark(store) as mark:
        assert not is_up_to_date(store, SELECTION, SETTINGS)
        mark.set(SELECTION, SETTINGS)
        assert is_up_to_date(store, SELECTION, SETTINGS)
        assert not is_up_to_date(store, Selection(["/game"]), SETTINGS)
        other = msgspec.structs.replace(SETTINGS, max_file_bytes=7)
        assert not is_up_to_date(store, SELECTION, other)
        mark.clear()
        assert not is_up_to_date(store, SELECTION, SETTINGS)
        mark.set(SELECTION, SETTINGS)
    assert not is_up_to_date(store, SELECTION, SETTINGS)


def test_a_mark_that_nobody_holds_says_nothing(store: Path) -> None:
    with WatchMark(store) as mark:
        mark.set(SELECTION, SETTINGS)
        left = path_of(store).read_bytes()
    path_of(store).write_bytes(left)
    assert not is_up_to_date(store, SELECTION, SETTINGS)


def test_the_second_to_watch_a_store_says_nothing(store: Path) -> None:
    with WatchMark(store) as first, WatchMark(store) as second:
        first.set(SELECTION, SETTINGS)
        second.clear()
        assert is_up_to_date(store, SELECTION, SETTINGS)


def test_a_folder_without_room_for_a_mark(tmp_path: Path) -> None:
    store = tmp_path / "missing" / "ck3parse.sqlite"
    with WatchMark(store) as mark:
        mark.set(SELECTION, SETTINGS)
        assert not is_up_to_date(store, SELECTION, SETTINGS)
