"""What `ck3parse run` does to the index, and what the other commands make of it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from command import FAULTY, ck3parse, run_json
from index_playset import make_playset
from json_schemas import fits
from servers import Server, Worker

STORE = "ck3parse.sqlite"
TRAITS = "common/traits"
QUERIES = (
    "SELECT name, kind, source, relpath, line, start_byte, end_byte, hash FROM definitions",
    "SELECT name, source, relpath FROM uses",
    "SELECT source, relpath, read_order FROM files_in_effect",
    "SELECT name, kind, source, relpath, rule FROM winners",
    "SELECT relpath, source, by_source FROM replaced_files",
)


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / STORE)) as db:
        return db.execute(query).fetchall()


def index_of(folder: Path) -> list[list[tuple[Any, ...]]]:
    """Return all that the views of a store say."""
    return [sorted(rows(folder, query), key=repr) for query in QUERIES]


def defined(folder: Path) -> list[str]:
    return [name for (name,) in rows(folder, "SELECT name FROM definitions ORDER BY name")]


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def counts(report: Mapping[str, Any]) -> tuple[int, int, int]:
    return report["parsed"], report["unchanged"], report["failed"]


def found(folder: Path, *args: str, code: int = 0) -> tuple[str, str]:
    """Return what a command writes to stdout and stderr."""
    done = ck3parse(*args, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def winner(folder: Path, name: str) -> list[str]:
    query = f"SELECT source FROM winners WHERE name = '{name}'"  # noqa: S608
    return [source for (source,) in rows(folder, query)]


# Runs


def test_what_runs_find_changed(tmp_path: Path) -> None:
    mod = tmp_path / "mod"
    write(mod, {f"{TRAITS}/a.txt": "brave = { x = yes }", f"{TRAITS}/b.txt": "calm = { }"})
    write(mod, {"events/c.txt": "c.1 = { }", "gui/d.gui": "template T { size = { 1 1 } }"})
    assert counts(run_json(mod, cwd=tmp_path)) == (4, 0, 0)
    assert defined(tmp_path) == ["T", "brave", "c.1", "calm"]
    before = index_of(tmp_path)

    assert counts(run_json(mod, cwd=tmp_path)) == (0, 4, 0)
    assert index_of(tmp_path) == before

    write(mod, {f"{TRAITS}/a.txt": "brave = { y = yes }\nbold = { }"})
    assert counts(run_json(mod, cwd=tmp_path)) == (1, 3, 0)
    assert defined(tmp_path) == ["T", "bold", "brave", "c.1", "calm"]
    assert rows(tmp_path, "SELECT relpath FROM uses WHERE name = 'x'") == []
    assert rows(tmp_path, "SELECT relpath FROM uses WHERE name = 'y'") == [(f"{TRAITS}/a.txt",)]

    (mod / "events/c.txt").unlink()
    assert counts(run_json(mod, cwd=tmp_path)) == (0, 3, 0)
    assert defined(tmp_path) == ["T", "bold", "brave", "calm"]

    write(mod, {f"{TRAITS}/b.txt": "calm = { }\nshy = { x = \n"})
    report = run_json(mod, cwd=tmp_path, code=1)
    assert counts(report) == (0, 2, 1)
    assert [each["line"] for each in report["failures"]] == [3]
    assert defined(tmp_path) == ["T", "bold", "brave", "calm", "shy"]

    write(mod, {f"{TRAITS}/b.txt": "calm = { }"})
    assert counts(run_json(mod, cwd=tmp_path)) in [(0, 3, 0), (1, 2, 0)]
    assert defined(tmp_path) == ["T", "bold", "brave", "calm"]


def test_the_order_of_the_mods_decides(tmp_path: Path) -> None:
    write(tmp_path, {f"{part}/{TRAITS}/a.txt": f"brave = {{ a = {part} }}"
                     for part in ("game", "one", "two")})  # fmt: skip
    for order in (["game", "one", "two"], ["game", "two", "one"], ["two", "one", "game"]):
        report = run_json(*order, cwd=tmp_path)
        assert report["warnings"] == []
        assert winner(tmp_path, "brave") == order[-1:]
        assert found(tmp_path, "find", "brave")[0].splitlines()[1].split()[0] == "*"


def test_what_was_parsed_without_an_index_gets_one(tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    first = run_json(*parts, "--no-index", cwd=tmp_path)
    assert defined(tmp_path) == []
    asts = rows(tmp_path, "SELECT count(*), max(ast_id) FROM asts")
    scripts = first["parsed"]
    report = run_json(*parts, cwd=tmp_path)
    gui = report["parsed"]
    assert (gui, report["unchanged"]) == (2, scripts)
    assert rows(tmp_path, "SELECT count(*), max(ast_id) FROM asts") == [
        (asts[0][0] + gui, asts[0][1] + gui)
    ]
    with_run = index_of(tmp_path)
    (tmp_path / STORE).unlink()
    run_json(*parts, cwd=tmp_path)
    assert index_of(tmp_path) == with_run


@pytest.mark.thorough
def test_a_run_without_the_index_loses_nothing_of_it(tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    run_json(*parts, cwd=tmp_path)
    before = index_of(tmp_path)
    report = run_json(*parts, "--no-index", cwd=tmp_path)
    assert report["parsed"] == 0
    assert index_of(tmp_path) == before
    (tmp_path / "game/gui/window.gui").unlink()
    run_json(*parts, "--no-index", cwd=tmp_path)
    assert rows(tmp_path, "SELECT name FROM definitions WHERE relpath = 'gui/window.gui'") == []


@pytest.mark.thorough
def test_another_playset_takes_the_place_of_the_one_in_the_store(tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    run_json(*parts, cwd=tmp_path)
    (warning,) = run_json("game", "mod_b", cwd=tmp_path)["warnings"]
    assert "the store had the index of more than this playset, with " in warning
    assert winner(tmp_path, "calm") == ["game"]
    write(tmp_path, {f"other/{TRAITS}/x.txt": "x = { }"})
    (warning,) = run_json("other", cwd=tmp_path)["warnings"]
    assert "the store had the index of another playset, with " in warning
    assert "and 1 more" in warning
    assert "give each playset a store of its own with --out" in warning
    assert defined(tmp_path) == ["x"]
    assert run_json("other", cwd=tmp_path)["warnings"] == []


def test_a_part_of_the_playset_is_parsed_and_leaves_it(tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    run_json(*parts, cwd=tmp_path)
    write(tmp_path, {f"mod_b/{TRAITS}/zz_grand.txt": "bold = { }"})
    for part in ("mod_b/common/traits/zz_grand.txt", "mod_b/common"):
        (warning,) = run_json(part, cwd=tmp_path)["warnings"]
        assert "what was given is a part of the playset in the store" in warning
        assert rows(tmp_path, "SELECT count(*) FROM playset_sources") == [(3,)]
    out, err = found(tmp_path, "find", "bold")
    assert "* mod_b/common/traits/zz_grand.txt:1" in out
    assert "26 files, 0 read" in err or "nothing changed" in err
    # Asked for, it is done.
    run_json("mod_b/common", "--index", cwd=tmp_path)
    assert rows(tmp_path, "SELECT name FROM playset_sources") == [("Grand <Titles>",)]


@pytest.mark.thorough
def test_a_parser_of_ones_own_has_an_index(tmp_path: Path) -> None:
    write(tmp_path / "mod", {f"{TRAITS}/a.txt": "brave = { x = yes }"})
    report = run_json("mod", cwd=tmp_path, env=FAULTY)
    assert (report["parsed"], report["warnings"]) == (1, [])
    assert defined(tmp_path) == ["brave"]


# Playsets


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """A playset of the launcher's whose descriptors are not in the folders of the mods."""
    write(tmp_path, {
        "dlc_load.json": '{"enabled_mods": ["mod/b.mod", "mod/a.mod"]}',
        "mod/a.mod": 'name="A"\npath="mod/a_folder"\nreplace_path="common/traits"',
        "mod/b.mod": 'name="B"\npath="mod/b_folder"',
        f"mod/a_folder/{TRAITS}/t.txt": "brave = { a = 1 }",
        f"mod/b_folder/{TRAITS}/z.txt": "brave = { a = 2 }\nshy = { }",
        f"game/{TRAITS}/y.txt": "brave = { a = 0 }",
    })  # fmt: skip
    return tmp_path / "dlc_load.json"


