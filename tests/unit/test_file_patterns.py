"""Files that are script by default, and the patterns that change it."""

from pathlib import Path

import pytest
from walking import found, make, skipped

from ck3parse.errors import UsageError
from ck3parse.files.patterns import NOT_OF_THE_GAME
from ck3parse.files.walk import walk

# What is skipped by default


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE.txt", "licence.txt", "license-mit.txt", "Font License.txt", "copying.txt",
        "readme.txt", "README_de.txt", "_readme.txt", "Read Me.txt", "changelog.txt",
        "CHANGELOG-1.2.txt", "change_log.txt", "changes.txt", "credits.txt",
        "checksum_manifest.txt", "._traits.txt", ".hidden.txt",
    ],
)  # fmt: skip
def test_what_is_never_script_by_its_name(tmp_path: Path, name: str) -> None:
    make(tmp_path, name, f"common/{name}", "common/traits.txt")
    assert found(tmp_path) == ["common/traits.txt"]
    reasons = skipped(tmp_path)
    assert set(reasons) == {name, f"common/{name}"}
    assert all(reasons.values())


@pytest.mark.parametrize(
    "name",
    [
        "change_government.txt", "changes_of_faith.txt", "exchange.txt", "licensed_to_kill.txt",
        "00_copying_traits.txt", "copying_events.txt", "my_credits.txt", "readmen.txt",
        "unlicense_me.txt",
    ],
)  # fmt: skip
def test_script_whose_name_is_only_alike(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    assert found(tmp_path) == [name]


@pytest.mark.parametrize("folder", ["fonts", "FONTS", "sub/mod/fonts", "fonts/x/y"])
def test_folders_that_hold_no_script(tmp_path: Path, folder: str) -> None:
    make(tmp_path, f"{folder}/a.txt", f"{folder}/b.dds", "fonts_events/a.txt")
    assert found(tmp_path) == ["fonts_events/a.txt"]
    assert set(skipped(tmp_path)) == {f"{folder}/a.txt"}


def test_hidden_folders_are_skipped_whole(tmp_path: Path) -> None:
    make(tmp_path, ".git/a.txt", "sub/.venv/lib/a.txt")
    assert skipped(tmp_path) == {".git/": "a hidden folder", "sub/.venv/": "a hidden folder"}


def test_script_in_the_folders_of_graphics_and_of_the_map(tmp_path: Path) -> None:
    names = [
        "common/a.txt",
        "gfx/court_scene/a.txt",
        "gfx/portraits/portrait_modifiers/notes.txt",
        "map_data/climate.txt",
        "map_data/geographical_regions/a.txt",
    ]
    make(tmp_path, *names, "gfx/readme.txt", "map_data/definition.csv")
    assert found(tmp_path) == names


def test_in_a_mod_only_folders_of_the_game_hold_script(tmp_path: Path) -> None:
    make(tmp_path, "descriptor.mod", "ideas.txt", "tools/a.txt", "Events/a.txt", "0_DEV/x/b.txt")
    assert found(tmp_path) == ["Events/a.txt"]
    assert skipped(tmp_path) == dict.fromkeys(
        ["ideas.txt", "0_DEV/x/b.txt", "tools/a.txt"], NOT_OF_THE_GAME
    )
    assert found(tmp_path, include=["tools/"]) == ["Events/a.txt", "tools/a.txt"]
    assert found(tmp_path / "tools", tmp_path / "ideas.txt") == ["ideas.txt", "a.txt"]


def test_mods_in_a_folder_beside_notes(tmp_path: Path) -> None:
    make(tmp_path, "m1/common/a.txt", "m1/plan.txt", "m2/events/b.txt", "m2/sub/common/c.txt")
    make(tmp_path, "notes.txt", "TO_DO list.txt", "images/feast_prompt.txt", "b.txt")
    assert found(tmp_path) == [
        "b.txt",
        "m1/common/a.txt",
        "m2/events/b.txt",
        "m2/sub/common/c.txt",
    ]


def test_folders_that_are_no_mod_hold_script_anywhere(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "tools/b.txt", "gfx/c.txt")
    assert found(tmp_path) == ["a.txt", "gfx/c.txt", "tools/b.txt"]


# Patterns


def test_exclude_skips_files_and_whole_folders(tmp_path: Path) -> None:
    make(tmp_path, "old/a.txt", "events/old_b.txt", "events/c.txt", "pic.dds", "other.dds")
    exclude = ["old/", "old_*", "/pic.dds"]
    assert found(tmp_path, exclude=exclude) == ["events/c.txt"]
    assert skipped(tmp_path, exclude=exclude) == dict.fromkeys(
        ["old/", "events/old_b.txt", "pic.dds"], "excluded"
    )


def test_the_last_exclude_pattern_that_matches_counts(tmp_path: Path) -> None:
    make(tmp_path, "events/a.txt", "events/b.txt")
    assert found(tmp_path, exclude=["events/*", "!b.txt"]) == ["events/b.txt"]


def test_exclude_stands_above_include_and_above_what_is_given(tmp_path: Path) -> None:
    make(tmp_path, "fonts/a.txt", "b.txt")
    given = [tmp_path, tmp_path / "b.txt", tmp_path / "fonts"]
    assert found(*given, include=["fonts/", "b.txt"], exclude=["fonts", "b.*"]) == []
    assert found(tmp_path / "b.txt", exclude=["b.txt"]) == []


def test_include_brings_in_other_kinds_of_files(tmp_path: Path) -> None:
    make(tmp_path, "gui/a.gui", "fonts/deep/b.gui", "fonts/c.txt", "d.txt", "e.dds")
    assert found(tmp_path, include=["*.gui"]) == ["d.txt", "fonts/deep/b.gui", "gui/a.gui"]
    assert set(skipped(tmp_path, include=["*.gui"])) == {"fonts/c.txt"}


@pytest.mark.parametrize("pattern", ["fonts", "fonts/", "/fonts/", "fonts/**", "**/fonts/"])
def test_include_of_a_folder_brings_back_the_script_in_it(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "fonts/sub/a.txt", "fonts/sub/a.dds", "fonts/b.txt", "fonts/readme.txt")
    assert found(tmp_path, include=[pattern]) == ["fonts/b.txt", "fonts/sub/a.txt"]


def test_include_of_a_part_of_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "fonts/sub/x/a.txt", "fonts/b.txt", "fonts/c.txt", ".hidden/d.txt", ".git/e.txt")
    include = ["fonts/sub/", "/fonts/c.txt", "d.txt", "e.txt"]
    assert found(tmp_path, include=include) == [
        ".hidden/d.txt",
        "fonts/c.txt",
        "fonts/sub/x/a.txt",
    ]


def test_include_brings_back_a_read_me(tmp_path: Path) -> None:
    make(tmp_path, "a/readme.txt", "readme.txt")
    assert found(tmp_path, include=["/a/readme.txt"]) == ["a/readme.txt"]


@pytest.mark.parametrize("pattern", ["", "   ", "# a comment", "/", "[z", "end\\", "!"])
def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="--exclude"):
        walk([str(tmp_path)], exclude=["a.txt", pattern])
    with pytest.raises(UsageError, match="--include"):
        walk([str(tmp_path)], include=["a.txt", pattern])


def test_an_include_pattern_cannot_take_anything_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--exclude"):
        walk([str(tmp_path)], include=["fonts/", "!fonts/old/"])
