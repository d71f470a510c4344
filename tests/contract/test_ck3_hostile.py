"""Dialect `ck3` takes linear time for every text."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from ck3parse.parser import reference

SIZE = 1_500_000
STEPS = 1_500
"""The length of the shorter text whose steps are counted."""

HOSTILE = {
    "open braces": "{",
    "closing braces": "}",
    "quotes": '"',
    "dollars": "$",
    "assignments": "a=",
    "empty blocks": "a={}",
    "values": "a ",
    "unclosed blocks": "a={\n",
    "unclosed blocks, indented": "\ta = {\n b = 1\n",
    "stray braces": "\n } ",
    "expressions": "@[",
    "expressions, a line each": "@[ a\n",
    "expressions before braces": "@[ {",
    "expressions before braces, a line each": "@[ }\n@[",
    "expressions in expressions": "@[[",
    "unclosed strings": '"a\n}\n',
    "strings that run over script": 'a = "b\n',
    "operators": "= =>",
    "one operator": "=",
    "no value": "a =\n",
    "directives": "@:insert ",
    "parameters": "a$b",
    "unusual characters": "(a ",
    "one unusual word": "(",
    "commas": ", ",
    "no-break spaces": "a\u00a0",
    "one space of many": "\u3000",
    "CR": "a\r",
    "comments with CR": "#\r",
    "wide names": "\u540d = \u5b57 ",
    "one wide name": "\u540d",
    "tags": "a = rgb\n",
    "blocks without an operator": "a { ",
}


def steps_of(run: Callable[[], object]) -> int:
    """Return how many lines of Python a function runs."""
    steps = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        del frame, argument
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        run()
    finally:
        sys.settrace(before)
    return steps


def text_of(title: str, size: int) -> bytes:
    piece = HOSTILE[title].encode()
    # An odd number of them, so that the last quote is open in texts of any size.
    return piece * (size // len(piece) | 1)


@pytest.mark.parametrize("title", HOSTILE)
def test_twice_the_text_takes_twice_the_steps(title: str) -> None:
    def steps(size: int) -> int:
        text = text_of(title, size)
        return steps_of(lambda: reference.parse_bytes(text, "", dialect="ck3"))

    once, twice = steps(STEPS), steps(2 * STEPS)

    assert twice <= 2.1 * once + 100


@pytest.mark.timeout(120)
@pytest.mark.parametrize("title", HOSTILE)
def test_a_long_text(title: str) -> None:
    # A search to the end of the text for each character would take minutes.
    native = pytest.importorskip("ck3parse.parser.native", exc_type=ModuleNotFoundError)
    outcome = native.parse_bytes(text_of(title, SIZE), "", max_depth=50, dialect="ck3")

    assert outcome.ast_json
