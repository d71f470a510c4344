import pytest

from ck3parse.check.checker import Check, Checked, wants_bom
from ck3parse.check.formats import github
from ck3parse.check.rules import RULES, chosen
from ck3parse.config import Settings
from ck3parse.messages import Diagnostic
from ck3parse.parser import parser_in_use
from ck3parse.parser.diagnostics import CODES, TOO_MANY

WITH_EXAMPLE = [code for code, rule in RULES.items() if rule.bad and code != "CK3-E010"]


def test_every_code_of_the_parser_is_explained() -> None:
    assert {*CODES.values(), TOO_MANY} <= set(RULES)


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_an_example_has_what_it_is_for_and_is_set_right(code: str) -> None:
    check = Check(Settings(), parser_in_use(), chosen(["ALL"], [], []))

    def codes_of(text: str) -> list[str]:
        checked = check.text_of(b"\xef\xbb\xbf" + text.encode(), "a.txt")
        return [diagnostic.code for diagnostic in checked.diagnostics]

    assert codes_of(RULES[code].bad) == [code]
    assert codes_of(RULES[code].good) == []


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("mod/events/a.txt", True),
        ("mod\\common\\traits\\a.txt", True),
        ("common/coat_of_arms/coat_of_arms/a.txt", False),
        ("history/common.txt", False),
        ("events", False),
    ],
)
def test_wants_bom(path: str, wanted: bool) -> None:
    assert wants_bom(path) is wanted


def test_github_properties_are_escaped() -> None:
    diagnostic = Diagnostic(1, 2, 3, 4, "warning", "CK3-W002", "50%\n")
    line = github([Checked("a,b:c.txt", [diagnostic])], lambda _: b"")

    assert line == (
        "::warning file=a%2Cb%3Ac.txt,line=1,endLine=3,title=CK3-W002"
        "::50%25%0A; save the file as UTF-8\n"
    )
