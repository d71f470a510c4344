"""Properties of all outcomes: no exception, valid JSON, and the same from all parsers."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ck3parse.parser import ParseOutcome, reference

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("*.txt"))
MEGABYTE = 1_000_000

TOKENS = st.sampled_from(
    [
        *["=", "<", ">", "<=", ">=", "!=", "==", "?=", "?", "!", "-", "@", "@[", "[", "]"],
        *["{", "}", "{", "}", "{", "}", ":", "+", "*", "/", ",", ";", "`", "(", "%", "&", "\x00"],
        *[
            "a",
            "b.c",
            "yes",
            "no",
            "x-y",
            "_",
            ".5",
            "1e5",
            "it's",
            "scope:a",
            "Å",
            "李",
            "𠀀",
            "Ⅷ",
        ],
        *["0", "12", "-3", "3.14", "1.", "29%", "1066.1.1", "²", "٣", "½", "12a", "-1a"],
        *['"s"', "'t'", '""', '"a\nb"', r'"\n\\\""', r"'\''", '"', "'", "\\", '"é😀"', "\x7f"],
        *["$P$", "$P", "$$", "$", "-$P$", "@v", "-@v", "@yes", "# c\n", "#", "\ufeff", "\ud800"],
        *["a = b", "a = {", "{ 1 2 3 }", '"k" = "v"', "@[a + 1]", "1 2 3 = 4"],
    ]
)
SEPARATORS = st.sampled_from(["", " ", " ", "\n", "\t", "\r", "\r\n", "  ", "#c\n", "\xa0"])
SOUPS = st.lists(st.tuples(TOKENS, SEPARATORS), max_size=40).map(
    lambda pairs: "".join(token + separator for token, separator in pairs)
)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A part of a fixture, in which some text is cut out, doubled or replaced."""
    text = draw(st.sampled_from(FIXTURES)).read_text("utf-8-sig")
    start = draw(st.integers(0, len(text)))
    text = text[start : start + 300]
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(text)))
        last = draw(st.integers(first, min(first + 5, len(text))))
        middle = draw(st.one_of(TOKENS, st.just(""), st.just(text[first:last] * 2)))
        text = text[:first] + middle + text[last:]
    return text


TEXTS = st.one_of(st.text(max_size=60), SOUPS, mutants())


def nodes_in(node: Any) -> int:
    """Count the nodes of a JSON tree."""
    if isinstance(node, list):
        return sum(map(nodes_in, node))
    return 1 + sum(map(nodes_in, node.values())) if isinstance(node, dict) else 0


def check(outcome: ParseOutcome) -> None:
    """Check the properties of an outcome."""
    if not outcome.success:
        assert outcome.ast_json is None
        assert outcome.node_count == 0
        assert outcome.error_type in ("LexerError", "ParseError")
        assert outcome.error
        assert outcome.line is not None
        assert outcome.line >= 1
        assert outcome.column is not None
        assert outcome.column >= 1
        return
    assert outcome.ast_json is not None
    tree = json.loads(outcome.ast_json)
    assert outcome.node_count == nodes_in(tree)
    assert outcome.ast_json == json.dumps(tree, separators=(",", ":")).encode("ascii")
    assert (outcome.error_type, outcome.error, outcome.line, outcome.column) == (None,) * 4