def test_a_run_of_a_playset_file(launcher: Path) -> None:
    folder = launcher.parent
    report = run_json("game", "--playset", launcher, cwd=folder)
    assert (report["parsed"], report["warnings"]) == (3, [])
    query = "SELECT name FROM playset_sources ORDER BY position"
    assert rows(folder, query) == [("game",), ("B",), ("A",)]
    assert winner(folder, "brave") == ["A"]
    assert winner(folder, "shy") == []

    # The other commands know the playset, with the descriptors beside the mods.
    out, err = found(folder, "find", "brave")
    assert "3 files, nothing changed" in err
    assert "* mod/a_folder/common/traits/t.txt:1" in out
    assert "(not read: dropped by replace_path of A)" in out or "not read" in out

    # It is read again each time.
    launcher.write_text('{"enabled_mods": ["mod/a.mod", "mod/b.mod"]}')
    out, _ = found(folder, "find", "brave")
    assert "* mod/b_folder/common/traits/z.txt:1" in out
    launcher.unlink()
    _, err = found(folder, "find", "brave", code=2)
    assert "dlc_load.json cannot be read" in err
    assert "* mod/b_folder" in found(folder, "find", "brave", "--no-update")[0]


def test_what_is_understood_of_a_playset(launcher: Path) -> None:
    folder = launcher.parent
    out, _ = found(folder, "playset", launcher.name)
    assert out.splitlines() == [
        "  1  B",
        f"     mod in {folder / 'mod/b_folder'}",
        "  2  A",
        f"     mod in {folder / 'mod/a_folder'}",
        "     replaces common/traits",
    ]
    shown = fits("playset", found(folder, "playset", launcher.name, "--json")[0])
    assert [each["name"] for each in shown["sources"]] == ["B", "A"]
    launcher.write_text('{"enabled_mods": ["mod/a.mod", "mod/gone.mod"]}')
    out, _ = found(folder, "playset", launcher.name, code=1)
    assert out.splitlines()[-1] == "missing: mod/gone.mod does not exist"
    launcher.write_text('{"enabled_mods": ["mod/gone.mod"]}')
    for args in (["playset", launcher.name], ["run", "--playset", launcher.name]):
        out, err = found(folder, *args, code=2)
        assert "no mod of the playset" in err
        assert out == ""


