"""Which text of a key the game uses, for each rule; and what the store keeps of localization."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ck3parse.config import Settings
from ck3parse.index.playset import playset_of
from ck3parse.index.refresh import InProcess, Refreshed, record_playset, refresh
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.indexing import Indexing
from ck3parse.pipeline.plan import make_plan
from ck3parse.pipeline.run import Run
from ck3parse.pipeline.shard import Shard
from ck3parse.store import Store
from ck3parse.store.merge import merge
from text_files import write

ENGLISH = "localization/english"


def index(folder: Path, *sources: str) -> Refreshed:
    for source in sources:
        (folder / source / "common").mkdir(parents=True, exist_ok=True)
    return refresh(
        playset_of([folder / source for source in sources]), folder / "out.sqlite", Settings()
    )


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "out.sqlite")) as db:
        return db.execute(query).fetchall()


def used(folder: Path) -> list[tuple[Any, ...]]:
    return rows(
        folder, "SELECT language, key, text FROM loc_entries WHERE wins ORDER BY language, key"
    )


def test_the_first_of_a_file_stays(tmp_path: Path) -> None:
    write(tmp_path, f"game/{ENGLISH}/a_l_english.yml", 'k: "one"', 'k: "two"')
    index(tmp_path, "game")
    assert used(tmp_path) == [("english", "k", "one")]


@pytest.mark.parametrize(
    ("first", "second"),
    [("a_l_english.yml", "b_l_english.yml"), ("b/a_l_english.yml", "c_l_english.yml")],
)
def test_the_first_by_path_stays_whichever_mod_it_is_from(
    tmp_path: Path, first: str, second: str
) -> None:
    write(tmp_path, f"game/{ENGLISH}/{second}", 'k: "second"')
    write(tmp_path, f"mod/{ENGLISH}/{first}", 'k: "first"')
    index(tmp_path, "game", "mod")
    assert used(tmp_path) == [("english", "k", "first")]
    index(tmp_path, "mod", "game")
    assert used(tmp_path) == [("english", "k", "first")]


@pytest.mark.parametrize(
    "folder", [f"{ENGLISH}/replace", "localization/replace/english", f"{ENGLISH}/Replace/more"]
)
def test_one_below_replace_wins_wherever_it_is_read(tmp_path: Path, folder: str) -> None:
    for name in ("0", "zz"):
        write(tmp_path, f"game/{ENGLISH}/{name}_l_english.yml", f'k: "{name}"')
    write(tmp_path, f"mod/{folder}/m_l_english.yml", 'k: "mine"')
    index(tmp_path, "game", "mod")
    assert used(tmp_path) == [("english", "k", "mine")]


def test_of_several_below_replace_the_last_wins(tmp_path: Path) -> None:
    write(tmp_path, f"one/{ENGLISH}/replace/z_l_english.yml", 'k: "z"', 'k: "z again"')
    write(tmp_path, f"two/{ENGLISH}/replace/a_l_english.yml", 'k: "a"')
    write(tmp_path, f"two/{ENGLISH}/zz_l_english.yml", 'k: "not below replace"')
    index(tmp_path, "one", "two")
    assert used(tmp_path) == [("english", "k", "z again")]


def test_a_folder_must_be_named_replace(tmp_path: Path) -> None:
    write(tmp_path, f"one/{ENGLISH}/a_l_english.yml", 'k: "first"')
    write(tmp_path, f"two/{ENGLISH}/replaced/b_l_english.yml", 'k: "later"')
    write(tmp_path, f"two/{ENGLISH}/replace_l_english.yml", 'k: "last"')
    index(tmp_path, "one", "two")
    assert used(tmp_path) == [("english", "k", "first")]


def test_the_file_of_a_later_mod_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    write(tmp_path, f"game/{ENGLISH}/a_l_english.yml", 'k: "old"', 'gone: "gone"')
    write(tmp_path, f"mod/{ENGLISH}/A_l_english.yml", 'k: "new"')
    index(tmp_path, "game", "mod")
    assert used(tmp_path) == [("english", "k", "new")]
    assert rows(tmp_path, "SELECT text, in_effect FROM loc_entries WHERE key = 'gone'") == [
        ("gone", 0)
    ]


def test_a_replace_path_drops_a_folder(tmp_path: Path) -> None:
    write(tmp_path, f"game/{ENGLISH}/a_l_english.yml", 'k: "dropped"')
    write(tmp_path, f"game/{ENGLISH}/below/a_l_english.yml", 'below: "stays"')
    write(tmp_path, f"mod/{ENGLISH}/b_l_english.yml", 'k: "new"')
    descriptor = f'name="M"\nreplace_path="{ENGLISH}"\n'
    (tmp_path / "mod/descriptor.mod").write_text(descriptor, encoding="utf-8")
    index(tmp_path, "game", "mod")
    assert used(tmp_path) == [("english", "below", "stays"), ("english", "k", "new")]


def test_languages_are_apart_and_the_name_of_a_file_says_which(tmp_path: Path) -> None:
    write(tmp_path, f"mod/{ENGLISH}/a_l_english.yml", 'k: "one"')
    write(tmp_path, "mod/localization/german/a_l_german.yml", 'k: "eins"', language="german")
    write(tmp_path, f"mod/{ENGLISH}/b_l_french.yml", 'k: "un"')
    write(tmp_path, f"mod/{ENGLISH}/no_language.yml", 'other: "of its header"', language="polish")
    index(tmp_path, "mod")
    assert used(tmp_path) == [
        ("english", "k", "one"),
        ("french", "k", "un"),
        ("german", "k", "eins"),
        ("polish", "other", "of its header"),
    ]


def test_texts_that_lose_are_told_with_those_that_win(tmp_path: Path) -> None:
    write(tmp_path, f"game/{ENGLISH}/a_l_english.yml", 'k: "one"', 'same: "same"', 'own: "own"')
    write(tmp_path, f"mod/{ENGLISH}/b_l_english.yml", 'k: "two"', 'same: "same"')
    write(tmp_path, "mod/localization/german/b_l_german.yml", 'k: "zwei"', language="german")
    index(tmp_path, "game", "mod")
    assert rows(
        tmp_path,
        "SELECT key, language, winner_source, winner_line, winner_text, loser_source, loser_line,"
        " loser_text, equal FROM loc_conflicts ORDER BY key",
    ) == [
        ("k", "english", "game", 2, "one", "mod", 2, "two", 0),
        ("same", "english", "game", 3, "same", "mod", 3, "same", 1),
    ]


def test_the_texts_that_name_another_are_known(tmp_path: Path) -> None:
    write(
        tmp_path,
        f"mod/{ENGLISH}/a_l_english.yml",
        "a: \"$b$ and $b|U$, [Say('$c$')]\"",
        'b: "costs \\$ 5"',
    )
    index(tmp_path, "mod")
    assert rows(tmp_path, "SELECT key, by_key, language, line FROM loc_uses ORDER BY key") == [
        ("b", "a", "english", 2),
        ("c", "a", "english", 2),
    ]


def test_only_files_below_localization_of_a_mod_are_read(tmp_path: Path) -> None:
    write(tmp_path, f"mod/{ENGLISH}/a_l_english.yml", 'k: "one"')
    write(tmp_path, "mod/common/b_l_english.yml", 'no: "no"')
    write(tmp_path, "mod/gfx/localization/c_l_english.yml", 'no: "no"')
    (tmp_path / f"mod/{ENGLISH}/notes.yaml").write_text('no: "no"', encoding="utf-8")
    assert index(tmp_path, "mod").files == 1
    assert used(tmp_path) == [("english", "k", "one")]


def test_equal_texts_are_kept_once(tmp_path: Path) -> None:
    for language in ("english", "german", "french"):
        path = f"mod/localization/{language}/a_l_{language}.yml"
        write(tmp_path, path, 'k: "the same $x$"', 'l: "too"', language=language)
    index(tmp_path, "mod")
    assert len(used(tmp_path)) == 6
    assert rows(tmp_path, "SELECT count(*) FROM loc_texts") == [(2,)]
    assert rows(tmp_path, "SELECT count(*) FROM loc_uses") == [(3,)]


def test_what_changes_is_read_again_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    one = write(tmp_path, f"mod/{ENGLISH}/a_l_english.yml", 'k: "one"', 'old: "$gone$"')
    two = write(tmp_path, f"mod/{ENGLISH}/b_l_english.yml", 'k: "two"')
    assert index(tmp_path, "mod").read == 2
    assert index(tmp_path, "mod").read == 0
    write(tmp_path, f"mod/{ENGLISH}/a_l_english.yml", 'k: "changed"')
    assert index(tmp_path, "mod").read == 1
    assert used(tmp_path) == [("english", "k", "changed")]
    os.utime(two, (1, 1))
    assert index(tmp_path, "mod").read == 0  # its content is known
    one.unlink()
    assert index(tmp_path, "mod").gone == 1
    assert used(tmp_path) == [("english", "k", "two")]
    two.rename(two.with_name("c_l_german.yml"))
    index(tmp_path, "mod")
    assert used(tmp_path) == [("german", "k", "two")]
    two.with_name("c_l_german.yml").unlink()
    index(tmp_path, "mod")
    for table in ("blocks", "contents", "files", "keys", "texts", "references"):
        assert rows(tmp_path, f"SELECT count(*) FROM loc_{table}") == [(0,)], table  # noqa: S608
    assert rows(tmp_path, "SELECT count(*) FROM asts") == [(0,)]


def test_an_empty_script_and_an_empty_localization_file_have_outcomes_of_their_own(
    tmp_path: Path,
) -> None:
    for path in (f"{ENGLISH}/a_l_english.yml", "common/traits/a.txt"):
        file = tmp_path / "mod" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    index(tmp_path, "mod")
    assert index(tmp_path, "mod").read == 0
    query = "SELECT dialect, ast_blob IS NULL FROM asts JOIN files USING (file_id) ORDER BY dialect"
    assert rows(tmp_path, query) == [("ck3raven", 0), ("localization", 1)]


def test_both_dialects_of_a_store_share_the_texts(tmp_path: Path) -> None:
    write(tmp_path, f"mod/{ENGLISH}/a_l_english.yml", 'k: "one"')
    index(tmp_path, "mod")
    playset = playset_of([tmp_path / "mod"])
    done = refresh(playset, tmp_path / "out.sqlite", Settings(dialect="ck3"))
    assert done.read == 0
    assert used(tmp_path) == [("english", "k", "one")]


def test_what_is_wrong_with_a_file_is_kept_and_its_sound_texts_are_used(tmp_path: Path) -> None:
    write(tmp_path, f"mod/{ENGLISH}/a_l_english.yml", 'broken: "open', 'k: "one"')
    (tmp_path / f"mod/{ENGLISH}/b_l_english.yml").write_bytes("l_english:".encode("utf-16"))
    done = index(tmp_path, "mod")
    assert (done.read, done.failed) == (2, 0)
    assert used(tmp_path) == [("english", "k", "one")]
    query = "SELECT code, line FROM diagnostics ORDER BY code"
    assert rows(tmp_path, query) == [("CK3-L003", 1), ("CK3-L010", 2)]


def test_the_texts_of_shards_are_merged(tmp_path: Path) -> None:
    for number in range(8):
        for language in ("english", "german"):
            path = f"mod/localization/{language}/f{number}_l_{language}.yml"
            lines = ['k: "$shared$"', f'k{number}: "{number % 3}"', f'own: "{language}"']
            write(tmp_path, path, *lines[: 2 + number % 2], language=language)
    index(tmp_path, "mod")
    queries = [
        f"SELECT {columns} FROM loc_{view} ORDER BY key, language, file, line"  # noqa: S608
        for view, columns in (
            ("entries", "key, language, text, file, line, wins, relpath, read_order"),
            ("uses", "key, language, by_key, file, line"),
        )
    ]
    whole = [rows(tmp_path, query) for query in queries]
    assert len(whole[0]) == 40
    shards = [tmp_path / "1.sqlite", tmp_path / "2.sqlite"]
    for number, store in enumerate(shards, 1):
        _run_shard(tmp_path / "mod", store, Shard(number, 2))
    (tmp_path / "out.sqlite").unlink()
    merge(shards, tmp_path / "out.sqlite")
    assert [rows(tmp_path, query) for query in queries] == whole
    assert index(tmp_path, "mod").read == 0


def _run_shard(mod: Path, out: Path, shard: Shard) -> None:
    settings = Settings()
    with Store(out, settings.stored_version(parser_in_use().version)) as store:
        plan = make_plan(
            [str(mod)], store, gui=True, texts=store.texts, max_bytes=1 << 20, shard=shard
        )
        assert plan.texts
        assert plan.texts.to_parse
        assert plan.texts.elsewhere
        indexing = Indexing(store)
        indexing.begin(plan)
        run = Run(plan, store, timeout_ms=1000, max_bytes=1 << 20, indexing=indexing)
        for each in (run, run.of_texts(plan.texts, store.texts)):
            each.record_known()
            for _ in each.outcomes(InProcess(settings)):
                pass
        record_playset(playset_of([mod]), plan, indexing, store, "paths")
