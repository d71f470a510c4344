"""Roots of mods, judged by what folders hold."""

from pathlib import Path

import pytest
from walking import make

from ck3parse.files.mod_root import ModRoots, mod_root


@pytest.mark.parametrize(
    ("files", "path", "top", "root"),
    [
        (["m/common/a.txt"], "m/common/a.txt", "m", "m"),
        (["m/common/a.txt"], "m/common/a.txt", ".", "m"),
        (["m/Common/a.txt"], "m/Common/a.txt", ".", "m"),
        # The names of folders in a mod repeat those at its root.
        (["m/localization/english/events/a.yml"], "m/localization/english/events/a.yml", ".", "m"),
        (["m/descriptor.mod", "m/x/a.txt"], "m/x/a.txt", ".", "m"),
        (["r/events/a.txt", "r/sub/descriptor.mod"], "r/sub/x/a.txt", "r", "r/sub"),
        # A part of a mod is given.
        (["m/common/a.txt", "m/events/b.txt"], "m/events/b.txt", "m/events", "m"),
        (["m/descriptor.mod", "m/events/b.txt"], "m/events/b.txt", "m/events", "m"),
        # The folders above what is given are named like those of the game.
        (["events/m/a.txt"], "events/m/a.txt", "events/m", "events/m"),
        (["events/m/history/a.txt"], "events/m/history/a.txt", "events/m", "events/m"),
        # An unsaved file of an editor.
        (["m/common/a.txt"], "m/events/new.txt", "m", "m"),
    ],
)
def test_root(tmp_path: Path, files: list[str], path: str, top: str, root: str) -> None:
    make(tmp_path, *files)
    assert mod_root(tmp_path / path, (tmp_path / top).resolve()) == tmp_path / root


def test_relative_paths_and_the_game(tmp_path: Path) -> None:
    make(tmp_path, "ck2/localisation/a.csv", "ck2/events/a.txt", "ck3/events/b.txt")
    make(tmp_path, "ck3/localization/x.yml")
    roots = ModRoots()
    top = str(tmp_path)
    assert roots.relative(f"{top}/ck2/events/a.txt", top) == "events/a.txt"
    assert roots.is_of_ck2(f"{top}/ck2")
    assert not roots.is_of_ck2(f"{top}/ck3")
