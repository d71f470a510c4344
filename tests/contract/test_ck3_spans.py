"""Spans of dialect `ck3`: what stands in them, and that they cover the file."""

import itertools
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .differential import FIXTURES, Inputs, real_lines
from .spans import check
from .test_ck3_cases import CASES, content

COUNT = 1_500


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_cases(parser: ModuleType, case: dict[str, Any]) -> None:
    check(parser, content(case), case.get("name", "f.txt"))


def test_mutated_snippets(parser: ModuleType) -> None:
    inputs = Inputs("spans", real_lines([FIXTURES], 1), "ck3")
    sound = 0
    for source in itertools.islice((case.source for case in inputs), COUNT):
        data = source if isinstance(source, bytes) else source.encode("utf-8", "replace")
        sound += check(parser, data, parses=20).sound
    assert sound > COUNT / 10


@pytest.mark.skipif("CK3PARSE_GOLDEN" not in os.environ, reason="CK3PARSE_GOLDEN is not set")
def test_real_files(parser: ModuleType) -> None:
    # `spans.py` checks all of them as a program.
    paths = sorted(Path(os.environ["CK3PARSE_GOLDEN"], "corpus").rglob("*.txt"))
    paths = [path for path in paths[::10] if path.is_file()]
    sound = [check(parser, path.read_bytes(), parses=50).sound for path in paths]
    assert sum(sound) > 0.9 * len(paths)
