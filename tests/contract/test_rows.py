"""The rows of `qbuilder/1`, by each body: cases, and the recorded ones of real files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ck3parse.extractors.qbuilder import symbol_type
from contract.rows import compare, rows_of

CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("rows.jsonl").read_text("utf-8").splitlines()
]
FOLDERS = [Path(folder) for folder in [os.environ.get("CK3PARSE_GOLDEN")] if folder]
RECORDED = 4_284


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_rows(parser_name: str, case: dict[str, Any]) -> None:
    outcome, rows = rows_of(parser_name, case["source"].encode(), "a.txt", case["path"])

    assert outcome.success is ("symbols" in case)
    expected = {"symbols": case.get("symbols"), "refs": case.get("refs")}
    compact = json.dumps(expected, separators=(",", ":")).encode()
    assert rows == (compact if outcome.success else None)
    assert symbol_type(case["path"]) == case["type"]


@pytest.mark.parametrize("depth", [1_000, 9_999])
def test_rows_of_deep_files(parser_name: str, depth: int) -> None:
    source = "ab = {" * depth + " trait = c " + "}" * depth
    _, rows = rows_of(parser_name, source, "a.txt", "common/landed_titles/a.txt")

    found = json.loads(rows or b"")
    assert len(found["symbols"]) == 7
    assert found["refs"] == [["c", "trait", 1, 6 * depth + 10]]


if FOLDERS:

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_recorded_rows(parser_name: str, folder: Path) -> None:
        differences = list(compare(folder, parser_name))

        assert len(differences) == RECORDED
        assert list(filter(None, differences)) == []
