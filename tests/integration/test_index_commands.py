"""`find`, `uses`, `conflicts` and `diff`, asked about a playset that `run` indexed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ck3parse import Index
from ck3parse.errors import StoreError, UsageError
from ck3parse.index.answers import Conflict
from command import ck3parse
from index_playset import make_playset
from json_schemas import fits

STORE = "ck3parse.sqlite"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playset")
    parts = make_playset(folder)
    done = ck3parse("run", *(part.name for part in parts), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def index(place: Path) -> Iterator[Index]:
    with Index(place / STORE) as opened:
        yield opened


def answer(place: Path, *args: str, code: int = 0) -> str:
    done = ck3parse(*args, "--no-update", cwd=place)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def answer_json(place: Path, *args: str, code: int = 0) -> Any:
    return fits(args[0], answer(place, *args, "--json", code=code))


# Index


@pytest.mark.parametrize(
    ("name", "kind", "source", "file"),
    [
        ("brave", "trait", "Grand <Titles>", "common/traits/zz_grand.txt"),
        ("same", "trait", "Fair Play", "common/traits/05_fair.txt"),
        ("patient", "trait", "Fair Play", "common/traits/10_replaced.txt"),
        ("only_the_game_has_it", "trait", "game", "common/traits/00_traits.txt"),
        ("NGame|START_DATE", "define", "game", "common/defines/00_defines.txt"),
        ("NGame|MAX", "define", "Fair Play", "common/defines/99_fair.txt"),
        ("my_button", "gui_type", "game", "gui/window.gui"),
        ("my_template", "gui_template", "game", "gui/window.gui"),
        ("d_latium", "title", "Grand <Titles>", "common/landed_titles/zz_grand.txt"),
    ],
)
def test_who_wins(index: Index, name: str, kind: str, source: str, file: str) -> None:
    winner = index.winner(name, kind)
    assert winner
    assert (winner.source, winner.file) == (source, file)
    assert [each for each in index.definitions(name, kind) if each.wins] == [winner]


def test_lists_that_merge_all_count(index: Index) -> None:
    both = index.definitions("yearly", "on_action")
    assert [(each.source, each.wins, each.how) for each in both] == [
        ("Fair Play", True, "merge"),
        ("game", True, "merge"),
    ]
    (trigger,) = [each for each in index.definitions("yearly|trigger") if each.wins]
    assert trigger.source == "game"  # that is read last: `yearly.txt` comes after `fair.txt`


@pytest.mark.parametrize(
    ("name", "kind"), [("feast.1", "event"), ("100", "character"), ("asatru", "faith")]
)
def test_where_nobody_wins(index: Index, name: str, kind: str) -> None:
    found = index.definitions(name, kind)
    assert len(found) == 2
    if found[0].how in ("error", "file"):
        assert index.winner(name, kind) is None
    (conflict,) = [each for each in index.conflicts(kind=kind) if each.name == name]
    assert conflict.how == found[0].how
    assert conflict.decided is (index.winner(name, kind) is not None)


def test_definitions_in_files_that_are_not_read(index: Index) -> None:
    first, second = index.definitions("patient")
    assert (first.source, first.in_effect, first.wins) == ("Fair Play", True, True)
    assert (second.source, second.in_effect, second.wins) == ("game", False, False)
    (dropped,) = index.definitions("old_decision")
    assert not dropped.in_effect
    (kept,) = index.definitions("kept_decision")
    assert kept.in_effect


def test_spans_lead_to_the_definition(index: Index, place: Path) -> None:
    each = index.winner("brave", "trait")
    assert each
    data = Path(each.path).read_bytes()
    assert data[each.start : each.end] == b"brave = { icon = grand.dds martial = 3 }"
    assert Path(each.path) == place / "mod_b" / each.file
    assert each.line == 1


def test_names(index: Index) -> None:
    assert index.names("*_the_game*") == ["only_the_game_has_it", "twice_in_the_game"]
    assert index.names("NGame|*") == ["NGame|MAX", "NGame|START_DATE"]
    assert index.names("br?ve", "trait") == ["brave"]
    assert index.names("br?ve", "title") == []
    assert index.names("*", limit=2) == sorted(index.names("*"))[:2]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("brav", "brave"),
        ("Brave", "brave"),
        ("carven", "craven"),
        ("only_game_has_it", "only_the_game_has_it"),
        ("my_efect", "my_effect"),
        ("feast.11", "feast.1"),
    ],
)
def test_similar_names(index: Index, typed: str, meant: str) -> None:
    assert meant in index.similar(typed)


@pytest.mark.parametrize("typed", ["", "%", "x" * 10_000, "é☃", "'", '"', "zzzzzzzz"])
def test_odd_names(index: Index, typed: str) -> None:
    assert index.definitions(typed) == []
    assert index.names(typed) == []
    index.similar(typed)


def pairs(conflicts: list[Conflict]) -> list[tuple[str, str, str, str, bool]]:
    return [
        (each.name, each.kind, each.winner.source, each.loser.source, each.equal)
        for each in conflicts
    ]


def test_conflicts(index: Index) -> None:
    found = index.conflicts()
    brave = [each for each in found if each.name == "brave"]
    assert pairs(brave) == [
        ("brave", "trait", "Grand <Titles>", "Fair Play", False),
        ("brave", "trait", "Grand <Titles>", "game", False),
    ]
    assert [str(each.loser) for each in brave] == [
        "Fair Play: common/traits/05_fair.txt:3",
        "game: common/traits/00_traits.txt:2",
    ]
    names = {each.name for each in found}
    assert "yearly" not in names  # the lists merge
    assert "k_italy" not in {each.name for each in found if each.kind != "title"}
    assert "twice_in_the_game" not in names
    assert "only_the_game_has_it" not in names
    assert ("same", "trait", "Fair Play", "game", True) in pairs(found)


def test_replaced_files(index: Index) -> None:
    files = index.conflicts(kind="file")
    assert pairs(files) == [
        ("common/decisions/dropped.txt", "file", "Fair Play", "game", False),
        ("common/traits/10_replaced.txt", "file", "Fair Play", "game", False),
        ("common/traits/20_equal.txt", "file", "Fair Play", "game", True),
    ]
    assert [each.rule for each in files] == ["replace_path", "same path", "same path"]


def test_all_conflicts(index: Index) -> None:
    names = {each.name for each in index.conflicts(all=True)}
    assert {"yearly", "twice_in_the_game", "brave"} <= names


def test_conflicts_of_one_mod_and_kind(index: Index) -> None:
    found = index.conflicts("grand <titles>", "trait")
    assert pairs(found) == pairs([each for each in index.conflicts() if each.name == "brave"])
    with pytest.raises(UsageError, match="has no mod 'Grand': it has 'game', 'Fair Play'"):
        index.conflicts("Grand")
    with pytest.raises(UsageError, match="kind 'trat': did you mean trait"):
        index.conflicts(kind="trat")


def test_uses(index: Index) -> None:
    found = [(each.file, each.line, each.role, each.definition) for each in index.uses("my_effect")]
    assert found == [
        ("common/scripted_effects/00_effects.txt", 1, "key", True),
        ("events/feast.txt", 3, "key", False),
        ("events/fair.txt", 4, "key", False),
    ]
    (part,) = [each for each in index.uses("norse") if each.role == "part"]
    assert (part.file, part.text) == (
        "history/characters/00_norse.txt",
        "100 = { name = Ragnar culture = culture:norse }",
    )
    data = Path(part.path).read_bytes()
    assert data[part.start : part.end] == b"norse"
    assert index.uses("nothing_uses_this") == []


def test_a_file_that_is_gone_is_no_use(tmp_path: Path) -> None:
    (tmp_path / "mod" / "common" / "traits").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "mod" / "common" / "traits" / f"{name}.txt").write_text(f"{name} = {{ x = y }}")
    assert ck3parse("run", "mod", cwd=tmp_path).returncode == 0
    (tmp_path / "mod" / "common" / "traits" / "a.txt").unlink()
    with Index(tmp_path / STORE) as index:
        assert [each.file for each in index.uses("x")] == ["common/traits/b.txt"]


def test_a_store_that_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no store .*: make one with `ck3parse run "):
        Index(tmp_path / "none.sqlite")
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        Index(other)


# Commands


def test_find(place: Path) -> None:
    assert answer(place, "find", "brave").splitlines() == [
        "brave (trait): the one read last wins (rule common/traits, certainty high)",
        "    game/common/traits/00_traits.txt:2  game",
        "    mod_a/common/traits/05_fair.txt:3   Fair Play",
        "  * mod_b/common/traits/zz_grand.txt:1  Grand <Titles>",
    ]
    assert answer(place, "find", "patient").splitlines() == [
        "patient (trait)",
        "  * mod_a/common/traits/10_replaced.txt:1  Fair Play",
        "    game/common/traits/10_replaced.txt:1   game  (not read: its file is replaced)",
    ]


def test_find_as_json(place: Path) -> None:
    found = answer_json(place, "find", "brave")
    assert found["name"] == "brave"
    assert [each["source"] for each in found["definitions"] if each["wins"]] == ["Grand <Titles>"]
    found = answer_json(place, "find", "brav", code=1)
    assert found["definitions"] == []
    assert "brave" in found["similar"]


def test_find_a_pattern(place: Path) -> None:
    shown = answer(place, "find", "*rave*", "--kind", "trait")
    assert [line for line in shown.splitlines() if line[0] != " "] == [
        "brave (trait): the one read last wins (rule common/traits, certainty high)",
        "craven (trait)",
    ]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["find", "brav"], "nothing defines 'brav' in this playset: did you mean brave"),
        (["find", "zzz*"], "no name matches 'zzz*' in this playset"),
        (["find", "brave", "--kind", "event"], "'brave' is no event, but trait"),
        (["uses", "my_efect"], "nothing uses 'my_efect' in this playset: did you mean my_effect"),
    ],
)
def test_what_is_not_found(place: Path, args: list[str], sentence: str) -> None:
    done = ck3parse(*args, "--no-update", cwd=place)
    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr


def test_uses_as_text(place: Path) -> None:
    effect, event = (
        "game/common/scripted_effects/00_effects.txt:1:1: my_effect = { add_gold = 10 }",
        "game/events/feast.txt:3:27: feast.1 = { immediate = { my_effect = yes } option = {",
    )
    lines = answer(place, "uses", "my_effect").splitlines()
    assert lines[0] == f"{effect}  [definition]"
    assert lines[1].startswith(event)
    assert lines[2:] == [
        "mod_a/events/fair.txt:4:27: feast.2 = { immediate = { my_effect = yes } }",
    ]
    shown = answer(place, "uses", "my_effect", "--no-definitions")
    assert len(shown.splitlines()) == 2


def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "mod/events").mkdir(parents=True)
    (tmp_path / "mod/events/a.txt").write_bytes(b"\xef\xbb\xbfa = { b = 1 }\n")
    done = ck3parse("uses", "a", "mod", cwd=tmp_path)
    place = str(Path("mod", "events", "a.txt"))
    assert done.stdout == f"{place}:1:1: a = {{ b = 1 }}  [definition]\n"


def test_uses_as_json(place: Path) -> None:
    (definition, *uses) = answer_json(place, "uses", "my_effect")["uses"]
    assert definition["definition"]
    assert [(each["line"], each["column"], each["role"]) for each in uses] == [
        (3, 27, "key"),
        (4, 27, "key"),
    ]


def test_conflicts_as_text(place: Path) -> None:
    done = ck3parse("conflicts", "--kind", "trait", "--no-update", cwd=place)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "Grand <Titles> over Fair Play (1)",
        "  trait: the one read last wins (rule common/traits, certainty high)",
        "    brave  common/traits/zz_grand.txt:1 over common/traits/05_fair.txt:3",
        "",
        "Grand <Titles> over game (1)",
        "  trait: the one read last wins (rule common/traits, certainty high)",
        "    brave  common/traits/zz_grand.txt:1 over common/traits/00_traits.txt:2",
        "",
    ]
    assert "2 conflicts: 2 overridden; 1 with equal contents" in done.stderr


def test_two_of_one_priority_are_counted_as_an_error(place: Path) -> None:
    done = ck3parse("conflicts", "--kind", "event", "--no-update", cwd=place)
    assert done.returncode == 1
    assert "feast.1  events/feast.txt:3 and events/fair.txt:3" in done.stdout
    assert "1 conflict: 1 an error" in done.stderr
    log = json.loads(answer(place, "conflicts", "--kind", "event", "--sarif", code=1))
    (result,) = log["runs"][0]["results"]
    assert result["level"] == "warning"


def test_no_conflicts(place: Path) -> None:
    done = ck3parse("conflicts", "--kind", "scripted_effect", "--no-update", cwd=place)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no conflicts" in done.stderr


def test_conflicts_as_json(place: Path) -> None:
    found = answer_json(place, "conflicts", code=1)
    assert found["equal"] == 4  # `same`, the file with `calm`, `c_roma`, `d_latium`
    assert all(not each["equal"] for each in found["conflicts"])
    brave = next(each for each in found["conflicts"] if each["name"] == "brave")
    assert brave["winner"]["file"] == "common/traits/zz_grand.txt"
    assert found["broker_url"] is None
    everything = answer_json(place, "conflicts", "--all", code=1)
    assert len(everything["conflicts"]) > len(found["conflicts"])


def test_conflicts_as_sarif(place: Path) -> None:
    log = json.loads(answer(place, "conflicts", "--sarif", code=1))
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert "common/traits" in rules
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("note", "warning")
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    brave = next(each for each in run["results"] if "trait brave" in each["message"]["text"])
    place_of_it = brave["locations"][0]["physicalLocation"]
    assert place_of_it["artifactLocation"]["uri"] == "mod_b/common/traits/zz_grand.txt"
    assert place_of_it["region"] == {"startLine": 1}
    related = brave["relatedLocations"][0]["physicalLocation"]
    assert related["artifactLocation"]["uri"] == "mod_a/common/traits/05_fair.txt"


def test_conflicts_as_a_page(place: Path) -> None:
    done = ck3parse("conflicts", "--html", "report.html", "--no-update", cwd=place)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "written to report.html" in done.stderr
    page = (place / "report.html").read_text("utf-8")
    assert "Conflicts of 3 mods" in page
    assert "Grand \\u003cTitles\\u003e" in page
    assert "Grand <Titles>" not in page
    done = ck3parse("conflicts", "--html", "none/report.html", "--no-update", cwd=place)
    assert done.returncode == 4
    assert "none/report.html cannot be written: No such file or directory" in done.stderr


def entry(name: str, database: str, file: str, line: int) -> str:
    return (
        f"[17:03:11][D][pdx.h:1]: Overriding entry '{name}' for database '{database}' in 'file:"
        f" {file} line: {line}'\n"
    )


def test_the_log_of_the_game(place: Path, index: Index) -> None:
    log = place / "database_conflicts.log"
    winners = {
        (each.name, each.kind): each.winner
        for each in index.conflicts(all=True)
        if each.decided and each.kind != "file"
    }
    log.write_text(
        "".join(
            entry(name, winner.file.rpartition("/")[0], winner.file, winner.line)
            for (name, _), winner in winners.items()
        )
    )
    done = ck3parse("conflicts", "--log", log.name, "--no-update", cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(winners)} agree with the game's log, 0 differ" in done.stderr
    assert "common/traits: 3 agrees" in done.stdout
    log.write_text(
        log.read_text() + entry("brave", "common/traits", "common/traits/05_fair.txt", 3)
    )
    compared = answer_json(place, "conflicts", "--log", log.name, code=1)
    assert compared["differences"] == [
        {
            "verdict": "other place",
            "rule": "common/traits",
            "name": "brave",
            "in_log": ["common/traits/05_fair.txt", 3],
            "in_index": ["common/traits/zz_grand.txt", 1],
        }
    ]
    log.write_text("just text\n")
    done = ck3parse("conflicts", "--log", log.name, "--no-update", cwd=place)
    assert done.returncode == 2
    assert "is not a log of the game" in done.stderr


def test_diff(place: Path) -> None:
    done = ck3parse(
        "diff", "brave", "--mod", "game", "--mod", "fair play", "--no-update", cwd=place
    )
    assert done.returncode == 1
    lines = [line.split() for line in done.stdout.splitlines()]
    assert "game: game/common/traits/00_traits.txt" in done.stdout
    assert lines[3][:7] == ["4", "opposites", "=", "{", "craven", "}", "|"]
    assert lines[4] == ["5", "martial", "=", "2", "|", "6", "martial", "=", "3"]
    assert "2 changes" in done.stderr


def test_diff_of_the_winner(place: Path) -> None:
    found = answer_json(place, "diff", "brave", code=1)
    assert (found["left"]["source"], found["right"]["source"]) == ("Fair Play", "Grand <Titles>")
    assert [(each["change"], each["path"]) for each in found["changes"]] == [
        ("changed", ["brave", "icon"]),
        ("removed", ["brave", "opposites"]),
    ]
    found = answer_json(place, "diff", "brave", "--mod", "game", code=1)
    assert (found["left"]["source"], found["right"]["source"]) == ("game", "Grand <Titles>")


def test_diff_of_equal_definitions(place: Path) -> None:
    assert answer_json(place, "diff", "same")["equal"] is True
    done = ck3parse("diff", "same", "--no-update", cwd=place)
    assert done.returncode == 0
    assert "they are equal" in done.stderr


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["only_the_game_has_it"], "only_the_game_has_it is defined once, at game/common/"),
        (["brav"], "nothing defines 'brav' in this playset: did you mean brave"),
        (["brave", "--mod", "x"], "the mod 'x' does not define brave: 'Fair Play', 'game' do"),
        (["brave", *["--mod", "game"] * 3], "--mod can be given twice"),
    ],
)
def test_nothing_to_compare(place: Path, args: list[str], sentence: str) -> None:
    done = ck3parse("diff", *args, "--no-update", cwd=place)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_command_brings_the_index_up_to_date(tmp_path: Path) -> None:
    parts = [part.name for part in make_playset(tmp_path)]
    done = ck3parse("find", "brave", *parts, cwd=tmp_path)  # no run before it
    assert done.returncode == 0, done.stderr
    assert "* mod_b/common/traits/zz_grand.txt:1" in done.stdout
    (tmp_path / "mod_b/common/traits/zz_grand.txt").write_text("# nothing\n\nbold = { a = b }\n")
    done = ck3parse("find", "brave", cwd=tmp_path)  # the same playset
    assert "* mod_a/common/traits/05_fair.txt:3" in done.stdout
    assert "zz_grand" not in done.stdout
    done = ck3parse("find", "bold", "--no-update", cwd=tmp_path)
    assert "mod_b/common/traits/zz_grand.txt:3" in done.stdout
    done = ck3parse("conflicts", "mod_b", "game", "--mod", "game", cwd=tmp_path)
    assert "Fair Play" not in done.stdout  # another playset


def test_no_playset_is_known(tmp_path: Path) -> None:
    done = ck3parse("find", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "give the folders of the playset" in done.stderr
    assert not (tmp_path / STORE).exists()


def test_conflicts_are_those_of_the_files_as_they_are(tmp_path: Path) -> None:
    """The question is asked while the files are looked at, and again if one has changed."""
    parts = make_playset(tmp_path)
    folders = [part.name for part in parts]
    assert ck3parse("run", *folders, cwd=tmp_path).returncode == 0

    def names() -> tuple[list[str], str]:
        done = ck3parse("conflicts", *folders, "--kind", "trait", "--json", cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        return [each["name"] for each in json.loads(done.stdout)["conflicts"]], done.stderr

    unchanged, said = names()
    assert "nothing changed" in said
    assert unchanged == ["brave", "brave"]
    (new,) = [part for part in parts if (part / "common/traits/zz_grand.txt").exists()]
    new.joinpath("common/traits/zzz_new.txt").write_text("craven = { fresh = yes }\n")
    changed, said = names()
    assert "1 read" in said
    assert sorted(set(changed)) == ["brave", "craven"]
    unknown = ck3parse("conflicts", *folders, "--kind", "trayt", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "trayt" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_an_index_notices_that_others_change_the_store(tmp_path: Path) -> None:
    parts = make_playset(tmp_path)
    store = tmp_path / STORE
    assert ck3parse("run", parts[0].name, cwd=tmp_path).returncode == 0
    with Index(store) as opened:
        before = opened.changes()
        assert opened.changes() == before
        assert ck3parse("run", parts[1].name, cwd=tmp_path).returncode == 0
        assert opened.changes() != before