@pytest.mark.parametrize(
    "args", [["run"], pytest.param(["find", "brave"], marks=pytest.mark.thorough)]
)
def test_what_is_wrong_with_a_playset_is_told(args: list[str], tmp_path: Path) -> None:
    mods = {"a": ["B"], "b": ["A"], "c": ["Gone"], "d": []}
    for name, needs in mods.items():
        title = "C" if name == "d" else name.upper()
        lines = [f'name="{title}"', f"dependencies={{ {' '.join(map(json.dumps, needs))} }}"]
        write(tmp_path / name, {"descriptor.mod": "\n".join(lines),
                                f"{TRAITS}/{name}.txt": "brave = { }"})  # fmt: skip
    write(tmp_path, {"broken/descriptor.mod": 'name="Broken"\n}\n', "list.txt":
                     "a\nb\nc\nd\nbroken\nnowhere\na/common\n./a\n"})  # fmt: skip
    write(tmp_path / "a", {f"{TRAITS}/A.txt": "shy = { }"})
    done = ck3parse(*args, "--playset", "list.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for sentence in (
        f"the playset's mod nowhere is left out: it is gone: {tmp_path / 'nowhere'}",
        f"two mods are named C: the one in {tmp_path / 'd'} is called C (d) here",
        "A needs B needs A: no order suits them all, that of the playset is kept",
        "C needs Gone, which is not in the playset",
        f"the descriptor {tmp_path / 'broken/descriptor.mod'} is broken (line 2: one }} too many",
        f"{tmp_path / 'a/common'} is inside of {tmp_path / 'a'}, which is in the playset, too",
        f"{tmp_path / 'a'} is in the playset twice",
        "common/traits/A.txt and common/traits/a.txt differ in upper and lower case only",
    ):
        assert done.stderr.count(sentence) == 1, (sentence, done.stderr)


@pytest.mark.thorough
def test_a_stray_file_among_mods_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, {f"mods/{mod}/{TRAITS}/t.txt": "brave = { }" for mod in "abcd"})
    write(tmp_path, {"mods/notes.txt": "brave = { }"})
    (warning,) = run_json(*sorted((tmp_path / "mods").iterdir()), cwd=tmp_path)["warnings"]
    assert f"{tmp_path / 'mods/a'} and 3 more are inside of {tmp_path / 'mods'}" in warning


