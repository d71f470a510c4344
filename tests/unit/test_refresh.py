"""Keeping an index up to date: what changed, vanished, moved, or was never read for it."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ck3parse.config import Settings
from ck3parse.index.playset import playset_of
from ck3parse.index.refresh import InProcess, Refreshed, refresh
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.plan import make_plan
from ck3parse.pipeline.run import Run
from ck3parse.store import Store

ONE = "brave = { a = 1 }"
TWO = "brave = { a = 2 }"
LIMIT = 1 << 20


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


def index(folder: Path, *sources: str) -> Refreshed:
    playset = playset_of([folder / source for source in sources or ("mod",)])
    return refresh(playset, folder / "out.sqlite", Settings())


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "out.sqlite")) as db:
        return db.execute(query).fetchall()


def defined(folder: Path) -> list[tuple[Any, ...]]:
    return rows(folder, "SELECT kind, name, relpath FROM definitions ORDER BY 1, 2, 3")


def parse_without_index(folder: Path) -> None:
    """Do as `ck3parse run --no-index` does."""
    with Store(folder / "out.sqlite", parser_in_use().version) as store:
        plan = make_plan([str(folder / "mod")], store, max_bytes=LIMIT)
        run = Run(plan, store, timeout_ms=1000, max_bytes=LIMIT)
        run.record_known()
        for _ in run.outcomes(InProcess(Settings())):
            pass
        store.tidy()


def test_what_was_parsed_without_an_index_is_read_for_it(tmp_path: Path) -> None:
    write(tmp_path, {"mod/common/traits/a.txt": ONE, "mod/common/traits/b.txt": "x = {"})
    parse_without_index(tmp_path)
    assert defined(tmp_path) == []
    asts = rows(tmp_path, "SELECT * FROM asts")
    assert index(tmp_path).read == 2
    assert defined(tmp_path) == [("trait", "brave", "common/traits/a.txt"),
                                 ("trait", "x", "common/traits/b.txt")]  # fmt: skip
    assert rows(tmp_path, "SELECT * FROM asts") == asts
    assert index(tmp_path).read == 0


def test_a_file_that_changed_without_the_index_is_not_in_it_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, {"mod/common/traits/a.txt": ONE})
    index(tmp_path)
    write(tmp_path, {"mod/common/traits/a.txt": "calm = { a = 1 }"})
    parse_without_index(tmp_path)
    assert defined(tmp_path) == []
    index(tmp_path)
    assert defined(tmp_path) == [("trait", "calm", "common/traits/a.txt")]
    assert rows(tmp_path, "SELECT count(*) FROM index_contents") == [(1,)]


def test_changed_moved_and_vanished_files(tmp_path: Path) -> None:
    mod = tmp_path / "mod"
    write(
        mod, {"common/traits/a.txt": ONE, "common/traits/b.txt": TWO, "events/c.txt": "c.1 = { }"}
    )
    assert index(tmp_path).read == 3
    assert rows(tmp_path, "SELECT count(*) FROM conflicts") == [(1,)]
    (mod / "common/traits/b.txt").rename(mod / "common/traits/z.txt")
    (mod / "events/c.txt").unlink()
    write(mod, {"common/traits/a.txt": "brave = { a = 10 }"})
    assert index(tmp_path).read == 1
    assert defined(tmp_path) == [("trait", "brave", "common/traits/a.txt"),
                                 ("trait", "brave", "common/traits/z.txt")]  # fmt: skip
    assert rows(tmp_path, "SELECT relpath, read_order FROM files_in_effect") == [
        ("common/traits/a.txt", 0),
        ("common/traits/z.txt", 1),
    ]
    assert rows(tmp_path, "SELECT count(*) FROM index_contents") == [(2,)]
    assert index(tmp_path).read == 0


def test_one_content_in_two_folders_is_read_under_two_rules(tmp_path: Path) -> None:
    mod = tmp_path / "mod"
    write(mod, {"common/traits/a.txt": ONE, "common/nicknames/a.txt": ONE})
    index(tmp_path)
    wanted = [("nickname", "brave", "common/nicknames/a.txt"),
              ("trait", "brave", "common/traits/a.txt")]  # fmt: skip
    assert defined(tmp_path) == wanted
    # Known to the store, but not to the index under this rule.
    write(mod, {"common/decisions/a.txt": ONE})
    assert index(tmp_path).read == 0
    assert defined(tmp_path) == [("decision", "brave", "common/decisions/a.txt"), *wanted]


def test_large_twins_are_read_under_the_rule_of_each(tmp_path: Path) -> None:
    content = ONE + "\n# and more" * 4000
    write(tmp_path / "mod", {"common/traits/a.txt": content, "common/nicknames/b.txt": content,
                             "common/traits/c.txt": content})  # fmt: skip
    index(tmp_path)
    assert defined(tmp_path) == [
        ("nickname", "brave", "common/nicknames/b.txt"),
        ("trait", "brave", "common/traits/a.txt"),
        ("trait", "brave", "common/traits/c.txt"),
    ]


def test_a_descriptor_that_moves_the_root_of_a_mod_changes_the_rules(tmp_path: Path) -> None:
    write(tmp_path, {"mod/x/traits/a.txt": ONE})
    index(tmp_path)
    assert defined(tmp_path) == []
    write(tmp_path, {"mod/x/descriptor.mod": 'name="X"', "mod/x/common/traits/a.txt": TWO})
    index(tmp_path)
    assert defined(tmp_path) == [("trait", "brave", "common/traits/a.txt")]
    assert rows(tmp_path, "SELECT name FROM playset_sources") == [("X",)]


def test_nothing_but_a_descriptor_changed(tmp_path: Path) -> None:
    write(tmp_path, {"mod/x/common/traits/a.txt": ONE})
    index(tmp_path)
    assert rows(tmp_path, "SELECT name FROM playset_sources") == [("x",)]
    states: list[tuple[str, list[tuple[str]]]]
    states = [("X", []), ("Y", []), ("Y", [("common/decisions",)])]
    for changed_s, (name, replaced) in enumerate(states):
        lines = [f'name="{name}"', *(f'replace_path="{folder}"' for (folder,) in replaced)]
        write(tmp_path, {"mod/x/descriptor.mod": "\n".join(lines)})
        os.utime(tmp_path / "mod/x/descriptor.mod", (0, changed_s))
        index(tmp_path)
        assert rows(tmp_path, "SELECT name FROM playset_sources") == [(name,)]
        assert rows(tmp_path, "SELECT folder FROM replaced_folders") == replaced
    (tmp_path / "mod/x/descriptor.mod").unlink()
    write(tmp_path, {"mod/x/common/descriptor.mod": 'name="Z"'})
    index(tmp_path)
    assert rows(tmp_path, "SELECT name FROM playset_sources") == [("Z",)]


def test_an_index_that_lost_rows_is_not_taken_for_complete(tmp_path: Path) -> None:
    write(tmp_path, {"mod/common/traits/a.txt": ONE, "mod/common/traits/b.txt": TWO})
    index(tmp_path)
    assert index(tmp_path).read == 0
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as db:
        db.execute("DELETE FROM indexed_files WHERE file_id = 1")
        db.commit()
    index(tmp_path)
    assert len(defined(tmp_path)) == 2


def test_another_reading_order_is_taken_at_once(tmp_path: Path) -> None:
    write(tmp_path, {"mod/common/traits/b.txt": ONE, "mod/common/traits/a/c.txt": TWO})
    index(tmp_path)
    query = "SELECT relpath FROM winners"
    assert rows(tmp_path, query) == [("common/traits/b.txt",)]
    playset = playset_of([tmp_path / "mod"])
    refresh(playset, tmp_path / "out.sqlite", Settings(), reading_order="files-first")
    assert rows(tmp_path, query) == [("common/traits/a/c.txt",)]


def test_another_playset_in_the_same_store_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"mod/common/traits/a.txt": ONE, "other/common/traits/b.txt": TWO})
    assert index(tmp_path).warnings == []
    (warning,) = index(tmp_path, "other").warnings
    assert "the index of another playset" in warning
    assert defined(tmp_path) == [("trait", "brave", "common/traits/b.txt")]
    assert index(tmp_path, "other").warnings == []
    assert index(tmp_path, "other", "mod").warnings == []
    assert rows(tmp_path, "SELECT winner_source FROM conflicts") == [("other",)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has room for one of them")
def test_paths_that_differ_in_case_only_are_told(tmp_path: Path) -> None:
    write(tmp_path, {"mod/common/traits/a.txt": ONE, "mod/common/traits/A.txt": TWO})
    if len(os.listdir(tmp_path / "mod/common/traits")) < 2:
        pytest.skip("so has this file system")
    (warning,) = index(tmp_path).warnings
    assert "common/traits/A.txt and common/traits/a.txt differ in upper and lower case" in warning
    assert rows(tmp_path, "SELECT relpath FROM files_in_effect") == [("common/traits/a.txt",)]


def test_a_mod_inside_of_another_source_counts_once(tmp_path: Path) -> None:
    write(tmp_path, {"mods/a/common/traits/t.txt": ONE, "mods/b/common/traits/t.txt": TWO})
    warnings = index(tmp_path, "mods", "mods/a").warnings
    assert any("is inside of" in each for each in warnings)
    # It is loaded at its own place, after the other mods of the folder.
    assert rows(tmp_path, "SELECT source FROM files_in_effect") == [("a",)]


def test_an_interrupted_run_is_continued(tmp_path: Path) -> None:
    write(
        tmp_path, {f"mod/common/traits/{number}.txt": f"t{number} = {{ }}" for number in range(9)}
    )

    class StoppedError(Exception):
        pass

    calls = iter(range(100))

    def stop() -> None:
        if next(calls) == 0:
            raise StoppedError

    playset = playset_of([tmp_path / "mod"])
    with pytest.raises(StoppedError):
        refresh(playset, tmp_path / "out.sqlite", Settings(), check=stop)
    assert defined(tmp_path) == []
    assert index(tmp_path).files == 9
    assert len(defined(tmp_path)) == 9


def test_the_words_of_gone_contents_are_removed_at_last(tmp_path: Path) -> None:
    write(tmp_path, {"mod/common/traits/a.txt": ONE, "mod/common/traits/b.txt": "calm = { x = y }"})
    index(tmp_path)
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as db, db:
        db.execute("UPDATE index_state SET value = '5000' WHERE key = 'stale_words'")
        db.execute("INSERT OR IGNORE INTO index_state VALUES ('stale_words', '5000')")
    write(tmp_path, {"mod/common/traits/a.txt": "bold = { z = 10 }"})
    index(tmp_path)
    words = rows(tmp_path, "SELECT DISTINCT term FROM word_contents ORDER BY 1")
    assert [word for (word,) in words] == ["bold", "calm", "x", "y", "z"]
    assert rows(tmp_path, "SELECT relpath FROM uses WHERE name = 'calm'") == [
        ("common/traits/b.txt",)
    ]
