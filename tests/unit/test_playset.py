"""Reading playsets and descriptors."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ck3parse.errors import UsageError
from ck3parse.index.playset import playset_of, read_playset
from ck3parse.index.selection import Selection, are_inside


def make(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


def names(sources: object) -> list[str]:
    assert isinstance(sources, list)
    return [source.name for source in sources]


def test_the_launchers_file_names_mods_by_their_descriptors(tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            "dlc_load.json": '{"enabled_mods": ["mod/b.mod", "mod/ugc_5.mod", "mod/gone.mod", '
            '"mod/lost.mod", "mod/packed.mod"], "disabled_dlcs": []}',
            "mod/b.mod": f'name="B"\npath="{(tmp_path / "elsewhere").as_posix()}"',
            "elsewhere/common/traits/t.txt": "",
            "mod/ugc_5.mod": 'name="From outside"\npath="mod/five"\nreplace_path="common/x"',
            "mod/five/descriptor.mod": (
                '\ufeffversion="1"\nname="Five"\nreplace_path="Common\\\\Traits/"\n'
                'replace_path="events"\ndependencies={ "B" }'
            ),
            "mod/lost.mod": 'name="Lost"\npath="mod/lost"',
            "mod/packed.mod": 'name="Packed"\npath="mod/packed.zip"',
            "mod/packed.zip": "",
        },
    )
    playset = read_playset(tmp_path / "dlc_load.json")
    assert names(playset.sources) == ["B", "Five"]
    b, five = playset.sources
    assert (b.path, b.kind) == (str(tmp_path / "elsewhere"), "mod")
    assert five.path == str(tmp_path / "mod" / "five")
    assert five.replace_paths == ("common/traits", "events")
    assert five.dependencies == ("B",)
    assert [(each.name, each.reason) for each in playset.missing] == [
        ("mod/gone.mod", "does not exist"),
        ("Lost", f"is gone: {tmp_path / 'mod' / 'lost'}"),
        ("Packed", f"is packed, unpack it: {tmp_path / 'mod' / 'packed.zip'}"),
    ]
    assert playset.warnings == []


def test_an_exported_playset_is_found_by_number_or_name(tmp_path: Path) -> None:
    mods = [
        {"displayName": "Two", "steamId": "22", "enabled": True, "position": 2},
        {"displayName": "One", "enabled": True, "position": 1},
        {"displayName": "Off", "enabled": False, "position": 3},
        {"displayName": "Away", "steamId": "9", "enabled": True, "position": 10},
        {"displayName": "Three", "steamId": "33", "enabled": True, "position": 9},
    ]
    make(
        tmp_path,
        {
            "playset.json": json.dumps({"game": "ck3", "name": "mine", "mods": mods}),
            "workshop/22/descriptor.mod": 'name="Renamed"',
            "workshop/x/descriptor.mod": 'name="One"',
            "documents/mod/three.mod": 'name="3"\nremote_file_id="33"\npath="mod/three"',
            "documents/mod/three/common/a.txt": "",
            "workshop/broken/descriptor.mod": "name = {",
        },
    )
    places = [tmp_path / "workshop", tmp_path / "documents" / "mod"]
    playset = read_playset(tmp_path / "playset.json", mods=places)
    assert names(playset.sources) == ["One", "Renamed", "3"]
    assert names(playset.missing) == ["Away"]
    assert "--mods" in playset.missing[0].reason


def test_a_list_of_folders(tmp_path: Path) -> None:
    make(tmp_path, {"list.txt": "# mine\n\ngame\n  b  # the second\n/nowhere/c\n", "b/x.txt": ""})
    make(tmp_path, {"game/common/a.txt": "", "first/a.txt": ""})
    playset = read_playset(tmp_path / "list.txt", before=[tmp_path / "first"])
    assert names(playset.sources) == ["first", "game", "b"]
    assert [source.kind for source in playset.sources] == ["folder", "game", "folder"]
    assert [(each.name, each.reason) for each in playset.missing] == [
        ("/nowhere/c", f"is gone: {Path('/nowhere/c')}")
    ]


def mod(name: str, *needs: str) -> str:
    return f'name="{name}"\ndependencies={{ {" ".join(json.dumps(each) for each in needs)} }}'


def test_what_is_probably_a_mistake_is_told(tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            "a/descriptor.mod": mod("A", "B"),
            "b/descriptor.mod": mod("B", "C"),
            "c/descriptor.mod": mod("C", "A"),
            "d/descriptor.mod": mod("D", "E", "F"),
            "e/descriptor.mod": mod("E"),
            "e2/descriptor.mod": mod("E"),
            "broken/descriptor.mod": "name = {",
        },
    )
    folders = ["a", "b", "c", "d", "e", "e2", "broken", "a"]
    (tmp_path / "list.txt").write_text("\n".join([*folders, "./a/"]))
    for playset in (
        read_playset(tmp_path / "list.txt"),
        playset_of([*(tmp_path / folder for folder in folders)]),
    ):
        assert names(playset.sources) == ["A", "B", "C", "D", "E", "E (e2)", "broken"]
        text = "\n".join(playset.warnings)
        assert "A needs B needs C needs A: no order suits them all" in text
        assert f"two mods are named E: the one in {tmp_path / 'e2'} is called E (e2) here" in text
        assert "D needs E, which is loaded after it: swap the two" in text
        assert "D needs F, which is not in the playset" in text
        assert "A needs B, which" not in text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.json", None, "cannot be read: No such file"),
        ("p.json", "{", "is broken JSON"),
        ("p.json", "[1]", "is JSON, but no playset"),
        ("p.json", '{"mods": 5}', "is JSON, but no playset"),
        ("p.json", '{"mods": []}', "names no mod"),
        ("p.json", '{"enabled_mods": []}', "names no mod"),
        ("p.json", '{"enabled_mods": [5]}', "has 5 in place of a path"),
        ("p.json", '{"enabled_mods": ["a.mod", "b.mod"]}', "no mod of .* is there: a.mod does not"),
        ("p.json", '{"mods": [{"displayName": "A"}]}', "A is not in "),
        ("p.txt", "# nothing\n", "names no mod"),
        ("p.txt", "gone\n", "no mod of .* is there: gone is gone"),
        ("p.txt", "\udcff", "is not UTF-8 text"),
    ],
)
def test_bad_playsets(tmp_path: Path, name: str, content: str | None, sentence: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content, "utf-8", errors="surrogateescape")
    with pytest.raises(UsageError, match=sentence):
        read_playset(path)


def test_a_folder_is_no_playset(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder: give its path without --playset"):
        read_playset(tmp_path)


def test_what_is_inside_of_another_is_told_once(tmp_path: Path) -> None:
    make(tmp_path, {"mods/notes.txt": "", **{f"mods/{name}/common/a.txt": "" for name in "abc"}})
    (warning,) = playset_of(sorted((tmp_path / "mods").iterdir())).warnings
    assert f"{tmp_path / 'mods' / 'a'} and 2 more are inside of {tmp_path / 'mods'}" in warning
    (warning,) = playset_of([tmp_path / "mods", tmp_path / "mods" / "b"]).warnings
    assert f"{tmp_path / 'mods' / 'b'} is inside of" in warning


@pytest.mark.parametrize(
    ("text", "name", "replaced", "fault"),
    [
        ('name="A"\n}\nreplace_path="events"', "A", ("events",), "line 2: one } too many"),
        ('name="A\nreplace_path="events"', "A", ("events",), 'line 1: this " opens a string'),
        ('replace_path="events"\nname = {', "mod", ("events",), "line 2: expected a }"),
    ],
)
def test_a_broken_descriptor_is_told(
    text: str, name: str, replaced: tuple[str, ...], fault: str, tmp_path: Path
) -> None:
    make(tmp_path, {"mod/descriptor.mod": text})
    playset = playset_of([tmp_path / "mod"])
    (source,) = playset.sources
    assert source.kind == "mod"
    assert source.replace_paths == replaced
    assert source.name == name
    (warning,) = playset.warnings
    assert f"descriptor.mod is broken ({fault}" in warning
    assert warning.endswith("what is sound in it counts")


@pytest.mark.parametrize(
    ("paths", "inside"),
    [
        (["/p/game/common"], True),
        (["/p/game/common/a.txt", "/p/mod/x"], True),
        (["/p/game"], False),
        (["/p/game/common", "/p/mod"], False),
        (["/p"], False),
        (["/p/games/x"], False),
    ],
)
def test_parts_of_folders(paths: list[str], inside: bool) -> None:
    given = [str(Path(path)) for path in paths]
    assert are_inside(given, [str(Path("/p/game")), str(Path("/p/mod"))]) is inside


def test_a_selection_is_read_as_it_was_written() -> None:
    selection = Selection.given(["a"], Path("p.json"), ["m"], exclude=["x"], dialect="ck3")
    assert Selection.of_json(selection.json()) == selection
    assert Path(selection.paths[0]).is_absolute()
    assert Path(selection.playset_file).is_absolute()
    for text in ("", "[]", "{", '{"paths": 5}'):
        assert Selection.of_json(text) is None
