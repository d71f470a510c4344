"""The text of places in files of any encoding."""

import pytest

from ck3parse.index.file_text import MOST_BYTES, line_of, text_of


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("é = { ü }".encode(), "é = { ü }"),
        ("é = { ü }".encode("cp1252"), "é = { ü }"),
        (b"\xff\xfe" + "é = { ü }".encode("utf-16-le"), "é = { ü }"),
    ],
)
def test_the_text_of_a_definition(data: bytes, expected: str) -> None:
    start = 2 if data.startswith(b"\xff\xfe") else 0
    assert text_of(data, start, len(data)) == expected


@pytest.mark.parametrize(
    ("data", "word", "line", "expected"),
    [
        (b"a = b\n\tc = d # e\r\nf", b"d", 2, "c = d # e"),
        (b"a = b", b"a", 1, "a = b"),
        (b"a = b", b"b", 1, "a = b"),
        ("a\né = ü\n".encode("cp1252"), b"=", 2, "é = ü"),
        (b"\xff\xfe" + "a\r\né = ü\r\n".encode("utf-16-le"), b"=", 2, "é = ü"),
    ],
)
def test_the_line_of_a_place(data: bytes, word: bytes, line: int, expected: str) -> None:
    assert line_of(data, data.index(word), line) == expected


def test_of_a_line_of_megabytes_a_part_is_returned() -> None:
    line = line_of(b"x " * 500_000 + b"here" + b" y" * 500_000, 1_000_000, 1)
    assert "here" in line
    assert len(line) <= 2 * MOST_BYTES
