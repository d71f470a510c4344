"""Localization files through `ck3parse run` with real workers, and what is asked of them then."""

import contextlib
import json
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from ck3parse import Index
from ck3parse.localization import LANGUAGES
from command import TESTS, ck3parse, run_json, start
from json_schemas import fits
from servers import Server, Worker
from text_files import write
from watching import Watching

NINE = LANGUAGES[:9]
FAULTS = {"CK3PARSE_PARSER": "faulty_texts:parse", "PYTHONPATH": str(TESTS)}


def make_playset(folder: Path) -> list[str]:
    """Write a game, a mod in nine languages, and a mod with a folder `replace`."""
    for language in NINE:
        at = f"localization/{language}"
        write(folder, f"game/{at}/game_l_{language}.yml", 'trait_brave:0 "Brave"',
              f'greeting:0 "Hello in {language}, $trait_brave$"', language=language)  # fmt: skip
        write(folder, f"fair/{at}/z_fair_l_{language}.yml", 'fair_key: "Fair"',
              'trait_brave: "Fair brave"', 'greeting: "Late"', language=language)  # fmt: skip
        write(folder, f"grand/{at}/replace/grand_l_{language}.yml",
              'greeting: "Grand"', language=language)  # fmt: skip
    for name in ("fair", "grand"):
        (folder / name / "descriptor.mod").write_text(f'name="{name.title()}"\n')
    traits = folder / "game/common/traits"
    traits.mkdir(parents=True)
    (traits / "a.txt").write_text("\ufeffbrave = { desc = greeting }\n", "utf-8")
    (traits / "broken.txt").write_text("\ufeffbroken = {\n", "utf-8")
    write(folder, "fair/localization/english/broken_l_english.yml", 'open: "no end', 'sound: "ok"')
    utf_16 = folder / "fair/localization/english/utf16_l_english.yml"
    utf_16.write_bytes('l_english:\n k: "x"\n'.encode("utf-16"))
    (folder / "fair/localization/english/empty_l_english.yml").write_bytes(b"")
    return ["game", "fair", "grand"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playset")
    report = run_json("--index", *make_playset(folder), cwd=folder, code=1)
    assert report["localization_files"] == 3 * len(NINE) + 3
    assert report["faulty_localization_files"] == 2
    assert report["warnings"] == []
    assert report["parsed"] == report["localization_files"] + 1
    assert [Path(each["path"]).name for each in report["failures"]] == ["broken.txt"]
    return folder


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "ck3parse.sqlite")) as db:
        return db.execute(query).fetchall()


def answer(place: Path, *args: str, code: int = 0) -> tuple[str, str]:
    done = ck3parse(*args, "--no-update", cwd=place)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_a_second_run_reads_nothing(place: Path) -> None:
    report = run_json("--index", "game", "fair", "grand", cwd=place, code=1)
    assert (report["parsed"], report["localization_files"]) == (0, 30)


def test_faults_are_told_and_the_index_is_current_still(tmp_path: Path) -> None:
    write(tmp_path, "mod/localization/english/a_l_english.yml", 'k: "one"', 'open: "')
    (tmp_path / "mod/common").mkdir()
    (tmp_path / "other/common").mkdir(parents=True)
    done = ck3parse("run", "mod", cwd=tmp_path)
    assert done.returncode == 0
    told = "1 localization file has faults: `ck3parse check` tells which"
    assert done.stdout.splitlines()[-1] == told
    for _ in range(2):
        assert "nothing changed" in ck3parse("find", "k", cwd=tmp_path).stderr
    again = ck3parse("run", "mod", cwd=tmp_path)
    assert again.stdout.splitlines()[-1] == told
    # Those of other mods that the store has do not count.
    assert run_json("other", cwd=tmp_path)["faulty_localization_files"] == 0
    write(tmp_path, "mod/localization/english/a_l_english.yml", 'k: "one"')
    assert "faults" not in ck3parse("run", "mod", cwd=tmp_path).stdout


def test_without_an_index_they_are_left_out(place: Path) -> None:
    args = ["--no-index", "game", "fair", "--out", "none.sqlite"]
    report = run_json(*args, cwd=place, code=1)
    assert (report["files"], report["localization_files"]) == (2, 0)


