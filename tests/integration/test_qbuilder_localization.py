"""qbuilder's rows of localization files, in a build that is asked for them."""

import sqlite3
from pathlib import Path

import pytest

from ck3parse.localization import parse
from ck3parse.qbuilder.installed import Qbuilder
from ck3parse.qbuilder.localization import insert_texts, plain_text
from qbuilder_database import Queued, make_database
from stand_in_qbuilder import build

TABLES = """
CREATE TABLE localization_entries (
    loc_id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL, content_version_id INTEGER NOT NULL,
    line_number INTEGER NOT NULL, language TEXT NOT NULL, loc_key TEXT NOT NULL,
    version INTEGER NOT NULL, raw_value TEXT NOT NULL, plain_text TEXT,
    UNIQUE (file_id, loc_key, version)
);
CREATE TABLE localization_refs (
    loc_id INTEGER NOT NULL, ref_type TEXT NOT NULL, ref_value TEXT NOT NULL
);
"""
NAME = "localization/english/a_l_english.yml"
TEXT = """\ufeffl_english:
 a:1 "#bold Hi#! [ROOT.GetName|U], $OTHER$ @gold!"
 b: "Plain \\n"
 b: "Again"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "mod" / NAME
    path.parent.mkdir(parents=True)
    path.write_text(TEXT, "utf-8")
    return tmp_path / "mod"


def rows(db: sqlite3.Connection) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    entries = db.execute(
        "SELECT line_number, language, loc_key, version, raw_value, plain_text"
        " FROM localization_entries ORDER BY loc_id"
    )
    refs = db.execute(
        "SELECT loc_key, ref_type, ref_value FROM localization_refs JOIN"
        " localization_entries USING (loc_id) ORDER BY localization_refs.rowid"
    )
    return [tuple(row) for row in entries], [tuple(row) for row in refs]


WANTED = (
    [
        (2, "english", "a", 1, "#bold Hi#! [ROOT.GetName|U], $OTHER$ @gold!", "Hi ,  @gold!"),
        (3, "english", "b", 0, "Plain \\n", "Plain \\n"),
    ],
    [
        ("a", "scripted", "ROOT.GetName"),
        ("a", "variable", "OTHER"),
        ("a", "icon", "gold"),
    ],
)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_build_fills_the_tables_only_if_it_is_asked_to(
    root: Path, tmp_path: Path, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 24: rows for `localization_entries` and `localization_refs`."""
    monkeypatch.setenv("CK3PARSE_QBUILDER_LOC", str(int(wanted)))
    db = make_database(tmp_path / "q.db", root, [Queued(NAME, "E_LOC")])
    db.executescript(TABLES)

    done = build(db, Qbuilder("no_such_qbuilder"))

    assert done["completed"] == 1
    assert rows(db) == (WANTED if wanted else ([], []))
    db.close()


def test_rows_are_replaced(root: Path, tmp_path: Path) -> None:
    db = make_database(tmp_path / "q.db", root, [Queued(NAME, "E_LOC")])
    db.executescript(TABLES)
    for _ in range(2):
        insert_texts(TEXT, 1, 1, db)
    assert rows(db) == WANTED
    db.close()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("#bold;tooltip:[A.B('x y')] a#! b", "a b"),
        ("@[X.Y]! ## $A|V0$[B]", "@[X.Y]! ## "),
        ("\u00e9 [A] \u9375", "\u00e9  \u9375"),
    ],
)
def test_plain_text(text: str, plain: str) -> None:
    (entry,) = parse(f'l_english:\n a: "{text}"\n'.encode(), parts=True).entries

    assert plain_text(entry) == plain