# Other commands after a run


def test_commands_see_what_changed_since_the_run(tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    run_json(*parts, cwd=tmp_path)
    write(tmp_path, {f"mod_b/{TRAITS}/zz_grand.txt": "craven = { martial = 9 }\n"})
    out, err = found(tmp_path, "find", "craven")
    assert "* mod_b/common/traits/zz_grand.txt:1" in out
    assert "26 files, 1 read" in err

    write(tmp_path, {"mod_b/events/new.txt": "new.1 = { my_effect = yes }"})
    out, err = found(tmp_path, "uses", "my_effect")
    assert "mod_b/events/new.txt:1:11: new.1 = { my_effect = yes }" in out
    assert "27 files, 1 read" in err

    (tmp_path / f"mod_a/{TRAITS}/05_fair.txt").unlink()
    out, err = found(tmp_path, "conflicts", "--kind", "trait", code=1)
    assert "brave" not in out
    assert "craven  common/traits/zz_grand.txt:1 over common/traits/00_traits.txt:7" in out
    assert "26 files" in err

    write(tmp_path, {f"mod_b/{TRAITS}/zz_grand.txt": "craven = { martial = -2 }\n"})
    found(tmp_path, "diff", "craven")  # exit code 0: equal
    # Broken, the rest of the file counts, and mended it is as before.
    write(tmp_path, {f"mod_b/{TRAITS}/zz_grand.txt": "craven = { martial = 3 }\nbold = {\n"})
    out, err = found(tmp_path, "find", "craven")
    assert "* mod_b" in out
    assert "1 read, 1 with errors" in err


def test_a_folder_of_mods_is_looked_at_as_the_run_did(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    make_playset(tmp_path / "all")
    write(tmp_path, {"all/mod_b/events/test_event.txt": "t.1 = { }"})
    run_json("all", "--exclude", "test_*", cwd=tmp_path)
    before = rows(tmp_path, "SELECT count(*) FROM files")
    _, err = found(tmp_path, "find", "brave")
    assert "26 files, nothing changed" in err
    assert rows(tmp_path, "SELECT count(*) FROM files") == before
    _, err = found(tmp_path, "find", "t.1", "--include", "nothing", code=1)
    assert "26 files" in err


@pytest.mark.parametrize(
    ("sources", "in_order"),
    [
        (["game", "game/mods/inner"], ["game", "Inner"]),
        (["game/mods/inner", "game"], ["Inner", "game"]),
        (["game"], ["game", "Inner"]),
        (["game", "game/mods/inner/common"], ["game", "Inner"]),
    ],
    ids=["outer first", "inner first", "outer alone", "a part of the inner one"],
)
def test_commands_without_paths_where_sources_nest(
    sources: list[str], in_order: list[str], tmp_path: Path
) -> None:
    inner = "game/mods/inner"
    write(tmp_path, {f"game/{TRAITS}/a.txt": "brave = { x = yes }"})
    write(tmp_path, {f"{inner}/{TRAITS}/b.txt": "brave = { y = yes }"})
    write(tmp_path, {f"{inner}/descriptor.mod": 'name = "Inner"'})
    run_json(*sources, cwd=tmp_path)
    before = index_of(tmp_path)
    out, err = found(tmp_path, "find", "brave", "--json")
    assert "2 files, nothing changed" in err
    # The game reads by path in a mod, whichever mod it comes from.
    assert [(each["source"], each["wins"]) for each in json.loads(out)["definitions"]] == [
        ("game", False),
        ("Inner", True),
    ]
    out, err = found(tmp_path, "uses", "brave", "--json")
    assert "nothing changed" in err
    assert [each["source"] for each in json.loads(out)["uses"]] == in_order
    out, err = found(tmp_path, "conflicts", "--json", code=1)
    assert "nothing changed" in err
    (conflict,) = json.loads(out)["conflicts"]
    assert (conflict["winner"]["source"], conflict["loser"]["source"]) == ("Inner", "game")
    assert index_of(tmp_path) == before


def test_playsets_of_as_many_files_take_turns_in_one_store(tmp_path: Path) -> None:
    write(tmp_path, {f"a/{TRAITS}/a.txt": "brave = { x = yes }"})
    write(tmp_path, {f"b/{TRAITS}/b.txt": "calm = { y = yes }"})
    for _ in range(2):
        assert "brave (trait)" in found(tmp_path, "find", "brave", "a")[0]
        assert "calm (trait)" in found(tmp_path, "find", "calm", "b")[0]


@pytest.mark.thorough
def test_an_index_beside_trees_of_another_dialect_is_taken(tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    run_json(*parts, "--dialect", "ck3", cwd=tmp_path)
    _, err = found(tmp_path, "find", "brave")
    assert "26 files, nothing changed" in err
    assert rows(tmp_path, "SELECT DISTINCT dialect FROM files") == [("ck3",)]


@pytest.mark.thorough
def test_many_files_are_read_by_workers_of_ones_own(tmp_path: Path) -> None:
    write(tmp_path / "mod", {f"{TRAITS}/{n}.txt": f"t_{n} = {{ }}" for n in range(310)})
    out, err = found(tmp_path, "find", "t_309", "mod")
    assert "mod/common/traits/309.txt:1" in out
    assert "310 files, 310 read" in err


# Brokers of others


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("workers")
    env = {"CK3PARSE_PARSER": "native"}
    pytest.importorskip("ck3parse.parser._native", reason="the native parser is not built")
    with Server(folder) as server, Worker(server.url, folder, env=env) as worker:
        worker.wait_ready()
        yield server.url


@pytest.mark.parametrize("transport", ["content", pytest.param("path", marks=pytest.mark.thorough)])
def test_workers_of_others_make_the_same_index(url: str, transport: str, tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    args = ("--broker", url, "--transport", transport)
    report = run_json(*parts, *args, "--no-index", cwd=tmp_path)
    report = run_json(*parts, *args, cwd=tmp_path)
    assert (report["parsed"], report["warnings"]) == (2, [])
    here = index_of(tmp_path)
    (tmp_path / STORE).unlink()
    report = run_json(*parts, *args, cwd=tmp_path)
    assert (report["parsed"], report["warnings"]) == (26, [])
    assert index_of(tmp_path) == here
    (tmp_path / STORE).unlink()
    run_json(*parts, cwd=tmp_path)
    assert index_of(tmp_path) == here


@pytest.mark.thorough
def test_many_files_are_read_by_workers_of_others(url: str, tmp_path: Path) -> None:
    write(tmp_path / "mod", {f"{TRAITS}/{n}.txt": f"t_{n} = {{ }}" for n in range(310)})
    done = ck3parse("find", "t_309", "mod", cwd=tmp_path, env={"CK3PARSE_BROKER_URL": url})
    assert done.returncode == 0, done.stderr
    assert "310 files, 310 read" in done.stderr
    assert len(defined(tmp_path)) == 310


def test_an_older_worker_parses_what_it_cannot_index(tmp_path: Path) -> None:
    pytest.importorskip("ck3parse.parser._native", reason="the native parser is not built")
    write(tmp_path / "mod", {f"{TRAITS}/{n}.txt": f"t_{n} = {{ }}" for n in range(310)})
    write(tmp_path / "mod", {f"{TRAITS}/broken.txt": "broken = { x = }"})
    env = {"CK3PARSE_PARSER": "native"}
    with Server(tmp_path) as server:
        with Worker(server.url, tmp_path, "old", env, app="outdated").wait_ready():
            report = run_json("mod", "--broker", server.url, cwd=tmp_path, code=1)
            assert counts(report) == (310, 0, 1)
            (warning,) = report["warnings"]
            for words in ("does not have the extractor ck3/1", "restart the worker"):
                assert words in warning
            assert rows(tmp_path, "SELECT count(*) FROM asts WHERE parse_ok") == [(310,)]
            assert defined(tmp_path) == []
            report = run_json("mod", "--broker", server.url, cwd=tmp_path, code=1)
            assert counts(report) == (0, 310, 1)
            assert any("311 files could not be read for the index" in w for w in report["warnings"])
            url = {"CK3PARSE_BROKER_URL": server.url}
            done = ck3parse("find", "t_309", "mod", cwd=tmp_path, env=url)
            assert done.returncode == 1
            assert "does not have the extractor ck3/1" in done.stderr
        with Worker(server.url, tmp_path, "new", env).wait_ready():
            report = run_json("mod", "--broker", server.url, cwd=tmp_path, code=1)
            assert (counts(report), report["warnings"]) == ((0, 310, 1), [])
    assert len(defined(tmp_path)) == 311
