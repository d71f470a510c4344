"""The rows of `ck3/1`: cases."""

import json
from pathlib import Path
from typing import Any

import pytest

from ck3parse.extractors.ck3 import rule_of
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


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_rows(case: dict[str, Any]) -> None:
    rows = index_rows(content(case), case["path"])

    expected = {"definitions": case["definitions"], "words": case["words"]}
    assert json.loads(rows) == expected
    assert rows == json.dumps(expected, separators=(",", ":")).encode("ascii")
    assert rule_of(case["path"]).id == case["rule"]


def test_a_text_has_the_rows_of_its_utf_8() -> None:
    text = "\ufeffé = { b = 名 }"

    rows = [index_rows(source, "common/traits/a.txt") for source in (text, text.encode())]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("depth", [1_000, 9_999])
def test_rows_of_deep_files(depth: int) -> None:
    source = "e_a = {" * depth + " trait = c " + "}" * depth
    rows = json.loads(index_rows(source, "common/landed_titles/a.txt"))

    assert len(rows["definitions"]) == depth
    assert rows["words"] == ["e_a", "trait", "c"]


def test_blocks_too_deep_are_left_out() -> None:
    rows = json.loads(
        index_rows("a = { b = { c = { d = e } } } f = {}", "common/traits/a.txt", max_depth=2)
    )

    assert rows["words"] == ["a", "b", "f"]
    assert [row[2:4] for row in rows["definitions"]] == [[0, 29], [30, 36]]
