"""The time that `check` takes for texts that once took it minutes or hours."""

import pytest

from ck3parse.config import Settings
from ck3parse.lint.checker import Check, Checked
from ck3parse.lint.file_check import find_all
from ck3parse.lint.formats import FORMATS
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.rule import Source
from ck3parse.lint.suppression import without_suppressed
from ck3parse.messages import Diagnostic
from ck3parse.parser import ParseOutcome, parser_in_use

SIZE = 1_500_000
WITH_FUNCTION = [rule for rule in RULES.values() if rule.find]

HOSTILE = {
    "operators": "= < > <= >= != == ?= ",
    "equals": "=",
    "keys before braces on one line": "{ a { ",
    "keys before braces in one comment": "#{ a { ",
    "braces that close": "} ",
    "values without operators": "= a\nb c\nd = 1\n",
    "blanks": " \t",
    "blanks after an equals": "== ",
    "quotes": '"',
    "escaped quotes": '"\\',
    "comments": "#",
    "lines of comment": "#\n",
    "comments of no use": "# ck3parse:  ",
    "comments that ignore all": "# ck3parse: ignore[A,",
    "indentation": " \ta\n",
    "NUL": "\0",
    "names": "é",
    "keys": "a.b:c ",
    "line ends": "\r",
    "pairs of words": "\na b",
    "pairs of words in blocks": "if = { a yes } ",
    "pairs of words in blocks in a comment": "# if = { a yes } ",
    "pairs of words, and blank lines": "a b\n\n\n\n",
    "one long word, and pairs of words": "\na b\n" + "x" * 1000,
    "values": "a ",
    "values that are strings": '= "a" ',
    "values before a semicolon": "= a a a a;",
    "quotes in words": 'a"b" ',
    "strings that run over script": 'a = "b\n',
    "a key that is read once": "theme = a\n",
    "a key that is read once, in blocks": "{\ntheme = a\n",
}


def found_in(data: bytes) -> list[Diagnostic]:
    """Return what every rule finds, without what a comment suppresses."""
    source = Source(data, ParseOutcome(False))
    return without_suppressed(find_all(WITH_FUNCTION, source), source.text)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("title", HOSTILE)
def test_warnings_take_linear_time(title: str) -> None:
    """Issue 19, line 7."""
    piece = HOSTILE[title].encode()
    data = b"a == { b c { " + piece * (SIZE // len(piece)) + b"\n# ck3parse: ignore\n"

    found = found_in(data)

    assert len([each for each in found if each.code == "CK3-W004"]) == ("ignore" not in title)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("output", FORMATS)
def test_many_warnings_at_the_end_of_one_long_line(output: str) -> None:
    """Issue 19, line 7."""
    data = b"a = { " + b"'\xe5\x90' " * 200 + b"a " * SIZE + b'== "b" ' * 200 + b"# ck3parse:"
    found = found_in(data)

    report = FORMATS[output]([Checked("events/a.txt", found)], lambda _: data)

    assert len(found) == 102
    assert report.count("CK3-W004") >= 100


@pytest.mark.timeout(120)
def test_the_operators_of_the_issue() -> None:
    """Issue 19, line 7."""
    check = Check(Settings(), parser_in_use(), frozenset(RULES))

    checked = check.check_bytes(b"= < > <= >= != == ?= " * 30_000, "events/a.txt")

    assert {each.code for each in checked.diagnostics} >= {"CK3-E003", "CK3-W001"}
