"""Files that are script by default, and the patterns that change it."""

from pathlib import Path

import pytest
from walking import found, make, skipped

from ck3parse.errors import UsageError
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


@pytest.mark.parametrize("folder", ["gfx", "GFX", "map_data", "fonts", "sub/mod/gfx", "gfx/x/y"])
def test_folders_that_hold_no_script(tmp_path: Path, folder: str) -> None:
    make(tmp_path, f"{folder}/a.txt", f"{folder}/b.dds", "gfx_events/a.txt")
    assert found(tmp_path) == ["gfx_events/a.txt"]
    assert set(skipped(tmp_path)) == {f"{folder}/a.txt"}


def test_hidden_folders_are_skipped_whole(tmp_path: Path) -> None:
    make(tmp_path, ".git/a.txt", "sub/.venv/lib/a.txt")
    assert skipped(tmp_path) == {".git/": "a hidden folder", "sub/.venv/": "a hidden folder"}


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
    make(tmp_path, "gfx/a.txt", "b.txt")
    given = [tmp_path, tmp_path / "b.txt", tmp_path / "gfx"]
    assert found(*given, include=["gfx/", "b.txt"], exclude=["gfx", "b.*"]) == []
    assert found(tmp_path / "b.txt", exclude=["b.txt"]) == []


def test_include_brings_in_other_kinds_of_files(tmp_path: Path) -> None:
    make(tmp_path, "gui/a.gui", "gfx/deep/b.gui", "gfx/c.txt", "d.txt", "e.dds")
    assert found(tmp_path, include=["*.gui"]) == ["d.txt", "gfx/deep/b.gui", "gui/a.gui"]
    assert set(skipped(tmp_path, include=["*.gui"])) == {"gfx/c.txt"}


@pytest.mark.parametrize("pattern", ["gfx", "gfx/", "/gfx/", "gfx/**", "**/gfx/"])
def test_include_of_a_folder_brings_back_the_script_in_it(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "gfx/sub/a.txt", "gfx/sub/a.dds", "gfx/b.txt", "gfx/readme.txt")
    assert found(tmp_path, include=[pattern]) == ["gfx/b.txt", "gfx/sub/a.txt"]


def test_include_of_a_part_of_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "gfx/portraits/x/a.txt", "gfx/b.txt", "gfx/c.txt", ".hidden/d.txt", ".git/e.txt")
    include = ["gfx/portraits/", "/gfx/c.txt", "d.txt", "e.txt"]
    assert found(tmp_path, include=include) == [
        ".hidden/d.txt",
        "gfx/c.txt",
        "gfx/portraits/x/a.txt",
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
        walk([str(tmp_path)], include=["gfx/", "!gfx/old/"])
