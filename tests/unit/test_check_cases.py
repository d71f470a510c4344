"""What `check` finds in small files, by `check-cases.jsonl`: exactly that, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from ck3parse.config import Settings
from ck3parse.lint.checker import Check
from ck3parse.lint.rules import select_codes
from ck3parse.parser import parser_in_use

CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("check-cases.jsonl").read_text("ascii").splitlines()
]


@pytest.fixture
def mods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folders of a mod for each game, and go to the folder above them."""
    for name in ("ck3/common", "ck3/events", "ck2/events", "ck2/localisation"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("mods")
@pytest.mark.parametrize("parser", ["native", "python"])
@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_case(case: dict[str, Any], parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if parser == "native":
        pytest.importorskip("ck3parse.parser._native")
    monkeypatch.setenv("CK3PARSE_PARSER", parser)
    check = Check(Settings(dialect="ck3"), parser_in_use(), select_codes([], [], []))
    data = bytes.fromhex(case["bytes_hex"]) if "bytes_hex" in case else case["text"].encode()

    found = check.check_bytes(data, case["path"]).diagnostics

    assert [f"{each.line}:{each.column} {each.code[4:]}" for each in found] == case["found"]
