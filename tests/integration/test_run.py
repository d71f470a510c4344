import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ck3parse.parser import parse_bytes, parser_in_use
from ck3parse.store import Store
from command import FAULTY, ck3parse, run_json

STORE = "out.sqlite"


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    return tmp_path / "mod"


def write(mod: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = mod / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def run(
    mod: Path, *args: str | Path, code: int = 0, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    return run_json(mod, "--out", STORE, *args, cwd=mod.parent, env=env, code=code)


def counts(report: Mapping[str, Any]) -> tuple[int, int, int, int]:
    return report["parsed"], report["unchanged"], report["skipped"], report["failed"]


def stored(mod: Path) -> dict[str, bytes]:
    with Store(mod.parent / STORE, parser_in_use().version) as store:
        return {name: ast for root, name, ast in store.asts() if root == str(mod)}


def asts_of(mod: Path, *names: str) -> dict[str, bytes]:
    """Return the ASTs that the parser makes of the files."""
    asts = {}
    for name in names:
        outcome = parse_bytes((mod / name).read_bytes(), name)
        assert outcome.ast_json is not None
        asts[name] = outcome.ast_json
    return asts


def test_every_file_gets_its_ast(mod: Path) -> None:
    files = {f"common/f{number}.txt": f"key_{number} = {{ a = {number} }}" for number in range(200)}
    write(
        mod, {**files, "events/é.txt": "\ufeffa = 1\r\n", "gfx/empty.txt": "", "readme.txt": "no"}
    )
    report = run(mod)
    assert counts(report) == (202, 0, 1, 0)
    assert report["files"] == 202
    assert stored(mod) == asts_of(mod, *files, "events/é.txt", "gfx/empty.txt")


def test_a_second_run_parses_only_what_changed(mod: Path) -> None:
    write(mod, {"a.txt": "a = 1", "b.txt": "b = 2", "bad.txt": "c = {"})
    assert counts(run(mod, code=1)) == (2, 0, 0, 1)
    again = run(mod, code=1)
    assert (counts(again), again["megabytes"]) == ((0, 2, 0, 1), 0)
    assert [failure["line"] for failure in again["failures"]] == [1]
    write(mod, {"a.txt": "a = 22"})
    assert counts(run(mod, code=1)) == (1, 1, 0, 1)
    assert stored(mod) == asts_of(mod, "a.txt", "b.txt")


def test_what_an_older_parser_stored_is_parsed_again(mod: Path) -> None:
    """Issue 19, line 0: under `ck3raven/1`, some lists of numbers were misread."""
    write(mod, {"a.txt": "x = { 10 20\n30 }", "b.txt": "b = {"})
    run(mod, code=1)
    with closing(sqlite3.connect(mod.parent / STORE)) as db, db:
        db.execute(
            "UPDATE parser_versions SET version = 'ck3raven/1' WHERE version LIKE 'ck3raven/%'"
        )
        db.execute("UPDATE asts SET ast_blob = x'00'")

    assert counts(run(mod, code=1)) == (1, 0, 0, 1)

    assert stored(mod) == asts_of(mod, "a.txt")
    with closing(sqlite3.connect(mod.parent / STORE)) as db:
        assert db.execute("SELECT count(*) FROM asts").fetchone() == (2,)


def test_a_touched_file_is_not_parsed_again(mod: Path, tmp_path: Path) -> None:
    write(mod, {"a.txt": "a = 1"})
    env = {**FAULTY, "FAULTY_JOURNAL": str(tmp_path / "journal")}
    run(mod, env=env)
    os.utime(mod / "a.txt", ns=(1, 1))
    assert counts(run(mod, env=env)) == (0, 1, 0, 0)
    assert (tmp_path / "journal").read_text() == "a.txt\n"


def test_renamed_and_deleted_files_are_right_after_the_next_run(mod: Path) -> None:
    write(mod, {"old.txt": "a = 1", "copied.txt": "c = 3", "gone.txt": "b = 2"})
    run(mod)
    (mod / "old.txt").rename(mod / "new.txt")
    (mod / "gone.txt").unlink()
    write(mod, {"sub/copy.txt": "c = 3"})
    assert counts(run(mod)) == (0, 3, 0, 0)
    assert stored(mod) == asts_of(mod, "new.txt", "copied.txt", "sub/copy.txt")


def test_identical_content_is_parsed_once(mod: Path, tmp_path: Path) -> None:
    write(mod, {f"f{number}.txt": "same = yes\n" * 2000 for number in range(300)})
    env = {**FAULTY, "FAULTY_JOURNAL": str(tmp_path / "journal")}
    report = run(mod, env=env)
    assert counts(report) == (300, 0, 0, 0)
    assert len((tmp_path / "journal").read_text().splitlines()) == 1
    with Store(mod.parent / STORE, "faulty:parse") as store:
        asts = {name: ast for _, name, ast in store.asts()}
    assert asts == asts_of(mod, *(f"f{number}.txt" for number in range(300)))


def test_one_file_given_leaves_the_others_in_the_store(mod: Path) -> None:
    write(mod, {"a.txt": "a = 1", "b.txt": "b = 2"})
    run(mod)
    write(mod, {"a.txt": "a = 11"})
    assert counts(run(mod / "a.txt", "--out", mod.parent / STORE)) == (1, 0, 0, 0)
    assert stored(mod) == asts_of(mod, "a.txt", "b.txt")


def test_exclude_and_include(mod: Path) -> None:
    write(mod, {"a.txt": "a = 1", "tests/b.txt": "b = 2", "gui/c.gui": "c = 3"})
    report = run(mod, "--exclude", "tests/", "--include", "*.gui", "--verbose")
    assert counts(report) == (2, 0, 1, 0)
    assert [os.path.basename(entry["path"].rstrip("/")) for entry in report["skipped_files"]] == [
        "tests"
    ]
    assert set(stored(mod)) == {"a.txt", "gui/c.gui"}


def test_bad_files_fail_by_name_and_the_rest_completes(mod: Path) -> None:
    write(
        mod,
        {
            "good.txt": "a = 1",
            "empty.txt": "",
            "not_utf8.txt": b"name = \xe9\xff",
            "nul.txt": b"a = \0",
            "large.txt": "a = 1\n" * 300_000,
            "deep.txt": "a={" * 100_000,
            "stray.txt": "a = 1\n}",
        },
    )
    write(mod, {"one_line.txt": "a = b " * 150_000})
    (mod / "dangling.txt").symlink_to("nowhere")
    (mod / "loop").symlink_to(".")
    os.mkfifo(mod / "pipe.txt")
    (mod / os.fsdecode(b"name_\xff.txt")).write_text("a = 1")
    report = run(mod, code=1, env={"CK3PARSE_MAX_FILE_BYTES": "1000000"})
    failures = {os.path.basename(f["path"]): f for f in report["failures"]}
    assert {name: failure["error_type"] for name, failure in failures.items()} == {
        "not_utf8.txt": "LexerError",
        "nul.txt": "LexerError",
        "large.txt": "FileTooLarge",
        "deep.txt": "ParseError",
        "stray.txt": "ParseError",
        "dangling.txt": "FileNotFoundError",
        "name_\\xff.txt": "PathNotAllowed",
    }
    assert (failures["stray.txt"]["line"], failures["stray.txt"]["column"]) == (2, 1)
    assert failures["stray.txt"]["excerpt"] == ["}", "^"]
    assert failures["deep.txt"]["column"] == 3 * 10_000 + 3
    assert all(failure["error"] for failure in failures.values())
    assert set(stored(mod)) == {"good.txt", "empty.txt", "one_line.txt"}
    assert report["files"] == report["parsed"] + report["failed"] == 10


def test_faults_fail_for_their_own_reasons(mod: Path) -> None:
    files = {f"f{number:04}.txt": f"a = {number}" for number in range(2000)}
    files |= {
        "f0100.txt": "fault = hang",
        "f0900.txt": "fault = segfault",
        "f1500.txt": "fault = exit ",
        "f1700.txt": "fault = bug",
        "f1701.txt": "fault = memory",
    }
    write(mod, files)
    report = run(mod, "--timeout-ms", "1000", code=1, env=FAULTY)
    assert counts(report) == (1995, 0, 0, 5)
    assert [(os.path.basename(f["path"]), f["error_type"]) for f in report["failures"]] == [
        ("f0100.txt", "ParseTimeout"),
        ("f0900.txt", "WorkerCrashed"),
        ("f1500.txt", "WorkerCrashed"),
        ("f1700.txt", "InternalError"),
        ("f1701.txt", "MemoryError"),
    ]
    assert "SIGSEGV" in report["failures"][1]["error"]


def test_the_table_names_failures_with_a_caret(mod: Path) -> None:
    write(mod, {"a.txt": "a = 1", "b.txt": "x = { y = }\n"})
    done = ck3parse("run", mod, "--out", STORE, cwd=mod.parent)
    assert done.returncode == 1
    assert (
        "mod/b.txt:1:11: ParseError: expected a value after the operator, found `}`" in done.stdout
    )
    assert "    x = { y = }\n              ^\n" in done.stdout
    for row in ("parsed", "unchanged", "skipped", "failed", "seconds", "MB/s"):
        assert row in done.stdout


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["no_such_folder"], 2, "no_such_folder"),
        (["."], 0, ""),
        ([".", "--out", "missing/out.sqlite"], 2, "cannot be opened"),
        ([".", "--broker", "redis://127.0.0.1:1/0"], 3, "cannot be reached"),
        ([".", "--broker", "nonsense://x"], 2, "--broker cannot be used"),
        ([".", "--broker", "redis://:secret@127.0.0.1:1/0"], 3, "cannot be reached"),
        ([], 2, "PATH"),
        ([".", "--timeout-ms", "0"], 2, "timeout-ms"),
    ],
)
def test_usage(mod: Path, args: list[str], code: int, words: str) -> None:
    write(mod, {"a.txt": "a = 1"})
    done = ck3parse("run", *args, cwd=mod)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_parser_that_does_not_exist_is_named(mod: Path) -> None:
    write(mod, {"a.txt": "a = 1"})
    done = ck3parse("run", mod, cwd=mod.parent, env={"CK3PARSE_PARSER": "no_such_module:parse"})
    assert done.returncode == 2
    assert "no_such_module:parse" in done.stderr
