"""Lists of numbers, which the Python parser misread on CPython before 3.11.5."""

import json
from types import ModuleType

import pytest

LISTS = {
    "across lines": ("x = { 10 20\n30 }", "10 20 30"),
    "a line each": ("x = {\n\t10\n\t20 \n30\n}", "10 20 30"),
    "before a brace": ("x = { 10 20}", "10 20"),
    "before a comment": ("x = { 10 20# 30\n40 #50\n60 }", "10 20 40 60"),
    "comments in between": ("x = { 10 # a\n20 30 # b\n}", "10 20 30"),
    "decimals": ("x = { 0.25 0.5\n0.75 1. 2 1.5}", "0.25 0.5 0.75 1. 2 1.5"),
    "negative": ("x = { -10 -20\n-30 -0.5 -1.}", "-10 -20 -30 -0.5 -1."),
    "percent": ("x = { 10 20% 30\n40%}", "10 20% 30 40%"),
    "tabs and blanks": ("x = { 10 20\t30  40\r\n50 60\r}", "10 20 30 40 50 60"),
    "names": ("x = { 10 20 a 30 b.c\n40 }", "10 20 a 30 b.c 40"),
    "strings": ('x = { 10 20"a" 30 "b"40 50\n}', "10 20 a 30 b 40 50"),
    "many": (f"x = {{ {'10 ' * 2_500}\n20 30\n}}", f"{'10 ' * 2_500}20 30"),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_of_numbers(parser: ModuleType, case: str) -> None:
    """Issue 19, line 0."""
    source, values = LISTS[case]

    outcome = parser.parse_text(source, "a.txt")

    items = json.loads(outcome.ast_json)["children"][0]["children"]
    assert [item["value"] for item in items] == values.split()
    assert outcome.node_count == 2 + len(items)
    lines = source.replace("\r\n", " \n").replace("\r", " ").split("\n")
    quotes = {"string": 1}
    for item in items:
        at = item["column"] - 1 + quotes.get(item["value_type"], 0)
        assert lines[item["line"] - 1][at:].startswith(item["value"])


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("10 20 = a 30", ["10", "20", "30"]),
        ("10 20= a\n30", ["10", "20", "30"]),
        ("-10 20.5 -30 < 40", ["-10", "20.5", "-30"]),
        ("10 20 = { 30 40\n50 = 60 }", ["10", "20"]),
        ("1066.9.1 = { 1 2 }", ["1066.9", ".1"]),
        ("10 20\n= 30", ["10", "20"]),
    ],
)
def test_numbers_as_keys(parser: ModuleType, source: str, keys: list[str]) -> None:
    """Issue 19, line 0."""
    outcome = parser.parse_text(source, "a.txt")

    nodes = json.loads(outcome.ast_json)["children"]
    assert [node.get("key") or node.get("name") or node["value"] for node in nodes] == keys


@pytest.mark.parametrize("word", ["a😀", "é😀", "12😀", "a.b😀 = c", "@a😀", "-1😀"])
def test_what_is_no_letter_ends_a_word(parser: ModuleType, word: str) -> None:
    """Issue 19, line 0: also above U+FFFF."""
    outcome = parser.parse_text(f"x = {{ é {word} }}", "a.txt")

    assert (outcome.error_type, outcome.column) == ("LexerError", 9 + word.index("😀"))


def test_letters_and_digits_above_the_basic_plane(parser: ModuleType) -> None:
    """Issue 19, line 0."""
    outcome = parser.parse_text("𠀀a𠀀é = é𠀀b 1𑄷2𑄷 = 𠀀", "a.txt")

    nodes = json.loads(outcome.ast_json)["children"]
    assert [(node["key"], node["value"]["value"]) for node in nodes] == [
        ("𠀀a𠀀é", "é𠀀b"),
        ("1𑄷2𑄷", "𠀀"),
    ]
