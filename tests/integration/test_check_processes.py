"""The worker processes of `ck3parse check`."""

from pathlib import Path

import pytest

from ck3parse.config import Settings
from ck3parse.errors import ErrorType
from ck3parse.lint.checker import Check
from ck3parse.lint.file_check import Conditions, FileCheck
from ck3parse.lint.processes import Task, check_in_processes
from ck3parse.lint.rules import select_codes
from ck3parse.lint.rules.rule import Place
from ck3parse.parser import parser_in_use
from ck3parse.store import Store

TEXTS = ("a = {\n\tb = 1\n}\n", "a = { b = }\n", "a = 1\nb c\nd = 2\n", "a = {\n")
CRASHING = """\
import os
from ck3parse.parser import ParseOutcome

def parse(data, name, mode):
    if b"crash" in data:
        os.abort()
    if b"end" in data:
        raise SystemExit(3)
    print("not a frame")
    return ParseOutcome(True, b"{}", 1)
"""


def tasks_of(folder: Path, texts: list[str]) -> list[Task]:
    folder.mkdir(exist_ok=True)
    tasks = []
    for number, text in enumerate(texts):
        path = folder / f"{number:04}.txt"
        path.write_text(text, encoding="utf-8")
        tasks.append(Task(str(path), Place(f"events/{path.name}"), 20_000))
    return tasks


def test_they_find_the_same(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, [TEXTS[number % len(TEXTS)] for number in range(300)])
    conditions = Conditions("ck3", 100, 1_000_000, ["CK3-W001", "CK3-W007"], definitions=True)
    tasks.append(Task(str(tmp_path / "missing.txt"), Place("events/missing.txt"), 1))
    one = FileCheck(conditions, parser_in_use())

    found = dict(each for batch in check_in_processes(tasks, conditions, 2) for each in batch)

    assert sorted(found) == list(range(301))
    for number, task in enumerate(tasks):
        assert found[number] == one.of_path(task.path, task.place)
    assert found[300].result.error_type == ErrorType.FILE_NOT_FOUND


def test_a_file_that_ends_its_process_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing_parser.py").write_text(CRASHING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CK3PARSE_PARSER", "crashing_parser:parse")
    texts = ["crash" if number == 7 else "end" if number == 40 else "a" for number in range(60)]
    tasks = tasks_of(tmp_path / "mod", texts)
    conditions = Conditions("ck3raven", 100, 1_000_000, [], definitions=False)

    found = dict(each for batch in check_in_processes(tasks, conditions, 2) for each in batch)

    failed = {number for number, outcome in found.items() if outcome.result.error_type}
    assert (len(found), failed) == (60, {7, 40})
    assert found[7].result.error == "the process that checked it died: signal 6"
    assert found[40].result.error == "the process that checked it died: exit code 3"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_check_of_many_files(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ck3parse.lint.checker._PROCESS_BYTES", 100_000)
    folder = tmp_path / "mod/events"
    folder.parent.mkdir()
    tasks_of(folder, [TEXTS[number % len(TEXTS)] for number in range(200)])
    settings = Settings(workers=workers)
    done: list[int] = []

    check = Check(settings, parser_in_use(), select_codes(["E"], [], []))
    with Store(tmp_path / "cache.sqlite", check.stored_version) as store:
        checked = check.check_paths(
            [str(tmp_path / "mod")],
            include=[],
            exclude=[],
            store=store,
            on_batch=lambda number, *_: done.append(number),
        )

    assert [each.path for each in checked] == [str(path) for path in sorted(folder.iterdir())]
    assert [len(each.diagnostics) for each in checked] == [0, 1, 0, 1] * 50
    assert done[-1] == 200
