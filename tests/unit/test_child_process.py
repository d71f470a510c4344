"""The command of a child process that has this process's search path."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ck3parse.child_process import command_for

TOLD = """\
import json, sys
def main():
    print(json.dumps([sys.argv[1:3], sys.path]))
"""


def told(*arguments: str, cwd: Path) -> list[list[str]]:
    """Return the arguments and the search path that a child process has."""
    done = subprocess.run(
        command_for("pack.told.main", *arguments), cwd=cwd, stdout=subprocess.PIPE, check=True
    )
    lists: list[list[str]] = json.loads(done.stdout)
    return lists


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that only this process searches for modules, and `""` in its search path."""
    folder = tmp_path / "it's a mod's tools ü; %TEMP% $HOME"
    (folder / "pack").mkdir(parents=True)
    (folder / "pack" / "told.py").write_text(TOLD, encoding="utf-8")
    (folder / "json.py").write_text("raise SystemExit(1)", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(folder), "", *sys.path])
    return folder


def test_it_searches_what_this_process_searches_after_its_own(
    modules: Path, tmp_path: Path
) -> None:
    arguments, path = told("a b", 'it"s', cwd=tmp_path)
    assert arguments == ["a b", 'it"s']
    assert set(filter(None, sys.path)) <= set(path)
    assert path.index(str(modules)) > path.index(str(Path(json.__file__).parents[1]))


@pytest.mark.usefixtures("modules")
def test_the_current_folder_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "told.py").write_text("raise SystemExit(1)", encoding="utf-8")
    _, path = told(cwd=tmp_path)
    assert "" not in path
    assert str(tmp_path) not in path
