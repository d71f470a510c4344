"""The game's log of conflicts is read, and compared with the winners."""

from pathlib import Path

import pytest

from ck3parse.errors import UsageError
from ck3parse.index.game_log import LogEntry, Overridden, compare, read_log

LINE = (
    "[17:03:11][D][pdx_database.h:310]:"
    " Overriding entry '{}' for database '{}' in 'file: {} line: {}'"
)
TRAITS = "common/traits"
FILES = ["common/traits/00_traits.txt", "common/traits/zz.txt", "common/decisions/zz.txt"]


def log(tmp_path: Path, *entries: tuple[str, str, str, int], end: str = "\r\n") -> Path:
    path = tmp_path / "database_conflicts.log"
    path.write_text("".join(LINE.format(*each) + end for each in entries), "utf-8-sig", newline="")
    return path


def test_the_last_line_about_an_entry_counts(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        ("brave", TRAITS, "common/traits/a.txt", 3),
        ("it's odd", TRAITS, "common\\traits\\a b.txt", 5),
        ("brave", TRAITS, "common/traits/zz.txt", 12),
        ("brave", "common/decisions", "common/decisions/zz.txt", 1),
    )
    assert read_log(path) == [
        LogEntry("it's odd", TRAITS, "common/traits/a b.txt", 5),
        LogEntry("brave", TRAITS, "common/traits/zz.txt", 12),
        LogEntry("brave", "common/decisions", "common/decisions/zz.txt", 1),
    ]


def test_lines_without_a_time_and_with_other_text_between(tmp_path: Path) -> None:
    path = tmp_path / "database_conflicts.log"
    path.write_text(
        "something else\n" + LINE.format("x", TRAITS, "common/traits/zz.txt", 1).split("]: ")[1]
    )
    assert read_log(path) == [LogEntry("x", TRAITS, "common/traits/zz.txt", 1)]


def test_an_empty_log_is_one_without_conflicts(tmp_path: Path) -> None:
    assert read_log(log(tmp_path)) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[17:03:11][E][jomini.cpp:1]: Something else\n", "another version of the game wrote it"),
        (b"a = { b = c }\n", "is not a log of the game"),
        (b"\x00\xff" * 100, "is not a log of the game"),
    ],
)
def test_another_file_is_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        read_log(path)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(No such file or directory\): give"):
        read_log(tmp_path / "none.log")
    with pytest.raises(UsageError, match="cannot be read"):
        read_log(tmp_path)


def test_agreements_and_differences() -> None:
    mine = [
        Overridden("brave", "trait", "default", "common/traits/zz.txt", 12),
        Overridden("shy", "trait", "default", "common/traits/zz.txt", 20),
        Overridden("lazy", "trait", "default", "common/traits/zz.txt", 30),
        Overridden("brave", "decision", "default", "common/decisions/zz.txt", 1),
    ]
    entries = [
        LogEntry("brave", TRAITS, "Common/Traits/ZZ.txt", 12),
        LogEntry("shy", TRAITS, "common/traits/00_traits.txt", 4),
        LogEntry("calm", TRAITS, "common/traits/00_traits.txt", 40),
    ]
    found = compare(entries, mine, FILES)
    assert [(each.verdict, each.rule, each.name, each.in_log, each.in_index) for each in found] == [
        ("only in the log", "common/traits", "calm", ("common/traits/00_traits.txt", 40), None),
        ("only in the index", "default", "brave", None, ("common/decisions/zz.txt", 1)),
        (
            "agrees",
            "default",
            "brave",
            ("Common/Traits/ZZ.txt", 12),
            ("common/traits/zz.txt", 12),
        ),
        ("only in the index", "default", "lazy", None, ("common/traits/zz.txt", 30)),
        (
            "other place",
            "default",
            "shy",
            ("common/traits/00_traits.txt", 4),
            ("common/traits/zz.txt", 20),
        ),
    ]


def test_the_log_of_another_playset_is_refused() -> None:
    entries = [LogEntry("x", TRAITS, f"common/traits/{number}.txt", 1) for number in range(3)]
    with pytest.raises(
        UsageError, match=r"another playset or another version.*common/traits/0.txt"
    ):
        compare(entries, [], FILES)


def test_many_names_take_no_minutes() -> None:
    entries = [LogEntry(f"n{number}", TRAITS, FILES[1], number) for number in range(50_000)]
    mine = [Overridden(f"n{number}", "trait", "r", FILES[1], number) for number in range(50_000)]
    assert {each.verdict for each in compare(entries, mine, FILES)} == {"agrees"}
