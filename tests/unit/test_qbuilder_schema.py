import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ck3parse.errors import StoreError
from ck3parse.qbuilder.schema import misfits, read_schema, row_triggers
from qbuilder_database import SCHEMAS, make_database


@pytest.fixture(params=SCHEMAS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(make_database(tmp_path / "q.db", tmp_path, [], request.param)) as made:
        yield made


def test_both_variants_fit(db: sqlite3.Connection) -> None:
    db.row_factory = None
    schema = read_schema(db)
    assert misfits(db) == []
    assert (schema.version, schema.roots) in {("6", "mod_packages"), ("7", "content_versions")}


def test_the_work_of_guards_and_of_full_text_triggers_can_be_done_in_bulk(
    db: sqlite3.Connection,
) -> None:
    assert {(trigger.name, trigger.fill) for trigger in row_triggers(db)} == {
        ("symbols_write_protect_insert", ""),
        ("refs_write_protect_insert", ""),
        (
            "symbols_ai",
            (
                "INSERT INTO symbols_fts (rowid, name, symbol_type)"
                " SELECT symbol_id, name, symbol_type FROM symbols WHERE symbol_id > ?"
            ),
        ),
        (
            "refs_ai",
            (
                "INSERT INTO refs_fts (rowid, name, ref_type)"
                " SELECT ref_id, name, ref_type FROM refs WHERE ref_id > ?"
            ),
        ),
    }


@pytest.mark.parametrize(
    "trigger",
    [
        "AFTER INSERT ON symbols BEGIN INSERT INTO refs_fts(rowid, name) VALUES (1, NEW.name); END",
        (
            "AFTER INSERT ON symbols WHEN NEW.name > '' BEGIN"
            " INSERT INTO symbols_fts(rowid, name) VALUES (NEW.symbol_id, NEW.name); END"
        ),
        (
            "AFTER INSERT ON symbols BEGIN"
            " INSERT INTO symbols_fts(rowid, name) VALUES (NEW.symbol_id, NEW.name);"
            " DELETE FROM refs; END"
        ),
        "BEFORE INSERT ON symbols WHEN NEW.name = '' BEGIN SELECT RAISE(ABORT, 'empty'); END",
    ],
)
def test_triggers_of_another_form_are_left_to_fire(db: sqlite3.Connection, trigger: str) -> None:
    db.execute(f"CREATE TRIGGER other {trigger}")
    assert "other" not in {found.name for found in row_triggers(db)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("DROP TABLE build_queue", "the table build_queue is missing"),
        ("ALTER TABLE build_queue DROP COLUMN reclaim_count", "build_queue has no reclaim_count"),
        ("ALTER TABLE refs ADD COLUMN must INT NOT NULL DEFAULT 1", None),
        ("CREATE TABLE a (b); DROP TABLE asts; CREATE TABLE asts AS SELECT * FROM a", "asts has"),
    ],
)
def test_a_database_that_does_not_fit_is_refused_with_the_reason(
    db: sqlite3.Connection, change: str, sentence: str | None
) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    db.executescript(change)
    if sentence is None:
        read_schema(db)
        return
    with pytest.raises(StoreError, match=sentence):
        read_schema(db)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.db").write_text("text " * 1000)
    with (
        closing(sqlite3.connect(tmp_path / "q.db")) as text,
        pytest.raises(StoreError, match="check that the file is qbuilder's database"),
    ):
        read_schema(text)