def test_what_is_wrong_with_them_is_in_the_store(place: Path) -> None:
    query = "SELECT name, code, d.line FROM files JOIN asts USING (content_hash)"
    query += " JOIN diagnostics AS d USING (ast_id) WHERE dialect = 'localization' ORDER BY name"
    assert rows(place, query) == [
        ("localization/english/broken_l_english.yml", "CK3-L010", 2),
        ("localization/english/utf16_l_english.yml", "CK3-L003", 1),
    ]


def test_find_shows_the_texts_of_every_language_and_who_wins(place: Path) -> None:
    out, _ = answer(place, "find", "greeting")
    head, *lines = out.splitlines()
    assert head.startswith("greeting (localization): the last one below a folder `replace` wins")
    assert len(lines) == 3 * len(NINE)
    first = [line.split() for line in lines[:3]]
    assert [line[-1] for line in first] == ['$trait_brave$"', '"Grand"', '"Late"']
    assert first[1][:2] == ["*", "english"]
    assert "grand/localization/english/replace/grand_l_english.yml:2" in first[1]
    assert sum(line.startswith("  *") for line in lines) == len(NINE)


def test_find_in_one_language_as_json(place: Path) -> None:
    out, _ = answer(place, "find", "trait_*", "--language", "german", "--json")
    found = fits("find", out)
    assert found["definitions"] == []
    assert [(each["source"], each["text"], each["wins"]) for each in found["texts"]] == [
        ("game", "Brave", True),
        ("Fair", "Fair brave", False),
    ]


def test_what_is_not_found(place: Path) -> None:
    assert "did you mean greeting?" in answer(place, "find", "greting", code=1)[1]
    assert "see --kind localization" in answer(place, "find", "greet*", code=1)[1]
    told = answer(place, "find", "fair_key", "--kind", "trait", code=1)[1]
    assert "'fair_key' is no trait, but localization" in told


def test_uses_are_in_script_and_in_texts(place: Path) -> None:
    out, _ = answer(place, "uses", "greeting", "--no-definitions")
    assert [line.split(":")[:3] for line in out.splitlines()] == [
        [os.path.join("game", "common", "traits", "a.txt"), "1", "18"]
    ]
    out, _ = answer(place, "uses", "trait_brave", "--json")
    uses = fits("uses", out)["uses"]
    english = [each for each in uses if "english" in each["path"]]
    assert [(each["source"], each["line"], each["column"], each["role"], each["definition"])
            for each in english] == [
        ("game", 2, 2, "key", True),
        ("game", 3, 32, "text", False),
        ("Fair", 3, 2, "key", True),
    ]  # fmt: skip


def test_conflicts_name_a_key_once_for_all_languages(place: Path) -> None:
    out, _ = answer(place, "conflicts", "--kind", "localization", "--json", code=1)
    conflicts = fits("conflicts", out)["conflicts"]
    assert [
        (each["winner"]["source"], each["loser"]["source"], each["name"], each["how"])
        for each in conflicts
    ] == [
        ("Grand", "Fair", "greeting", "replace"),
        ("Grand", "game", "greeting", "replace"),
        ("game", "Fair", "trait_brave", "first"),
    ]
    assert all(each["languages"] == ["english", *sorted(NINE[1:])] for each in conflicts)
    out, _ = answer(place, "conflicts", "--mod", "Grand", code=1)
    assert "(english, french, german and 6 more)" in out


def test_diff_compares_texts_of_each_language(place: Path) -> None:
    out, err = answer(place, "diff", "trait_brave", code=1)
    assert out.splitlines()[:5] == [
        "english",
        f"  Fair: {os.path.join('fair', 'localization', 'english', 'z_fair_l_english.yml')}:3",
        '  - "Fair brave"',
        f"  game: {os.path.join('game', 'localization', 'english', 'game_l_english.yml')}:2",
        '  + "Brave"',
    ]
    assert "differences in 9 of 9 languages" in err
    answer(place, "diff", "fair_key", code=2)
    out, _ = answer(place, "diff", "trait_brave", "--json", code=1)
    compared = fits("diff", out)
    assert (compared["equal"], len(compared["texts"])) == (False, 9)
    assert compared["texts"][0]["left"]["source"] == "Fair"


def test_from_python(place: Path) -> None:
    with Index(place / "ck3parse.sqlite") as index:
        (german,) = [each for each in index.texts("greeting", "german") if each.wins]
        assert (german.source, german.text, german.in_replace) == ("Grand", "Grand", True)
        assert "greeting" in index.names("*", "localization")
        assert len(index.conflicts(kind="localization")) == 3


