"""The rows of `ck3/1`: cases."""

import json
from pathlib import Path
from typing import Any

import pytest

from ck3parse.extractors.ck3 import Ck3Rows, decode, rule_of
from ck3parse.extractors.stage import index_rows

CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("index-cases.jsonl").read_text("ascii").splitlines()
]


def content(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case's file."""
    if "bytes_hex" in case:
        return bytes.fromhex(case["bytes_hex"])
    return str(case["source"]).encode()


def rows_of(
    parser: str, source: bytes | str, path: str = "common/traits/a.txt", max_depth: int = 10_000
) -> Ck3Rows:
    """Return the rows of a source, by the body of a parser."""
    rows = index_rows(source, path, native=parser == "native", max_depth=max_depth)
    return decode(rows)


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_rows(parser_name: str, case: dict[str, Any]) -> None:
    rows = index_rows(content(case), case["path"], native=parser_name == "native")

    expected = {"definitions": case["definitions"], "words": case["words"]}
    assert json.loads(rows) == expected
    assert rows == json.dumps(expected, separators=(",", ":")).encode("ascii")
    assert rule_of(case["path"]).id == case["rule"]


def test_a_text_has_the_rows_of_its_utf_8(parser_name: str) -> None:
    text = "\ufeffé = { b = 名 }"

    assert rows_of(parser_name, text) == rows_of(parser_name, text.encode())


@pytest.mark.parametrize("depth", [1_000, 9_999])
def test_rows_of_deep_files(parser_name: str, depth: int) -> None:
    source = "e_a = {" * depth + " trait = c " + "}" * depth
    rows = rows_of(parser_name, source, "common/landed_titles/a.txt")

    assert len(rows.definitions) == depth
    assert rows.words == ["e_a", "trait", "c"]


def test_blocks_too_deep_are_left_out(parser_name: str) -> None:
    rows = rows_of(parser_name, "a = { b = { c = { d = e } } } f = {}", max_depth=2)

    assert rows.words == ["a", "b", "f"]
    assert [(found.start, found.end) for found in rows.definitions] == [(0, 29), (30, 36)]
