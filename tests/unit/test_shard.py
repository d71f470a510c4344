"""Shards, and the stores that are merged of them."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ck3parse.errors import Ck3parseError, StoreError, UsageError
from ck3parse.files.walk import Found
from ck3parse.messages import ParseResult
from ck3parse.pipeline.plan import make_plan
from ck3parse.pipeline.shard import Shard
from ck3parse.store import Counts, Store
from ck3parse.store.merge import _REFERENCES, _TABLES, NOT_COPIED, Merged, merge

VERSION = "test/1"
LIMIT = 1 << 20
ALL = [f"common/traits/{number}.txt" for number in range(500)]


def test_each_file_is_in_one_shard() -> None:
    for count in (1, 2, 7):
        shards = [Shard(number, count) for number in range(1, count + 1)]
        held = [[name for name in ALL if shard.holds(name)] for shard in shards]
        assert sorted(name for names in held for name in names) == sorted(ALL)
        assert min(map(len, held)) > 300 / count


def test_a_shard_does_not_depend_on_the_machine() -> None:
    assert [name for name in ALL[:8] if Shard(1, 2).holds(name)] == [
        name for name in ALL[:8] if Shard(1, 2).holds(name.upper())
    ]
    assert Shard(1, 2).holds("common/traits/0.txt") is True
    assert Shard(2, 2).holds("common/traits/0.txt") is False


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/99999"])
def test_a_text_that_is_no_shard(text: str) -> None:
    with pytest.raises(UsageError, match="is not a shard: give its number"):
        Shard.parse(text)


def test_a_plan_of_a_shard_leaves_the_others_alone(tmp_path: Path) -> None:
    for mod in ("one", "two"):
        for name in ALL[:40]:
            path = tmp_path / mod / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{mod} = {name}", "utf-8")
    roots = [str(tmp_path / "one"), str(tmp_path / "two")]
    with Store(tmp_path / "out.sqlite", VERSION) as store:
        plans = [
            make_plan(roots, store, max_bytes=LIMIT, shard=Shard(number, 3)) for number in (1, 2, 3)
        ]
        for plan in plans:
            assert len(plan.to_parse) + len(plan.elsewhere) == 80
            # The second mod replaces the files of the first.
            names = {root: {f.name for f in plan.to_parse if f.root == root} for root in roots}
            assert names[roots[0]] == names[roots[1]] != set()
            store.record([(found, result(found.path)) for found in plan.to_parse])
        # What another shard recorded is not taken for a file that is gone.
        again = make_plan(roots, store, max_bytes=LIMIT, shard=Shard(1, 3))
        assert (again.to_parse, again.vanished) == ([], [])
        assert len(make_plan(roots, store, max_bytes=LIMIT).unchanged) == 80


def result(path: str, content_hash: str | None = None, **fields: Any) -> ParseResult:
    ast = None if "error_type" in fields else b"frame"
    return ParseResult("1", path, ast is not None, ast, 1,
                       content_hash=content_hash or path, size=1, **fields)  # fmt: skip


def store_of(path: Path, names: Sequence[str], *, version: str = VERSION, **fields: Any) -> Path:
    with Store(path, version) as store:
        store.record([(Found("/mod", name, 1, 1), result(name, **fields)) for name in names])
    return path


def run_of(path: Path, shard: str | None, *, is_early: bool | None = False) -> None:
    """Record a run, which ended early or has not ended (`None`)."""
    with Store(path, VERSION) as store:
        run_id = store.begin_run(["/mod"], "native", shard)
        if is_early is not None:
            store.end_run(run_id, Counts(1, 0, 0, 0), 0, shard, is_early=is_early)


def names_of(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT f.name, f.state, own.name FROM files AS f LEFT JOIN asts AS a"
            " USING (content_hash, parser_version_id)"
            " LEFT JOIN files AS own ON own.file_id = a.file_id ORDER BY 1"
        ).fetchall()


def test_rows_get_new_keys(tmp_path: Path) -> None:
    stores = [
        store_of(tmp_path / "1.sqlite", ["a", "b"]),
        store_of(tmp_path / "2.sqlite", ["c", "b"]),
        store_of(tmp_path / "3.sqlite", ["d", "e"], content_hash="twins"),
    ]
    told: list[Path] = []
    merged = merge(stores, tmp_path / "out.sqlite", told=told.append)
    assert merged == Merged(5, 4, 0, [])
    assert sorted(told) == stores
    assert names_of(tmp_path / "out.sqlite") == [
        ("a", "parsed", "a"),
        ("b", "parsed", "b"),
        ("c", "parsed", "c"),
        ("d", "parsed", "d"),
        ("e", "parsed", "d"),
    ]
    assert not list(tmp_path.glob("*.part*"))


def test_missing_shards_are_named(tmp_path: Path) -> None:
    stores = [store_of(tmp_path / f"{name}.sqlite", [name]) for name in ("a", "b")]
    for path, shard in zip(stores, ("2/4", "4/4"), strict=True):
        run_of(path, shard)
    out = tmp_path / "out.sqlite"
    assert merge(stores, out).missing_shards == ["1/4", "3/4"]
    rest = [store_of(tmp_path / f"{name}.sqlite", [name]) for name in ("c", "d")]
    for path, shard in zip(rest, ("1/4", "3/4"), strict=True):
        run_of(path, shard)
    assert merge([out, *rest], tmp_path / "all.sqlite").missing_shards == []


@pytest.mark.parametrize("is_early", [True, None])
def test_a_run_that_has_not_ended_or_ended_early(tmp_path: Path, is_early: bool | None) -> None:
    small, large = store_of(tmp_path / "1.sqlite", ["a"]), store_of(tmp_path / "2.sqlite", ALL)
    for path, other in ((small, large), (large, small)):
        run_of(path, "1/4")
        run_of(path, "1/4", is_early=is_early)
        run_of(path, "2/4")
        assert f"{path} has only a part of shard 1/4, as" in refused(tmp_path, path, other)
        run_of(path, None, is_early=is_early)
        assert f"{path} has only a part of all files, as" in refused(tmp_path, other, path)
        run_of(path, "3/4")
    assert merge([small, large], tmp_path / "out.sqlite").missing_shards == ["1/4", "2/4", "4/4"]


def test_all_files_complete_a_shard(tmp_path: Path) -> None:
    path = store_of(tmp_path / "1.sqlite", ["a"])
    run_of(path, "1/2", is_early=True)
    with Store(path, VERSION) as store:
        store.begin_all()
        assert "a part of all files" in refused(tmp_path, path)
        store.end_all()
    assert merge([path], tmp_path / "out.sqlite").missing_shards == []


def refused(tmp_path: Path, *stores: Path, out: str = "out.sqlite") -> str:
    with pytest.raises(Ck3parseError) as caught:
        merge(stores, tmp_path / out)
    assert not (tmp_path / "out.sqlite").exists()
    assert not list(tmp_path.glob("*.part*"))
    return str(caught.value)


def test_stores_that_do_not_fit_together(tmp_path: Path) -> None:
    one = store_of(tmp_path / "1.sqlite", ["a", "b", "c"])
    other = store_of(tmp_path / "other.sqlite", ["a", "x"], content_hash="other")
    assert "different contents of 1 file, such as /mod/a:" in refused(tmp_path, one, other)
    newer = store_of(tmp_path / "newer.sqlite", ["x"], version="test/2")
    assert "trees of different versions" in refused(tmp_path, one, newer)
    assert "named twice" in refused(tmp_path, one, one)
    assert "is not there" in refused(tmp_path, one, tmp_path / "no.sqlite")
    assert "1.sqlite exists" in refused(tmp_path, one, other, out="1.sqlite")
    text = tmp_path / "text.sqlite"
    text.write_text("no database" * 100, "utf-8")
    assert "cannot be read" in refused(tmp_path, one, text)
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as db:
        db.execute("CREATE TABLE asts_of_others (a)")
    assert "is not a store" in refused(tmp_path, one, foreign)
    old = store_of(tmp_path / "old.sqlite", ["x"])
    with closing(sqlite3.connect(old)) as db:
        db.execute("PRAGMA user_version = 2")
    assert "another version of ck3parse" in refused(tmp_path, one, old)
    killed = store_of(tmp_path / "killed.sqlite", ["x"])
    with closing(sqlite3.connect(killed)) as db, db:
        db.execute("INSERT INTO index_state VALUES ('unwritten', '1')")
    assert "the run that wrote it was killed" in refused(tmp_path, one, killed)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    stores = [store_of(tmp_path / f"{name}.sqlite", [name]) for name in ("a", "b")]
    with pytest.raises(StoreError, match="cannot be merged into"):
        merge(stores, tmp_path / "no folder" / "out.sqlite")


def test_each_table_is_copied_or_known_not_to_be() -> None:
    schema = files("ck3parse.store").joinpath("store.sql").read_text("utf-8")
    tables = dict(re.findall(r"CREATE (?:VIRTUAL )?TABLE (\w+) (.*?);\n", schema, re.DOTALL))
    tables.pop("word_contents")  # what `words` holds
    assert set(tables) == {table.name for table in _TABLES} | set(NOT_COPIED)
    reference = re.compile(r"^    (\w+) INTEGER.* REFERENCES (\w+)", re.MULTILINE)
    references = {match for table in _TABLES for match in reference.findall(tables[table.name])}
    assert {each for each in references if each[1] not in NOT_COPIED} <= set(_REFERENCES.items())
