"""The signs that the native module finds spare rules from looking, and lose no finding."""

import json
import random
from pathlib import Path

import pytest

from ck3parse.lint.file_check import find_all
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.rule import Rule, Source
from ck3parse.lint.rules.signs import HOLD_KEYS, ONCE, Sign, signs_of
from ck3parse.parser import parse_bytes

pytest.importorskip("ck3parse.parser._native")

WITH_SIGN = [rule for rule in RULES.values() if rule.sign]
CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("check-cases.jsonl").read_text("ascii").splitlines()
]
TEXTS = [
    *(case["text"].encode() for case in CASES if "text" in case),
    *(rule.bad.encode() for rule in WITH_SIGN),
]
PIECES = (
    *('"{}=<>?!#;@[]. \t\n_', "\u3000", "é", "yes", "no", "==", "theme = a", "theme = b", "\n}"),
    *("limit = { a b }", "{ a b }", "x y\n", "= a b", "every_x", "1 2", "\x1c", '"a"'),
)


def source_of(data: bytes) -> Source:
    return Source(data, parse_bytes(data, "a.txt", mode="recover", dialect="ck3"))


@pytest.mark.parametrize("seed", range(8))
def test_what_rules_find_has_a_sign(seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(400):
        text = choose.choice(TEXTS).decode("utf-8", "replace")
        for _ in range(choose.randrange(6)):
            at = choose.randrange(len(text) + 1)
            text = text[:at] + choose.choice(PIECES) + text[at + choose.randrange(3) :]
        source = source_of(text.encode())
        signs = signs_of(source.text, native=True)
        assert find_all(WITH_SIGN, source, signs) == find_all(WITH_SIGN, source), text


@pytest.mark.parametrize("rule", WITH_SIGN, ids=lambda rule: rule.code)
def test_an_example_has_the_sign_of_its_rule(rule: Rule) -> None:
    assert rule.sign
    assert signs_of(source_of(rule.bad.encode()).text, native=True) & rule.sign


def test_ordinary_script_has_no_sign() -> None:
    keys = "\n".join(f"a = {{\n\t{key} = {{ b = c }}\n}}" for key in (*ONCE, *HOLD_KEYS))
    text = f'{keys}\nb = {{ 1 2 3 }} c = "x y" # d e "\nlist = {{ d e }}\n'
    assert signs_of(text, native=True) == Sign(0)
