"""`ck3parse check --watch`, with real files and a real process."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import ck3parse
from polling import wait_until
from watching import DEADLINE_S, Watching

BOM = "\ufeff"
SOUND = BOM + "a = {\n\tb = 1\n}\n"
BROKEN = BOM + "a = {\n\tb =\n}\n"
ERROR = "CK3-E006 expected a value after `b` and its operator, found none"


def checking(mod: Path, *args: str) -> Watching:
    return Watching(
        mod.parent, "check", mod.name, "--watch", "--format", "concise", "--ignore", "W011", *args
    )


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    (tmp_path / "mod/events").mkdir(parents=True)
    (tmp_path / "mod/events/a.txt").write_text(SOUND, encoding="utf-8")
    return tmp_path / "mod"


@pytest.fixture
def watching(mod: Path) -> Iterator[Watching]:
    watching = checking(mod)
    yield watching
    if watching.process.poll() is None:
        watching.end(signal.SIGKILL)


def test_a_saved_file_is_checked_again(mod: Path, watching: Watching) -> None:
    assert watching.out == []
    assert "nothing found in 1 file" in watching.err
    (mod / "events/a.txt").write_text(BROKEN, encoding="utf-8")
    watching.wait_for("mod/events/a.txt: 1 error in 1 of 1 file")
    watching.wait_for(f"mod/events/a.txt:2:4: {ERROR}")
    (mod / "events/a.txt").write_text(SOUND, encoding="utf-8")
    watching.wait_for("mod/events/a.txt: nothing found in 1 file")


def test_as_editors_save(mod: Path, watching: Watching) -> None:
    new = mod / "events/.a.txt.tmp"
    new.write_text(BROKEN, encoding="utf-8")
    new.replace(mod / "events/a.txt")
    watching.wait_for("mod/events/a.txt: 1 error")
    # vim renames the old file and writes a new one.
    (mod / "events/a.txt").rename(mod / "events/a.txt~")
    (mod / "events/a.txt").write_text(SOUND, encoding="utf-8")
    watching.wait_for("mod/events/a.txt: nothing found")


def test_deleted_and_renamed_files(mod: Path, watching: Watching) -> None:
    (mod / "events/a.txt").rename(mod / "events/b.txt")
    watching.wait_for("mod/events/b.txt: nothing found in 1 file")
    watching.wait_for("mod/events/a.txt: gone")
    (mod / "events/b.txt").unlink()
    watching.wait_for("mod/events/b.txt: gone")


def test_new_folders(mod: Path, watching: Watching) -> None:
    (mod / "common/traits").mkdir(parents=True)
    (mod / "common/traits/c.txt").write_text(BROKEN, encoding="utf-8")
    watching.wait_for("mod/common/traits/c.txt:2:4")
    outside = mod.parent / "outside"
    outside.mkdir()
    (outside / "d.txt").write_text(BROKEN, encoding="utf-8")
    outside.rename(mod / "common/laws")
    watching.wait_for("mod/common/laws/d.txt:2:4")
    (mod / "common/laws/d.txt").write_text(SOUND, encoding="utf-8")
    watching.wait_for("mod/common/laws/d.txt: nothing found")
    shutil.rmtree(mod / "common")
    watching.wait_for("mod/common/laws/d.txt: gone")
    watching.wait_for("mod/common/traits/c.txt: gone")


def test_many_changes_become_one_run(mod: Path, watching: Watching) -> None:
    for number in range(3_000):
        (mod / f"events/{number}.txt").write_text(BROKEN if number % 3 == 0 else SOUND)
    watching.wait_for(" changes: ")
    wait_until(lambda: len(watching.out) >= 1_000, DEADLINE_S, "each error")
    (mod / "events/a.txt").write_text(BROKEN, encoding="utf-8")
    watching.wait_for("mod/events/a.txt:2:4")
    assert len(watching.out) == len(set(watching.out)) == 1_001
    # One, unless the machine pauses this process between two files.
    assert sum(" changes: " in line for line in watching.err) < 10


def test_what_is_skipped_is_not_reported(mod: Path) -> None:
    watching = checking(mod, "--exclude", "events/x*")
    for name in ("events/x.txt", "events/picture.dds", "readme.txt"):
        (mod / name).write_text(BROKEN, encoding="utf-8")
    (mod / "events/a.txt").write_text(BROKEN, encoding="utf-8")
    watching.wait_for("mod/events/a.txt: 1 error")
    assert watching.end() == 130
    assert watching.out == [f"mod/events/a.txt:2:4: {ERROR}"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it(watching: Watching, number: int) -> None:
    assert watching.end(number) == 130
    assert watching.err[-1] == "ck3parse: interrupted"


def test_without_the_library(mod: Path, tmp_path: Path) -> None:
    text = "raise ModuleNotFoundError(name='watchfiles')"
    (tmp_path / "watchfiles.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "ck3parse", "check", str(mod), "--watch"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'ck3parse[watch]'" in done.stderr


@pytest.mark.parametrize("args", [["--statistics"], ["--format", "json"], ["--output-file", "x"]])
def test_what_does_not_go_with_it(mod: Path, args: list[str]) -> None:
    done = ck3parse("check", mod, "--watch", *args, cwd=mod)
    assert done.returncode == 2
    assert "--watch reports to the terminal" in done.stderr
