"""Small texts with the outcome that the contract defines, which the Rust tests use, too."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ck3parse.parser import ParseOutcome

CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("cases.jsonl").read_text("ascii").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_case(parser: ModuleType, case: dict[str, Any]) -> None:
    outcome: ParseOutcome
    if "bytes_hex" in case:
        outcome = parser.parse_bytes(bytes.fromhex(case["bytes_hex"]), "case.txt")
    else:
        outcome = parser.parse_text(case["source"], "case.txt")

    if case["ok"]:
        assert outcome.success, outcome.error
        assert outcome.ast_json is not None
        assert outcome.ast_json.decode("ascii") == case["ast_json"]
        assert outcome.node_count == case["node_count"]
        assert (outcome.error_type, outcome.error, outcome.line, outcome.column) == (None,) * 4
    else:
        assert not outcome.success
        assert (outcome.error_type, outcome.line, outcome.column) == (
            case["error_type"],
            case["line"],
            case["column"],
        )
        assert outcome.ast_json is None
        assert outcome.node_count == 0
        assert outcome.error


def test_cases_have_names_of_their_own() -> None:
    names = [case["case"] for case in CASES]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ('a = "b', 'this " opens a string that is never closed'),
        ("a = 'b", "this ' opens a string that is never closed"),
        ("a (", "unexpected character `(`"),
        ("a \x00", "unexpected character U+0000"),
        ("a ! b", "unexpected character `!`"),
        ("=", "expected a key, a value or a brace, found `=`"),
        ("{ a; }", "expected a key, a value or a brace, found `}`"),
        ("}", "this } closes nothing: every block before it is closed already"),
        ("; }", "this } closes nothing: every block before it is closed already"),
        ("a = }", "expected a value after the operator, found `}`"),
        ("@a = { }", "expected a value after the operator, found `{`"),
        ("a =", "the file ends where the value after an operator should be"),
        ("{ a =", "the file ends where the value after an operator should be"),
        ("@12% ", "expected a name after @, found `12%`"),
        ("@'a\\'b'", "expected a name after @, found `'a\\'b'`"),
        ("@$a", "expected a name after @, found `$a`"),
        ("@yes", "expected a name after @, found `yes`"),
        ("a = -@[", "expected a name after @, found `[`"),
        ("{ @", "expected a name after @, found the end of the file"),
        ("a = {", "this { is never closed"),
        ("a = @[ {", "this @[ is never closed"),
        ("{{ {", "braces are nested deeper than the limit of 2"),
    ],
)
def test_words_of_errors(parser: ModuleType, source: str, error: str) -> None:
    assert parser.parse_text(source, "case.txt", max_depth=2).error == error


@pytest.mark.parametrize("name", ['a"b\\c', "\x7f\n", "é😀", "\ud800"])
def test_file_name_is_escaped(parser: ModuleType, name: str) -> None:
    outcome = parser.parse_bytes(b"", name)

    root = {"_type": "root", "filename": name, "children": []}
    assert outcome.ast_json == json.dumps(root, separators=(",", ":")).encode("ascii")


def test_lone_surrogates(parser: ModuleType) -> None:
    outcome = parser.parse_text('"\ud83d" "\ude00"', "")

    values = [child["value"] for child in json.loads(outcome.ast_json)["children"]]
    assert values == ["\ud83d", "\ude00"]


def test_lone_surrogate_outside_strings(parser: ModuleType) -> None:
    outcome = parser.parse_text("a \ud800", "")

    assert (outcome.error_type, outcome.line, outcome.column) == ("LexerError", 1, 3)
    assert outcome.error == "unexpected character U+D800"


@pytest.mark.parametrize("opened", ["{", "a = {", "a={ b c {"])
def test_depth_limit(parser: ModuleType, opened: str) -> None:
    braces = opened.count("{")
    whole = (opened + "\n") * 6 + "}" * 6 * braces

    assert parser.parse_text(whole, "", max_depth=6 * braces).success
    refused = parser.parse_text(whole, "", max_depth=6 * braces - 1)
    assert (refused.error_type, refused.line, refused.column) == (
        "ParseError",
        6,
        opened.rindex("{") + 1,
    )


def test_no_depth_at_all(parser: ModuleType) -> None:
    assert parser.parse_text("a = b", "", max_depth=0).success
    assert not parser.parse_text("a = { }", "", max_depth=0).success
