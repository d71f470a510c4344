"""Small texts of dialect `ck3` with their tree, which Rust's tests use, too."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ck3parse.parser import ParseOutcome
from ck3parse.parser.ck3.recovery import recover
from ck3parse.parser.ck3.source import read

CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("ck3-cases.jsonl").read_text("ascii").splitlines()
]


def content(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case's file."""
    if "bytes_hex" in case:
        return bytes.fromhex(case["bytes_hex"])
    return str(case["source"]).encode()


def as_written(tree: Any) -> bytes:
    """Return a tree as the parsers write it."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_case(parser: ModuleType, case: dict[str, Any]) -> None:
    outcome: ParseOutcome = parser.parse_bytes(
        content(case), case.get("name", "f.txt"), dialect="ck3"
    )

    assert outcome.ast_json == as_written(case["tree"])
    codes = [f"{d.line}:{d.column} {d.code.removeprefix('CK3-')}" for d in outcome.diagnostics]
    assert codes == case["codes"]
    assert outcome.success is case["ok"]
    assert outcome.node_count == case["nodes"]
    assert (outcome.error is None) is case["ok"]
    assert (outcome.line, outcome.column) == (
        (None, None)
        if case["ok"]
        else next((d.line, d.column) for d in outcome.diagnostics if d.severity == "error")
    )


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_recovering_parser_alone_writes_the_same(case: dict[str, Any]) -> None:
    source = read(content(case), case.get("name", "f.txt"))

    assert recover(source, 100).ast_json == as_written(case["tree"])


def test_cases_have_names_of_their_own() -> None:
    names = [case["case"] for case in CASES]

    assert len(names) == len(set(names))


def test_the_mode_changes_nothing(parser: ModuleType) -> None:
    for mode in ("strict", "recover"):
        outcome = parser.parse_bytes(b"a = {", "", mode=mode, dialect="ck3")
        assert outcome.ast_json
        assert [diagnostic.code for diagnostic in outcome.diagnostics] == ["CK3-E008"]


def test_a_text_is_parsed_as_its_utf_8(parser: ModuleType) -> None:
    text = parser.parse_text("\ufeffé = 名", "", dialect="ck3")

    assert text == parser.parse_bytes("\ufeffé = 名".encode(), "", dialect="ck3")
    assert json.loads(text.ast_json)["encoding"] == "utf-8-bom"


def test_comments_on_request(parser: ModuleType) -> None:
    data = b'# a\r\nb = "#" # c\r# d\n#'

    tree = json.loads(parser.parse_bytes(data, "", dialect="ck3", comments=True).ast_json)
    assert [data[start:end] for start, end in tree["comments"]] == [b"# a", b"# c\r# d", b"#"]
    assert b"comments" not in parser.parse_bytes(data, "", dialect="ck3").ast_json


def test_warnings_past_the_limit_are_counted_and_no_error(parser: ModuleType) -> None:
    outcome = parser.parse_bytes(b"(\n" * 150, "", dialect="ck3")

    assert outcome.success
    assert len(outcome.diagnostics) == 101
    assert {diagnostic.severity for diagnostic in outcome.diagnostics} == {"warning"}


def test_an_error_after_many_warnings_is_found(parser: ModuleType) -> None:
    outcome = parser.parse_bytes(b"(\n" * 150 + b"}", "", dialect="ck3")

    assert not outcome.success
    assert (outcome.line, outcome.column) == (151, 1)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_deeper_blocks_are_left_out(parser: ModuleType, depth: int) -> None:
    outcome = parser.parse_bytes(b"a = { b = { c = { d } } } e", "", max_depth=depth, dialect="ck3")

    assert [diagnostic.code for diagnostic in outcome.diagnostics] == ["CK3-E010"]
    assert outcome.node_count == depth + 2
    assert json.loads(outcome.ast_json)["children"][-1]["value"] == "e"


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 63, 64, 65, 200])
@pytest.mark.parametrize("letter", ["a", "1"])
def test_words_have_any_length(parser: ModuleType, length: int, letter: str) -> None:
    # The native parser copies words of up to 64 bytes in blocks of a fixed size.
    word = letter * length
    text = f'{word} = {word}\n{word} = {{ {word} "{word}" }}'
    outcome = parser.parse_bytes(f"{text}\n#{'#' * 80}".encode(), "", dialect="ck3")
    at_the_end = parser.parse_bytes(text.encode(), "", dialect="ck3")

    assert outcome.ast_json == at_the_end.ast_json
    assign, block = json.loads(outcome.ast_json)["children"]
    assert (assign["key"], assign["value"], block["key"]) == (word, word, word)
    assert [node["value"] for node in block["children"]] == [word, word]


@pytest.mark.parametrize(
    "length", [1, 9, 10, 99, 100, 999, 1_000, 99_999, 999_999, 1_000_000, 10_000_000]
)
def test_spans_have_any_length(parser: ModuleType, length: int) -> None:
    # The end of a block is written after its children, and may have more digits than its start.
    data = b"a={b={" + b" " * length + b"c={}}}\nd={}"
    tree = json.loads(parser.parse_bytes(data, "", dialect="ck3").ast_json)

    a, d = tree["children"]
    (b,) = a["children"]
    (c,) = b["children"]
    assert [data[node["span"][0] : node["span"][1]] for node in (a, b, c, d)] == [
        data[:-5],
        data[3:-6],
        b"c={}",
        b"d={}",
    ]
