"""The plan of a run."""

import shutil
from pathlib import Path

from walking import make

from ck3parse.files.walk import Found, roots_of, walk
from ck3parse.messages import ParseResult
from ck3parse.pipeline.plan import Plan, content_hash, make_plan
from ck3parse.store import Store

MAX_BYTES = 1_000_000


def plan_of(mod: Path, store: Store, changes: list[str]) -> Plan:
    return make_plan(
        [str(mod)], store, max_bytes=MAX_BYTES, on_change=lambda: changes.append("a change")
    )


def test_a_change_is_told_of_once_and_as_soon_as_it_is_found(tmp_path: Path) -> None:
    mod, changes = tmp_path / "mod", list[str]()
    make(mod, "a.txt", "b.txt", "c.txt")
    with Store(tmp_path / "o.sqlite", "test/1") as store:
        plan = plan_of(mod, store, changes)
        assert (len(plan.to_parse), changes) == (3, ["a change"])
        digest = content_hash(plan.to_parse[0].path, MAX_BYTES)
        result = ParseResult("1", "a.txt", ok=True, ast=b"ast", content_hash=digest)
        store.record([(found, result) for found in plan.to_parse])
        assert plan_of(mod, store, changes).unchanged
        assert changes == ["a change"]
        (mod / "b.txt").write_text("a = 2\n")
        plan = plan_of(mod, store, changes)
        assert ([found.name for found in plan.to_parse], len(changes)) == (["b.txt"], 2)


def test_roots_are_those_of_what_is_found(tmp_path: Path) -> None:
    make(tmp_path, "one/a.txt", "one/in/b.txt", "two/c.txt", "two/d.txt")
    paths = [str(tmp_path / name) for name in ("one", "one/in", "two/d.txt")]
    roots = roots_of(paths)
    assert roots == [str(tmp_path / name) for name in ("one", "one/in", "two")]
    assert {entry.root for entry in walk(paths) if isinstance(entry, Found)} <= set(roots)


def test_files_of_the_interface_that_are_not_looked_for_stay(tmp_path: Path) -> None:
    mod = tmp_path / "mod"
    make(mod, "a.txt", "gui/a.gui", "gui/b.gui")
    with Store(tmp_path / "o.sqlite", "test/1") as store:
        plan = make_plan([str(mod)], store, gui=True, max_bytes=MAX_BYTES)
        result = ParseResult("1", "a.txt", ok=True, ast=b"ast", content_hash="h")
        store.record([(found, result) for found in plan.to_parse])
        (mod / "gui/b.gui").unlink()
        plan = plan_of(mod, store, [])
        assert len(plan.unchanged) == 1
        assert [each.name for each in plan.vanished] == ["gui/b.gui"]


def test_a_folder_without_files_has_lost_all_that_the_store_knows(tmp_path: Path) -> None:
    mod, other = tmp_path / "mod", tmp_path / "other"
    make(mod, "a.txt", "sub/b.txt")
    make(other, "c.txt")
    with Store(tmp_path / "o.sqlite", "test/1") as store:
        result = ParseResult("1", "a.txt", ok=True, ast=b"ast", content_hash="h")
        for folder in (mod, other):
            store.record([(found, result) for found in plan_of(folder, store, []).to_parse])
        shutil.rmtree(mod)
        mod.mkdir()
        plan = plan_of(mod, store, [])
        known = store.files_of([str(mod)])[str(mod)]
        assert sorted(known) == ["a.txt", "sub/b.txt"]
        assert {each.name: each.before for each in plan.vanished} == known
