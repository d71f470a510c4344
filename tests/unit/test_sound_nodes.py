"""The native parser counts the nodes of a sound file as it does when it makes the tree."""

import json
import random
from pathlib import Path

import pytest

from ck3parse.parser import parse_bytes

pytest.importorskip("ck3parse.parser._native")

from ck3parse.parser.native import sound_ck3_nodes

CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("check-cases.jsonl").read_text("ascii").splitlines()
]
TEXTS = [case["text"].encode() for case in CASES if "text" in case]
PIECES = (
    *("{", "}", "=", " ", "\n", '"', "#", "a", "b = c\n", "x = { y z }", "rgb { 1 2 3 }", "@a = 1"),
    *(
        "hsv",
        "[a]",
        "$B$",
        "é",
        "\ufeff",
        "1.2.3",
        "?=",
        "==",
        "a = rgb { 1 2 }",
        '"a b"',
        "|",
        ";",
    ),
)


def check(data: bytes, max_depth: int = 100) -> int | None:
    outcome = parse_bytes(data, "a.txt", mode="recover", dialect="ck3", max_depth=max_depth)
    nodes = sound_ck3_nodes(data, "a.txt", max_depth=max_depth)
    if nodes is not None:
        assert (outcome.success, outcome.diagnostics) == (True, []), data
        assert nodes == outcome.node_count, data
    return nodes


def test_of_sound_files() -> None:
    assert check(b"") == 1
    assert check(b"a = b\nc = { d = e 1 2 }\nf = rgb { 1 2 3 }\n") == 10


@pytest.mark.parametrize("data", [b"a = {", b"a = \xe9", b"\xff\xfea\x00"])
def test_of_others(data: bytes) -> None:
    assert check(data) is None


def test_too_deep() -> None:
    assert check(b"{{{}}}", max_depth=3) == 4
    assert check(b"{{{}}}", max_depth=2) is None


def test_of_cases_and_random_texts() -> None:
    choose = random.Random(25)
    assert any(check(text) is None for text in TEXTS)
    sound = 0
    for _ in range(5000):
        text = "".join(choose.choices(PIECES, k=choose.randrange(1, 9)))
        sound += check(text.encode()) is not None
    assert sound > 100
