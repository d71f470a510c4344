"""Excerpts: the line of a diagnostic, with a caret under its column."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ck3parse.lint.excerpt import excerpt, printable


def under_caret(lines: list[str]) -> str:
    """Return the character above the caret in the terminal."""
    text, caret = lines
    column = cell_len(caret) - 1
    for character in text:
        if column == 0:
            return character
        column -= cell_len(character)
    return ""


def test_the_line_and_a_caret_beneath_its_column() -> None:
    assert excerpt(b"a = 1\nb = }\nc = 2\n", 2, 5) == ["b = }", "    ^"]


@pytest.mark.parametrize(
    ("data", "line", "column", "expected"),
    [
        (b"\xef\xbb\xbfa = }", 1, 5, ["a = }", "    ^"]),
        (b"a\r\nb\rc = }\r\n", 3, 5, ["c = }", "    ^"]),
        (b"a\r\r\n\nd = }", 4, 5, ["d = }", "    ^"]),
        (b"\t\ta = }", 1, 7, ["        a = }", "            ^"]),
        (b"a\t}", 1, 3, ["a    }", "     ^"]),
        (b"\xff\xc3( = }", 1, 6, ["��( = }", "     ^"]),
        ("日本 = }".encode(), 1, 6, ["日本 = }", "       ^"]),
        ("e\u0301 = }".encode(), 1, 6, ["e\u0301 = }", "    ^"]),
        (b"a = {", 1, 6, ["a = {", "     ^"]),
        (b"a = {", 1, 99, ["a = {", "     ^"]),
        (b"a\n\nb", 2, 1, ["", "^"]),
        (b"a = {\n", 2, 1, ["", "^"]),
        (b"a\x1b[31m\x00\x7f}", 1, 9, ["a␛[31m␀␡}", "        ^"]),
        ("a\u00a0\u202e\x9b}".encode(), 1, 5, [r"a\xa0\u202e\x9b}", "               ^"]),
    ],
)
def test_content_is_taken_as_the_parser_takes_it_and_is_safe_to_print(
    data: bytes, line: int, column: int, expected: list[str]
) -> None:
    assert excerpt(data, line, column) == expected


def test_a_line_that_is_not_there_gives_nothing() -> None:
    assert excerpt(b"", 1, 1) == []
    assert excerpt(b"a\nb", 3, 1) == []


def test_a_file_that_is_not_there_any_more_gives_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    for path in (tmp_path / "gone.txt", tmp_path, tmp_path / "pipe.txt", "nul\0byte"):
        assert excerpt(path, 1, 1) == []


def test_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a = 1\r\nb = }\r\n")
    assert excerpt(path, 2, 5) == excerpt(str(path), 2, 5) == ["b = }", "    ^"]


@pytest.mark.parametrize(
    ("column", "starts", "ends"),
    [(1, False, True), (150, True, True), (298, True, False), (301, True, False)],
)
def test_a_long_line_is_cut_around_the_column(column: int, starts: bool, ends: bool) -> None:
    line = "".join(chr(ord("a") + index % 26) for index in range(300))
    lines = excerpt(line.encode(), 1, column)
    assert cell_len(lines[0]) == 100 - (not starts) - (not ends)
    assert lines[0].startswith("…") == starts
    assert lines[0].endswith("…") == ends
    assert under_caret(lines) == line[column - 1 : column]


@pytest.mark.parametrize("before", [b"", b"x\n" * 100_000, b"\r\n" * 65_535, b"\n" * 65_536])
@pytest.mark.parametrize("column", [1, 65_530, 65_536, 65_537, 3_000_001])
def test_places_deep_in_a_large_file(before: bytes, column: int) -> None:
    data = before + b"a" * (column - 1) + b"}" + b"b" * 200_000 + b"\nc"
    lines = excerpt(data, before.count(b"\n") + 1, column)
    assert under_caret(lines) == "}"
    assert lines[0].count("}") == 1
    assert cell_len(lines[0]) <= 100


def test_a_line_of_exactly_the_width_is_not_cut() -> None:
    assert excerpt(b"a" * 100, 1, 100) == ["a" * 100, " " * 99 + "^"]
    assert excerpt(b"a" * 101, 1, 1) == ["a" * 98 + "…", "^"]


@given(
    st.text(st.sampled_from("aé日\t\n\r\x1b\u00a0\u0301{") | st.characters(codec="utf-8")),
    st.integers(1, 40),
    st.integers(1, 200),
    st.integers(20, 60),
)
def test_any_text_and_any_place(text: str, line: int, column: int, width: int) -> None:
    data = text.encode()
    lines = excerpt(data, line, column, width=width)
    content = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if line > len(content) or not data.removeprefix(b"\xef\xbb\xbf"):
        assert lines == []
        return
    shown, caret = lines
    assert shown.isprintable()
    assert cell_len(shown) <= width
    assert caret.strip() == "^"
    assert cell_len(caret) <= width + 1
    expected = printable(content[line - 1][column - 1 : column])
    if cell_len(expected):
        at_caret = shown[_index_of_cell(shown, cell_len(caret) - 1) :]
        assert at_caret.startswith(expected)


def _index_of_cell(text: str, cell: int) -> int:
    index = 0
    while cell > 0:
        cell -= cell_len(text[index])
        index += 1
    while index < len(text) and not cell_len(text[index]):
        index += 1
    return index


def test_printable_leaves_good_text_alone() -> None:
    assert printable('øy "日本"…') == 'øy "日本"…'
    assert printable("a\x1b]0;title\x07\r\n") == "a␛]0;title␇␍␊"
    assert printable("\udcff") == r"\udcff"