def as_read(text: str) -> str:
    """Return the text of a file as section 1 of the contract defines it."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


@settings(deadline=None, max_examples=1500)
@given(text=TEXTS, max_depth=st.sampled_from([10_000, 3]))
def test_any_text(parser: ModuleType, text: str, max_depth: int) -> None:
    outcome = parser.parse_text(text, "a.txt", max_depth=max_depth)

    check(outcome)
    assert outcome == reference.parse_text(text, "a.txt", max_depth=max_depth)


@settings(deadline=None, max_examples=500)
@given(text=TEXTS)
def test_bytes_are_their_text(parser: ModuleType, text: str) -> None:
    data = text.encode("utf-8", "replace")

    outcome = parser.parse_bytes(data, "a.txt")

    assert outcome == parser.parse_text(as_read(data.decode()), "a.txt")


@settings(deadline=None, max_examples=500)
@given(data=st.one_of(st.binary(), st.binary().map(lambda data: b'a = "' + data + b'" b')))
def test_any_bytes(parser: ModuleType, data: bytes) -> None:
    outcome = parser.parse_bytes(data, "a.txt")

    check(outcome)
    assert outcome == reference.parse_text(as_read(data.decode("utf-8", "replace")), "a.txt")


@settings(deadline=None, max_examples=300)
@given(source=SOUPS, lines=st.integers(0, 3))
def test_lines_before_move_the_error(parser: ModuleType, source: str, lines: int) -> None:
    before = parser.parse_text(source, "")

    after = parser.parse_text("#\n" * lines + source, "")

    assert after.success == before.success
    assert (after.error, after.column) == (before.error, before.column)
    if not before.success:
        assert after.line == before.line + lines


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_truncated_at_every_character(parser: ModuleType, path: Path) -> None:
    text = path.read_text("utf-8-sig")
    whole = parser.parse_bytes(path.read_bytes(), path.name)

    check(whole)
    assert whole.success == (path.name != "broken.txt")
    for end in range(len(text)):
        outcome = parser.parse_text(text[:end], path.name)
        check(outcome)
        assert outcome == reference.parse_text(text[:end], path.name)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_truncated_at_every_byte(parser: ModuleType, path: Path) -> None:
    data = path.read_bytes()

    for end in range(len(data)):
        outcome = parser.parse_bytes(data[:end], path.name)
        assert outcome == reference.parse_bytes(data[:end], path.name)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("opening", "repeated"),
    [
        *[
            ("", character)
            for character in "{}\"'@$\\#;,`-=?!:[ \n\t\r.a1_%\x00\u00b2\u00e9\U00020000"
        ],
        *[("", pair) for pair in ["@[", "a=", '\\"', '"\\', "-@", "1 ", "1.", "{}", "{ ", "a={"]],
        *[
            ("", text)
            for text in ["a #\n", "a\n=\n", "1 1=", "=-", "}\n", "a\n#", "é=é ", "'a'=", "$a"]
        ],
        *[("{", text) for text in [",", "; a ", "a,", "} {", "{}", "1 \n", '"\n" ', "@[] ", "@a "]],
        *[("{" * 9_999, text) for text in ["{}", "{ } ", "a={}", "} {", "} \n"]],
        *[("@[", text) for text in ["[", "]", "[]", "a ", "{", '"" ', "$"]],
        *[("=", text) for text in ["a", "{", "=", "a\n", '""', "a=b "]],
        *[('"', text) for text in ["a", "\n", "\\", '\\"', "é"]],
        *[("a = ", text) for text in [" ", "\n", "#\n", "-", "<", "-\n"]],
    ],
)
def test_hostile_megabyte_returns(parser: ModuleType, opening: str, repeated: str) -> None:
    text = opening + repeated * (MEGABYTE // len(repeated))

    outcome = parser.parse_text(text, "a.txt")

    assert outcome.success == (outcome.ast_json is not None)
    assert outcome.success == (outcome.line is None)


@pytest.mark.parametrize("opened", ["{", "a={"])
def test_default_depth(parser: ModuleType, opened: str) -> None:
    outcome = parser.parse_text(opened * 100_000 + "}" * 100_000, "a.txt")

    assert (outcome.error_type, outcome.line) == ("ParseError", 1)
    assert outcome.column == 10_001 * len(opened)
    assert outcome.error == "braces are nested deeper than the limit of 10000"


@pytest.mark.thorough
@pytest.mark.parametrize("opened", ["{", "a={", "a\n=\n{"])
def test_depth_of_a_million(parser: ModuleType, opened: str) -> None:
    text = opened * 1_000_000 + "}" * 1_000_000

    outcome = parser.parse_text(text, "a.txt", max_depth=1_000_000)

    assert outcome.success
    assert outcome.node_count == 1_000_001
    assert outcome.ast_json.endswith(b"[" + b"]}" * 1_000_001)
