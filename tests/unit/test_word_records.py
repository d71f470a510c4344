"""The words of contents in the store, written together and one at a time."""

import hashlib
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from ck3parse.extractors import CK3
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.store import IndexTarget, Store
from ck3parse.store.index_records import MANY_CONTENTS

VERSION = "test/1"
MANY = MANY_CONTENTS + 1

Outcome = tuple[Found, ParseResult]


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ck3parse.parser._native", reason="Python writes words one at a time")
    monkeypatch.delenv("CK3PARSE_PARSER", raising=False)


def outcome(number: int, words: list[str], kind: str = "trait", rows: str = "") -> Outcome:
    name = f"common/traits/{number}.txt"
    definitions = [[f"name_{number}", kind, at, at + 9, 1, 77, None] for at in range(3)]
    rows = rows or json.dumps({"definitions": definitions, "words": words}, separators=(",", ":"))
    result = ParseResult("1", f"/mod/{name}", True, zstandard.compress(b"{}"), 1, size=3)
    result.content_hash = hashlib.sha256(name.encode()).hexdigest()
    result.rows = {CK3: zstandard.compress(rows.encode())}
    return Found("/mod", name, 3, 1), result


def record(store: Store, outcomes: list[Outcome], files: int) -> None:
    target = IndexTarget(lambda _: 1, [])
    store.begin_index(files)
    for at in range(0, len(outcomes), 100):
        store.record(outcomes[at : at + 100], (), target)


