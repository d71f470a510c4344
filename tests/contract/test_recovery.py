"""Recovery: its diagnostics for small broken texts, and what it keeps of any text."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ck3parse.parser import ParseOutcome, reference
from ck3parse.parser.diagnostics import MAX_DIAGNOSTICS
from ck3parse.parser.grammar_tables import CK3RAVEN, CODES, TOO_MANY, ErrorKind
from ck3parse.parser.recovery import recover

from .test_properties import FIXTURES, SOUPS, TEXTS, as_read, nodes_in

SIZE = 100_000

CASES: dict[str, tuple[str, list[str]]] = {
    "missing closing brace, next key at its level": (
        "a = {\n\tb = {\n\t\tc = 1\n\td = 2\n}\ne = 3",
        ["3:8-3:8 E008 expected a } here, for the block `b`, opened in line 2"],
    ),
    "missing closing brace, then the parent's": (
        "a = {\n\tb = {\n\t\tc = 1\n}\ne = 3",
        ["3:8-3:8 E008 expected a } here, for the block `b`, opened in line 2"],
    ),
    "missing closing brace, lines of comment before the next key": (
        "a = {\n\tb = 1\n\t# of a\n\n# of c\nc = 2",
        ["3:8-3:8 E008 expected a } here, for the block `a`, opened in line 1"],
    ),
    "missing closing brace of a date": (
        "a = {\n\t1066.9.1 = {\n\t\tb = 1\n\t1067.1.1 = {\n\t\tb = 2\n\t}\n}",
        ["3:8-3:8 E008 expected a } here, for the block `1066.9.1`, opened in line 2"],
    ),
    "missing closing brace of a list on one line": (
        "a = {\n\tb = { 1 2\n\tc = 1\n}",
        ["2:11-2:11 E008 expected a } here, for the block `b`, opened in line 2"],
    ),
    "missing closing brace at the end": (
        "a = {\n\tb = 1\n",
        ["2:7-2:7 E008 expected a } here, for the block `a`, opened in line 1"],
    ),
    "block whose content is not indented": (
        "a = {\n\nb = {\n\tc = 1\n}\n",
        ["1:5-1:6 E008 the block `a`, opened in line 1, is never closed"],
    ),
    "odd indentation before the block that lacks its brace": (
        "a = {\n\tb = {\n\t\tc = 1\n}\n\td = {\n\t\te = 1\n\t}\n\tf = {\n\t\tg = 1\n}\nh = 1",
        ["9:8-9:8 E008 expected a } here, for the block `f`, opened in line 8"],
    ),
    "closing brace one too many": (
        "a = {\n\tb = 1\n\t}\n\tc = 2\n}",
        ["3:2-3:3 E004 one } too many: with it, what follows is outside of its block"],
    ),
    "closing brace doubled at a line's end": (
        "a = {\n\tb = {\n\t\tc = { d = 1 }}\n\t}\n}\ne = 1",
        ["3:16-3:17 E004 one } too many: with it, what follows is outside of its block"],
    ),
    "closing brace at the top level": (
        "a = 1\n}\nb = 2",
        ["2:1-2:2 E004 one } too many: with it, what follows is outside of its block"],
    ),
    "opening brace doubled": (
        "a = {{\n\tb = 1\n}\nc = 2",
        ["1:6-1:7 E012 one { too many: the block `a`, opened in line 1, is closed only once"],
    ),
    "missing opening brace, content on the next line": (
        "a = {\n\tif =\n\t\tb = 1\n\t}\n}",
        ["2:5-2:6 E011 expected a { after `if` and its operator: a } below closes it"],
    ),
    "missing opening brace on one line": (
        "a = {\n\tlimit = b = 1 }\n\tc = 2\n}",
        ["2:8-2:9 E011 expected a { after `limit` and its operator: a } below closes it"],
    ),
    "missing value before a closing brace": (
        "a = {\n\tb =\n}\nc = 1",
        ["2:4-2:5 E006 expected a value after `b` and its operator, found none"],
    ),
    "missing value before the next key": (
        "a =\nb = 1",
        ["1:3-1:4 E006 expected a value after `a` and its operator, found none"],
    ),
    "missing value at the end": (
        "a = 1\nb >= ",
        ["2:3-2:5 E006 expected a value after `b` and its operator, found none"],
    ),
    "one = too many": (
        "a = { b = c = d }\ne = 1",
        ["1:13-1:14 E003 expected a key, a value or a brace, found `=`"],
    ),
    "doubled =": (
        "a = = b\nc = 1",
        ["1:5-1:6 E005 expected a value after the operator, found `=`"],
    ),
    "unclosed string": (
        'a = "b c\nd = "e"',
        ['1:5-1:9 E001 this " opens a string that is not closed on its line'],
    ),
    "unclosed string in a list of them": (
        'a = {\n\t"b\n\t"c"\n}',
        ['2:2-2:4 E001 this " opens a string that is not closed on its line'],
    ),
    "unclosed string before a closing brace": (
        'a = { b = "c }\nd = "e"',
        ['1:11-1:13 E001 this " opens a string that is not closed on its line'],
    ),
    "stray characters": (
        "a = b \\\\ c ! d",
        ["1:7-1:9 E002 unexpected character `\\\\`", "1:12-1:13 E002 unexpected character `!`"],
    ),
    "no name": (
        "@ = 1\n@yes\nb = 2",
        [
            "1:3-1:4 E007 expected a name after @, found `=`",
            "2:2-2:5 E007 expected a name after @, found `yes`",
        ],
    ),
    "unclosed inline expression": (
        "a = @[ b + c\nd = 1",
        ["1:5-1:6 E009 this @[ is never closed"],
    ),
    "too deep": (
        "a = {{{{ b = 1 }}}}\nc = 1",
        ["1:8-1:9 E010 braces are nested deeper than the limit of 3"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said(parser: ModuleType, case: str) -> None:
    source, said = CASES[case]

    outcome = parser.parse_text(source, "case.txt", mode="recover", max_depth=3)

    assert [
        f"{d.line}:{d.column}-{d.end_line}:{d.end_column} {d.code.removeprefix('CK3-')} {d.message}"
        for d in outcome.diagnostics
    ] == said


@pytest.mark.parametrize(
    ("source", "sound"),
    [
        ("a = {\n\tb = {\n\t\tc = 1\n\td = 2\n}\ne = 3", "a={b={c=1} d=2} e=3"),
        ("a = {\n\tb = 1\n\t}\n\tc = 2\n}\nd = 1", "a={b=1 c=2} d=1"),
        ("a = {\n\tif =\n\t\tb = 1\n\t}\n}", "a={if={b=1}}"),
        ("a = { b = c = d }\ne = 1", "a={b=c} e=1"),
        ("a = = b\nc = 1", "a=b c=1"),
        ("a =\nb = 1", "b=1"),
        ('a = "b c\nd = "e"', 'a="b c" d="e"'),
        ('a = { b = "c }\nd = "e"', 'a={b="c"} d="e"'),
        ("a = b \\ c ! d", "a=b c d"),
        ("a = @[ b + c\nd = 1", "a=@[b + c] d=1"),
        ("a = {{{{ b = 1 }}}}\nc = 1", "a={{{}}} c=1"),
        ("a = {{\n\tb = 1\n}\nc = 2", "a={{b=1}} c=2"),
        ("} ; a = 1 = [ x ]\n{ b, ; } \xa0 c", "a=1 {b} c"),
    ],
)
def test_what_is_kept(parser: ModuleType, source: str, sound: str) -> None:
    recovered = parser.parse_text(source, "case.txt", mode="recover", max_depth=3)
    whole = parser.parse_text(sound, "case.txt")

    assert not recovered.success
    assert without_places(recovered.ast_json) == without_places(whole.ast_json)
    assert recovered.node_count == whole.node_count


def without_places(ast_json: bytes) -> Any:
    return json.loads(
        ast_json,
        object_hook=lambda node: {k: v for k, v in node.items() if k not in ("line", "column")},
    )


def test_the_first_diagnostic_is_the_error(parser: ModuleType) -> None:
    outcome = parser.parse_text("a = }\nb = \\", "case.txt", mode="recover")

    first = outcome.diagnostics[0]
    assert outcome.error_type == "ParseError"
    assert (outcome.error, outcome.line, outcome.column) == (
        first.message,
        first.line,
        first.column,
    )


@pytest.mark.parametrize(("more", "words"), [(1, "1 more error"), (1_134, "1,134 more errors")])
def test_diagnostics_are_capped(parser: ModuleType, more: int, words: str) -> None:
    text = "\\\n" * (MAX_DIAGNOSTICS + more)
    outcome = parser.parse_text(text, "case.txt", mode="recover")

    assert len(outcome.diagnostics) == MAX_DIAGNOSTICS + 1
    last = outcome.diagnostics[-1]
    assert (last.line, last.code) == (MAX_DIAGNOSTICS + 1, TOO_MANY)
    assert last.message == f"and {words} from here on"


def test_every_kind_has_a_code() -> None:
    assert set(CODES) == set(ErrorKind)
    assert len(set(CODES.values())) == len(CODES)


def check(outcome: ParseOutcome, strict: ParseOutcome) -> None:
    """Check the properties of an outcome of recovery."""
    if strict.success:
        assert outcome == strict
        return
    assert outcome.ast_json is not None
    tree = json.loads(outcome.ast_json)
    assert outcome.node_count == nodes_in(tree)
    assert outcome.ast_json == json.dumps(tree, separators=(",", ":")).encode("ascii")
    assert outcome.error_type in ("LexerError", "ParseError")
    places = [(d.line, d.column) for d in outcome.diagnostics]
    assert places == sorted(places)
    assert places[0] == (outcome.line, outcome.column)
    assert all((d.line, d.column) <= (d.end_line, d.end_column) for d in outcome.diagnostics)
    assert all(d.severity == "error" and d.message for d in outcome.diagnostics)


@settings(deadline=None, max_examples=600)
@given(text=TEXTS, max_depth=st.sampled_from([10_000, 3]))
def test_any_text(parser: ModuleType, text: str, max_depth: int) -> None:
    outcome = parser.parse_text(text, "a.txt", mode="recover", max_depth=max_depth)

    check(outcome, parser.parse_text(text, "a.txt", max_depth=max_depth))
    assert outcome == reference.parse_text(text, "a.txt", mode="recover", max_depth=max_depth)


@settings(deadline=None, max_examples=300)
@given(data=st.one_of(st.binary(), SOUPS.map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes(parser: ModuleType, data: bytes) -> None:
    outcome = parser.parse_bytes(data, "a.txt", mode="recover")

    text = as_read(data.decode("utf-8", "replace"))
    assert outcome == reference.parse_text(text, "a.txt", mode="recover")


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_truncated_at_every_character(parser: ModuleType, path: Path) -> None:
    text = path.read_text("utf-8-sig")

    for end in range(len(text)):
        outcome = parser.parse_text(text[:end], path.name, mode="recover")
        check(outcome, parser.parse_text(text[:end], path.name))
        assert outcome == reference.parse_text(text[:end], path.name, mode="recover")


@pytest.mark.parametrize(
    "path", [path for path in FIXTURES if path.name != "broken.txt"], ids=lambda path: path.name
)
def test_the_recovering_parser_reads_a_sound_file_as_the_strict_one(path: Path) -> None:
    text = path.read_text("utf-8-sig")

    recovered = recover(text, path.name, CK3RAVEN, 10_000)

    strict = reference.parse_text(text, path.name)
    assert (recovered.ast_json, recovered.node_count) == (strict.ast_json, strict.node_count)
    assert recovered.faults == []


@pytest.mark.parametrize(
    ("opening", "repeated"),
    [
        *[("", text) for text in ["{", "}", '"', "'", '"\\', '\\"\n', '"\\"}', "@[", "@[\n", "@["]],
        *[("", text) for text in ["a={\n", "a={{", "a=b=", "a=\n", "=", "\\", "\\\n", ";", "- "]],
        *[("{", text) for text in ["}}", "a={\n}", " a = {\n", "\na = 1\n}", '"\nb = 1\n']],
        *[("{" * 9_999 + "\n", text) for text in ["}\n}", "a=1\n", "{}}"]],
        *[("@[", text) for text in ["[", "a\n", "=", "[=\n"]],
        *[('"', text) for text in ["a\n", "a = \n", "}", "\\\n", "'\n"]],
    ],
)
def test_hostile_text_returns(parser: ModuleType, opening: str, repeated: str) -> None:
    text = opening + repeated * (SIZE // len(repeated))

    outcome = parser.parse_text(text, "a.txt", mode="recover")

    assert outcome.ast_json is not None


@pytest.mark.timeout(120)
def test_many_blocks_that_end_before_many_lines(parser: ModuleType) -> None:
    """Issue 19, line 7."""
    lines = "\t\t# b\n\n" * 150_000
    text = "a = {\n\tb " + "{ " * 100_000 + "c\n" + lines

    outcome = parser.parse_text(text, "a.txt", mode="recover", max_depth=200_000)

    places = {(each.code, each.line, each.column) for each in outcome.diagnostics[:-1]}
    assert places == {("CK3-E008", 300_001, 6)}


@settings(deadline=None, max_examples=200)
@given(
    lines=st.lists(
        st.tuples(st.sampled_from(["", " ", "\t", "\t\t", "\t\t\t"]), st.sampled_from(["", "# c"])),
        max_size=12,
    ),
    indent=st.sampled_from(["", "\t", "\t\t"]),
)
def test_the_last_line_of_a_block(
    parser: ModuleType, lines: list[tuple[str, str]], indent: str
) -> None:
    """Issue 19, line 7: lines with more indentation, up to the first one without."""
    block = f"{indent}a = {{ b\n"
    text = block + "".join(f"{blanks}{comment}\n" for blanks, comment in lines)
    expected = 1, len(block)
    for number, (blanks, comment) in enumerate(lines, 2):
        if len(blanks.replace("\t", "    ")) > len(indent) * 4:
            expected = number, len(blanks + comment if comment else "") + 1
        elif comment:
            break

    outcome = parser.parse_text(text, "a.txt", mode="recover")

    [found] = outcome.diagnostics
    assert (found.line, found.column) == expected
