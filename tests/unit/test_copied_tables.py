"""Rows that the native module writes as a database are those that SQLite would have written."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ck3parse.config import Settings
from ck3parse.index.playset import playset_of
from ck3parse.index.refresh import refresh
from ck3parse.store.copied_tables import CopiedTables

native = pytest.importorskip("ck3parse.parser.native", reason="the native module is not built")

SQL = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT, c INTEGER)"
ROWS = [
    (1, 0, "", None),
    (2, -1, "a" * 5_000, 2**62),
    (70_000, None, "é\U0001f600", -(2**63)),
    *(
        (number, number % 3, f"common/traits/{number}.txt", None)
        for number in range(70_001, 80_000)
    ),
]


def test_rows_of_all_kinds_of_values_are_read_back() -> None:
    made = native.table_database("t", SQL, ROWS)
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(made)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT * FROM t").fetchall() == ROWS


def test_what_is_no_value_of_a_row_is_refused() -> None:
    for row in [(1, 2.5), (1, b"a"), (1, 2**63), ("a", 1)]:
        with pytest.raises((TypeError, OverflowError)):
            native.table_database("t", SQL, [row])
    with pytest.raises(UnicodeEncodeError):
        native.table_database("t", SQL, [(1, "\udc80")])


def test_an_sqlite_that_opens_no_database_in_memory_gets_the_same_playset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, text in {
        "one/common/traits/a.txt": "a = { b = 1 }",
        "two/common/traits/a.txt": "a = { b = 2 }",
        "one/common/traits/é.txt": "c = { }",
        "one/common/perks/a.txt": "d = { }",
        "two/descriptor.mod": 'replace_path = "common/perks"',
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    copied = playset_files(tmp_path, "copied.sqlite")
    monkeypatch.setattr(CopiedTables, "_can_copy", lambda _: False)
    assert playset_files(tmp_path, "inserted.sqlite") == copied
    assert len(copied) == 4


def playset_files(folder: Path, name: str) -> list[tuple[Any, ...]]:
    playset = playset_of([folder / "one", folder / "two"])
    refresh(playset, folder / name, Settings())
    with closing(sqlite3.connect(folder / name)) as db:
        return db.execute("SELECT * FROM playset_files ORDER BY file_id").fetchall()