def words_in(path: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        found = db.execute("SELECT term, doc FROM word_contents ORDER BY term, doc").fetchall()
        for term in {term for term, _ in found[::97]}:
            one = db.execute("SELECT term, doc FROM word_contents WHERE term = ?", [term])
            assert one.fetchall() == [each for each in found if each[0] == term]
        return found


def definitions_in(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT * FROM definition_rows ORDER BY 1").fetchall()


def of_many_words() -> list[Outcome]:
    """Return outcomes whose words fill pages: one word of all, long ones, and rare ones."""
    chance = random.Random(5)
    return [
        outcome(
            number,
            [
                "Common", "common", "é_Ü", f"only_{number}", "x" * (number % 200 + 1),
                *(f"word_{chance.randrange(900)}" for _ in range(chance.randrange(60))),
            ],
        )
        for number in range(600)
    ]  # fmt: skip


def test_words_that_are_written_together_are_those_that_are_written_one_at_a_time(
    tmp_path: Path,
) -> None:
    outcomes = of_many_words()
    for name, files in (("one", 1), ("together", MANY)):
        with Store(tmp_path / name, VERSION) as store:
            record(store, outcomes, files)
            store.end_index()
    assert words_in(tmp_path / "together") == words_in(tmp_path / "one")
    assert definitions_in(tmp_path / "together") == definitions_in(tmp_path / "one")
    with closing(sqlite3.connect(tmp_path / "together")) as db:
        assert db.execute("SELECT count(DISTINCT segid) FROM words_idx").fetchone() == (1,)


def test_both_ways_take_turns_in_one_store(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    outcomes = of_many_words()
    with Store(path, VERSION) as store:
        for turn, files in enumerate((1, MANY, 1, MANY, 1)):
            record(store, outcomes[turn * 100 : turn * 100 + 100], files)
            store.end_index()
    with Store(tmp_path / "one", VERSION) as store:
        record(store, outcomes[:500], 1)
    assert words_in(path) == words_in(tmp_path / "one")


def test_closing_the_store_writes_the_words(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as store:
        record(store, [outcome(1, ["brave"])], MANY)
        assert words_in(path) == []
    assert words_in(path) == [("brave", 1)]
    with Store(path, VERSION) as store:
        store.drop_unwritten()
        assert len(store.indexed_rules()) == 1


def test_contents_without_words_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as store:
        record(store, [outcome(1, ["brave"])], 1)
    with Store(path, VERSION) as killed:
        record(killed, [outcome(2, ["craven"]), outcome(3, ["craven"])], MANY)
        with Store(path, VERSION) as store:
            assert len(store.indexed_rules()) == 3
            store.drop_unwritten()
            assert len(store.indexed_rules()) == 1
            assert len(definitions_in(path)) == 3
            record(store, [outcome(2, ["calm"])], 1)
    # Keys of contents are not used again.
    assert [each for each in words_in(path) if each[0] != "craven"] == [("brave", 1), ("calm", 4)]


def test_of_two_that_began_at_once_one_keeps_words_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as killed, Store(path, VERSION) as store:
        for each in (killed, store):
            each.drop_unwritten()
        record(killed, [outcome(1, ["brave"])], MANY)
        record(store, [outcome(2, ["calm"])], MANY)
        store.end_index()
        assert words_in(path) == [("calm", 2)]
        # The first one is gone with its words: the mark of them must not be.
        assert store.lacks_words()
        store.drop_unwritten()
        assert store.indexed_rules() == {}
        assert not store.lacks_words()


def test_one_that_still_runs_writes_words_once_its_others_were_removed(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as alive, Store(path, VERSION) as store:
        alive.drop_unwritten()
        record(alive, [outcome(1, ["brave"])], MANY)
        store.drop_unwritten()
        record(store, [outcome(1, ["brave"])], MANY)
        alive.record([outcome(2, ["calm"])], (), IndexTarget(lambda _: 1, []))
        assert words_in(path) == [("calm", 3)]
        alive.set_current("of the one whose contents were removed")
        assert not alive.is_current("of the one whose contents were removed")
        store.end_index()
        store.set_current("whole")
        assert store.is_current("whole")
    assert words_in(path) == [("brave", 2), ("calm", 3)]


def test_an_index_is_not_current_while_words_of_it_are_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as store:
        record(store, [outcome(1, ["brave"])], 1)
        store.end_index()
        store.set_current("whole")
        assert store.is_current("whole")
        with Store(path, VERSION) as other:
            other.drop_unwritten()
            record(other, [outcome(2, ["calm"])], MANY)
            assert not store.is_current("whole")
            other.end_index()
        assert store.is_current("whole")


def test_words_of_a_transaction_that_failed_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as store:
        record(store, [outcome(1, ["brave"])], MANY)
        with closing(sqlite3.connect(path)) as db:
            db.execute(
                "CREATE TRIGGER full AFTER INSERT ON indexed_files WHEN new.file_id = 2"
                " BEGIN SELECT raise(ABORT, 'disk full'); END"
            )
        with pytest.raises(Exception, match="disk full"):
            record(store, [outcome(2, ["craven"])], MANY)
    assert words_in(path) == []
    with Store(path, VERSION) as store:
        store.drop_unwritten()
        assert store.indexed_rules() == {}


def test_another_process_takes_the_keys_of_a_transaction_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as other:
        other.drop_unwritten()
        with Store(path, VERSION) as failing:
            record(failing, [outcome(1, ["brave"])], MANY)
            with closing(sqlite3.connect(path)) as db:
                db.execute(
                    "CREATE TRIGGER full AFTER INSERT ON indexed_files WHEN new.file_id = 2"
                    " BEGIN SELECT raise(ABORT, 'disk full'); END"
                )
            with pytest.raises(Exception, match="disk full"):
                record(failing, [outcome(2, ["craven"])], MANY)
            with closing(sqlite3.connect(path)) as db:
                db.execute("DROP TRIGGER full")
            record(other, [outcome(3, ["calm"])], 1)
        assert words_in(path) == [("calm", 2)]
        assert other.lacks_words()


def test_a_kind_of_no_rule_and_json_with_blanks(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    blanks = '{"definitions": [["é", "trait", 0, 9, 1, 77, -5]], "words": ["é", "a\\"b"]}'
    with Store(path, VERSION) as store:
        record(store, [outcome(1, ["x"], kind="gizmo"), outcome(2, [], rows=blanks)], MANY)
    assert words_in(path) == [('a"b', 2), ("x", 1), ("é", 2)]
    assert definitions_in(path)[-1][2] == "é"
    with closing(sqlite3.connect(path)) as db:
        kinds = db.execute(
            "SELECT DISTINCT kind FROM definition_rows JOIN definition_kinds USING (kind_id)"
        )
        assert set(kinds) == {("gizmo",), ("trait",)}


def test_definitions_that_are_copied_are_those_that_are_inserted(tmp_path: Path) -> None:
    """Names longer than a page, numbers of every size, and more pages than one refers to."""
    numbers = [0, 1, 127, 128, 1 << 15, 1 << 23, 1 << 31, 1 << 39, 1 << 47, (1 << 63) - 1]
    names = ["", "é😀", *("n" * length for length in (57, 58, 4_000, 4_061, 4_062, 9_000, 70_000))]
    definitions = [
        [names[at % len(names)], "trait", at, numbers[at % 10], at % 300, numbers[at % 7], priority]
        for at in range(300)
        for priority in (None, -999_999_999, -129, -1, 3)
    ]
    many = [[f"name_{at}" * 9, "trait", at, at, at, at, None] for at in range(20_000)]
    outcomes = [
        outcome(number, [], rows=json.dumps(rows, separators=(",", ":")))
        for number, each in enumerate((definitions, [], many, definitions[:1]))
        if (rows := {"definitions": each, "words": []})
    ]
    for name, files in (("inserted", 1), ("copied", MANY)):
        with Store(tmp_path / name, VERSION) as store:
            record(store, outcomes, files)
            store.end_index()
            record(store, [outcome(number, ["more"]) for number in range(4, 9)], files)
            store.end_index()
    copied = definitions_in(tmp_path / "copied")
    assert len(copied) == 300 * 5 + 20_000 + 1 + 15
    assert copied == definitions_in(tmp_path / "inserted")
    with closing(sqlite3.connect(tmp_path / "copied")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def defining(number: int, *names: str, kind: str = "trait") -> Outcome:
    definitions = [[name, kind, at, at + 9, 1, 77, None] for at, name in enumerate(names)]
    rows = json.dumps({"definitions": definitions, "words": []}, separators=(",", ":"))
    return outcome(number, [], rows=rows)


def repeated_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM repeated_names")}


def test_names_that_were_seen_twice_are_repeated(tmp_path: Path) -> None:
    outcomes = [
        *(defining(number, f"name_{number % 250}", f"one_{number}") for number in range(300)),
        defining(300, "calm", "calm", "\0", "a\0b", "é"),
        defining(301, "a\0b", "é"),
        *(defining(number, "it", kind="local_scripted_effect") for number in range(302, 304)),
    ]
    for name, files in (("one", 1), ("together", MANY)):
        with Store(tmp_path / name, VERSION) as store:
            record(store, outcomes, files)
            store.end_index()
    repeated = {f"name_{number}" for number in range(50)} | {"calm", "a\0b", "é"}
    assert repeated_in(tmp_path / "together") == repeated_in(tmp_path / "one") == repeated


def test_names_that_another_process_has_written_are_repeated(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path, VERSION) as store, Store(path, VERSION) as other:
        record(store, [defining(1, "brave", "calm")], MANY)
        record(other, [defining(2, "brave", "craven")], 1)
        record(store, [defining(3, "calm")], MANY)
        store.end_index()
    assert repeated_in(path) == {"brave", "calm"}


def test_names_of_a_store_that_had_an_index_are_repeated(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    for number in range(2):
        with Store(path, VERSION) as store:
            store.drop_unwritten()
            record(store, [defining(number, "brave", f"one_{number}")], MANY)
            store.end_index()
    assert repeated_in(path) == {"brave"}
