"""`ck3parse run --watch`, with real files and a real process."""

import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import ck3parse
from watching import Watching

SOUND = "\ufeffbrave = {\n\tmartial = 1\n}\n"
BROKEN = "\ufeffshy = {\n\tmartial =\n}\n"


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    (tmp_path / "mod/common/traits").mkdir(parents=True)
    (tmp_path / "mod/common/traits/a.txt").write_text(SOUND, encoding="utf-8")
    return tmp_path / "mod"


@pytest.fixture
def watching(mod: Path) -> Iterator[Watching]:
    # The store is inside the folder that is watched.
    watching = Watching(mod, "run", ".", "--watch", "--dialect", "ck3")
    yield watching
    if watching.process.poll() is None:
        watching.end(signal.SIGKILL)


def defined(mod: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(mod / "ck3parse.sqlite")) as db:
        return db.execute("SELECT name, relpath FROM definitions ORDER BY name").fetchall()


def test_what_changes_is_parsed_and_indexed(mod: Path, watching: Watching) -> None:
    assert defined(mod) == [("brave", "common/traits/a.txt")]
    (mod / "common/traits/b.txt").write_text(BROKEN, encoding="utf-8")
    watching.wait_for("1 read, 1 with errors, 0 gone: up to date in")
    watching.wait_for("common/traits/b.txt:2:10: error CK3-E006 ")
    assert defined(mod) == [("brave", "common/traits/a.txt"), ("shy", "common/traits/b.txt")]
    (mod / "common/traits/a.txt").unlink()
    watching.wait_for("0 read, 0 with errors, 1 gone: up to date in")
    assert defined(mod) == [("shy", "common/traits/b.txt")]
    assert watching.end() == 130
    assert watching.err[-1] == "ck3parse: interrupted"
    # It did not see its own writing as a change.
    assert sum("up to date in" in line for line in watching.err) == 2


def test_questions_need_not_look_at_the_files(mod: Path, watching: Watching) -> None:
    (mod / "common/traits/b.txt").write_text(SOUND.replace("brave", "shy"), encoding="utf-8")
    watching.wait_for("1 read, 0 with errors, 0 gone: up to date in")
    kept = "index kept up to date by run --watch"
    done = ck3parse("find", "shy", cwd=mod)
    assert "common/traits/b.txt:1" in done.stdout
    assert kept in done.stderr
    # Another selection of files is another index.
    assert kept not in ck3parse("find", "shy", "--exclude", "*/b.txt", cwd=mod).stderr
    watching.end(signal.SIGKILL)
    (mod / "common/traits/b.txt").unlink()
    done = ck3parse("find", "shy", "--include", "*.md", cwd=mod)
    assert kept not in done.stderr
    assert done.returncode == 1


def test_a_store_that_another_program_has_changed(mod: Path, watching: Watching) -> None:
    watching.wait_for("watching for changes")
    kept = "index kept up to date by run --watch"
    assert kept in ck3parse("find", "brave", ".", cwd=mod).stderr
    (mod.parent / "other/events").mkdir(parents=True)
    (mod.parent / "other/events/a.txt").write_text("calm.1 = { }", encoding="utf-8")
    assert "calm.1 (event)" in ck3parse("find", "calm.1", "../other", cwd=mod).stdout
    done = ck3parse("find", "brave", ".", cwd=mod)
    assert "brave (trait)" in done.stdout
    assert kept not in done.stderr


def test_json_does_not_go_with_it(mod: Path) -> None:
    done = ck3parse("run", mod, "--watch", "--json", cwd=mod.parent)
    assert done.returncode == 2
    assert "leave out --json" in done.stderr
