"""Whole mods with `ck3parse run`, compared with the expected output of each file.

`CK3PARSE_GOLDEN` names a folder that has `golden/` and `corpus/`; without it there are no cases.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ck3parse.parser import parser_in_use
from ck3parse.store import Store
from command import run_json

GIVEN = os.environ.get("CK3PARSE_GOLDEN")
FOLDER = Path(os.path.abspath(GIVEN)) if GIVEN else None
EXPECTED = sorted(FOLDER.glob("golden/*[!z].jsonl")) if FOLDER else []


def expected_of(golden: Path) -> Iterator[dict[str, Any]]:
    with golden.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@pytest.mark.parametrize("golden", EXPECTED, ids=lambda path: path.stem)
def test_a_mod_equals_what_is_expected_and_is_parsed_once(golden: Path, tmp_path: Path) -> None:
    assert FOLDER
    mod = FOLDER / "corpus" / golden.stem
    expected = {line["path"]: line for line in expected_of(golden)}
    failing = {path: line for path, line in expected.items() if not line["ok"]}
    code = 1 if failing else 0
    args = (mod, "--include", "*.txt", "--out", "out.sqlite")
    report = run_json(*args, cwd=tmp_path, code=code)
    assert report["files"] == len(expected)
    assert report["parsed"] == len(expected) - len(failing)
    for failure in report["failures"]:
        line = failing.pop(Path(failure["path"]).relative_to(mod).as_posix())
        assert failure["error_type"] == line["error_type"]
        # Of a block that is never closed no place was recorded.
        for place in {"line", "column"} & line.keys():
            assert failure[place] == line[place]
    assert not failing
    with Store(tmp_path / "out.sqlite", parser_in_use().version) as store:
        digests = {name: hashlib.sha256(ast).hexdigest() for _, name, ast in store.asts()}
    assert digests == {path: line["ast_sha256"] for path, line in expected.items() if line["ok"]}

    again = run_json(*args, cwd=tmp_path, code=code)
    assert (again["files"], again["parsed"]) == (len(expected), 0)