def test_a_new_text_is_in_the_answer(tmp_path: Path) -> None:
    write(tmp_path, "mod/localization/english/a_l_english.yml", 'k: "one"')
    (tmp_path / "mod/common").mkdir()
    assert '"one"' in ck3parse("find", "k", "mod", cwd=tmp_path).stdout
    write(tmp_path, "mod/localization/english/a_l_english.yml", 'k: "changed"')
    assert '"changed"' in ck3parse("find", "k", cwd=tmp_path).stdout


@pytest.mark.thorough
def test_watch_reads_a_text_again(tmp_path: Path) -> None:
    mod = tmp_path / "mod"
    write(mod, "localization/english/a_l_english.yml", 'k: "one"')
    (mod / "common").mkdir()
    watching = Watching(mod, "run", ".", "--watch")
    try:
        write(mod, "localization/english/a_l_english.yml", 'k: "two"', 'open: "')
        watching.wait_for("1 read, 0 with errors, 0 gone: up to date in")
        watching.wait_for("localization/english/a_l_english.yml:3:8: error CK3-L010 ")
        assert rows(mod, "SELECT text FROM loc_entries") == [("two",)]
    finally:
        watching.end(signal.SIGKILL)


@pytest.mark.thorough
def test_one_bad_file_costs_itself_only(tmp_path: Path) -> None:
    """A file that hangs, one that crashes its process, and one that meets a bug."""
    for number in range(300):
        write(tmp_path, f"mod/localization/english/f{number}_l_english.yml", f'k{number}: "x"')
    errors = {"hang": "ParseTimeout", "segfault": "WorkerCrashed", "bug": "InternalError"}
    for fault in errors:
        path = f"mod/localization/english/{fault}_l_english.yml"
        write(tmp_path, path, f"# fault = {fault} ", 'k: "x"')
    (tmp_path / "mod/common").mkdir()
    args = ["--index", "mod", "--timeout-ms", "1000"]
    report = run_json(*args, cwd=tmp_path, env=FAULTS, code=1)
    assert report["parsed"] == 300
    assert {
        Path(each["path"]).name.partition("_")[0]: each["error_type"] for each in report["failures"]
    } == errors
    assert rows(tmp_path, "SELECT count(*) FROM loc_entries WHERE wins") == [(300,)]
    # They are tried again, and have their texts then.
    report = run_json("--index", "mod", cwd=tmp_path)
    assert (report["parsed"], report["unchanged"]) == (3, 300)
    assert rows(tmp_path, "SELECT count(*) FROM loc_entries WHERE wins") == [(301,)]


@pytest.mark.thorough
def test_a_killed_worker_loses_no_text(tmp_path: Path) -> None:
    for number in range(2_000):
        path = f"mod/localization/english/f{number}_l_english.yml"
        write(tmp_path, path, "# fault = slow ", f'k{number}: "x"')
    (tmp_path / "mod/common").mkdir()
    with Server(tmp_path) as server:
        with Worker(server.url, tmp_path, "one", env=FAULTS).wait_ready() as worker:
            args = ["run", "--json", "--index", "mod", "--broker", server.url]
            run = start(*args, cwd=tmp_path, env=FAULTS)
            store = tmp_path / "ck3parse.sqlite"
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with contextlib.suppress(sqlite3.Error):
                    if store.exists() and rows(tmp_path, "SELECT count(*) FROM loc_files")[0][0]:
                        break
                time.sleep(0.02)
            worker.kill()
        with Worker(server.url, tmp_path, "two", env=FAULTS).wait_ready():
            out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert json.loads(out)["parsed"] == 2_000
    assert rows(tmp_path, "SELECT count(*) FROM loc_entries WHERE wins") == [(2_000,)]


def test_an_older_worker_is_told_of_in_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, "mod/localization/english/a_l_english.yml", 'k: "one"')
    (tmp_path / "mod/common").mkdir()
    (tmp_path / "mod/common/a.txt").write_text("a = { }")
    older = {**FAULTS, "OLDER_WORKER": "1"}
    with Server(tmp_path) as server, Worker(server.url, tmp_path, "old", env=older).wait_ready():
        args = ["--index", "mod", "--broker", server.url]
        report = run_json(*args, cwd=tmp_path, env=FAULTS, code=3)
    assert report["parsed"] == 1
    (failure,) = report["failures"]
    assert failure["path"].endswith("a_l_english.yml")
    assert "does not have the extractor localization/1" in failure["error"]
    assert "restart the worker" in failure["error"]
