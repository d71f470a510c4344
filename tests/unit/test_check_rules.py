import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ck3parse.cli import check, explain
from ck3parse.config import Settings
from ck3parse.lint.checker import Check, Checked
from ck3parse.lint.formats import github
from ck3parse.lint.rules import RULES, select_codes
from ck3parse.lint.rules.encoding import wants_bom
from ck3parse.lint.rules.rule import Finding, Place, Rule, Source
from ck3parse.messages import Diagnostic
from ck3parse.parser import parser_in_use
from ck3parse.parser.grammar_tables import CODES, SEVERITIES, TOO_MANY, TOO_MANY_SEVERITY

WITH_EXAMPLE = [code for code, rule in RULES.items() if rule.bad and code != "CK3-E010"]


def test_every_code_of_the_parser_is_explained() -> None:
    assert {*CODES.values(), TOO_MANY} <= set(RULES)


def test_a_rule_has_the_severity_that_the_parser_reports() -> None:
    severities = {code: SEVERITIES[kind] for kind, code in CODES.items()}
    severities[TOO_MANY] = TOO_MANY_SEVERITY
    assert {code: RULES[code].severity for code in severities} == severities


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_an_example_has_what_it_is_for_and_is_set_right(code: str) -> None:
    # Each character can be in a word of `ck3`.
    settings = Settings(dialect="ck3raven" if code == "CK3-E002" else "ck3")
    check = Check(settings, parser_in_use(), select_codes(["ALL"], [], []))

    def codes_of(text: str) -> list[str]:
        name = "a_l_english.yml" if code.startswith("CK3-L") else "a.txt"
        checked = check.check_bytes(b"\xef\xbb\xbf" + text.encode(), name)
        return [diagnostic.code for diagnostic in checked.diagnostics]

    assert codes_of(RULES[code].bad) == [code]
    assert codes_of(RULES[code].good) == []


def test_the_page_has_each_warning_and_the_examples_of_the_dialect_ck3() -> None:
    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text("utf-8")
    warnings = re.findall(r"^\| (W\d+) \| .* \| (on|off) \|$", page, re.MULTILINE)
    assert warnings == [
        (code.removeprefix("CK3-"), "on" if rule.on else "off")
        for code, rule in sorted(RULES.items())
        if rule.severity == "warning" and not code.startswith("CK3-L")
    ]
    examples = re.findall(r"^\| ([EW]\d+) \| `(.*?)`.* \| `(.*)` \|$", page, re.MULTILINE)
    assert examples == [
        (code, RULES[f"CK3-{code}"].bad, RULES[f"CK3-{code}"].good)
        for code in ("E013", "W101", "W102", "W103", "W104", "W105")
    ]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("events/a.txt", True),
        ("Common/traits/a.txt", True),
        ("common/coat_of_arms/coat_of_arms/a.txt", False),
        ("common/bookmark_portraits/a.txt", False),
        ("history/common/a.txt", False),
        ("gfx/events/a.txt", False),
        ("events", False),
    ],
)
def test_wants_bom(path: str, wanted: bool) -> None:
    assert wants_bom(Place(path)) is wanted
    assert not wants_bom(Place(path, of_ck2=True))


def test_github_properties_are_escaped() -> None:
    diagnostic = Diagnostic(1, 2, 3, 4, "warning", "CK3-W002", "50%\n")
    line = github([Checked("a,b:c.txt", [diagnostic])], lambda _: b"")

    assert line == (
        "::warning file=a%2Cb%3Ac.txt,line=1,endLine=3,title=CK3-W002"
        "::50%25%0A; save the file as UTF-8\n"
    )


def find_tabs(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.split("\n"), 1):
        if "\t" in line:
            yield Finding(number, line.index("\t") + 1, 1, "a tab")


@pytest.fixture
def new_rule(monkeypatch: pytest.MonkeyPatch) -> Rule:
    rule = Rule(
        "CK3-W900", "warning", "tab", help="use spaces", why="There is a tab.", bad="\ta",
        find=find_tabs, applies_to=lambda place: "history" not in place.path, on=False,
    )  # fmt: skip
    monkeypatch.setitem(RULES, rule.code, rule)
    return rule


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    for name in ("events", "history"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("\ufeffa = 1\n\tb = 2\n", encoding="utf-8")
    return tmp_path


def run_check(mod: Path, *args: str) -> Result:
    cache = str(mod / "cache.sqlite")
    return CliRunner().invoke(check.command, [str(mod), "--cache", cache, *args])


@pytest.mark.usefixtures("new_rule")
def test_an_entry_is_all_that_a_new_rule_needs(mod: Path) -> None:
    assert run_check(mod).exit_code == 0
    for selection in ("--select=W900", "--extend-select=w9", "--select=ALL"):
        found = run_check(mod, selection, "--format=concise")
        assert found.exit_code == 1
        assert found.stdout == f"{mod}/events/a.txt:2:1: CK3-W900 a tab\n"
    assert run_check(mod, "--select=ALL", "--ignore=W900").exit_code == 0
    assert "= help: use spaces" in run_check(mod, "--select=W900").stdout
    assert run_check(mod, "--select=W9", "--statistics").stdout == "      1  CK3-W900  tab\n"
    log = mod / "check.sarif"
    run_check(mod, "--select=W900", "--format=sarif", f"--output-file={log}")
    [run] = json.loads(log.read_text("utf-8"))["runs"]
    assert run["results"][0]["ruleId"] == run["tool"]["driver"]["rules"][-1]["id"] == "CK3-W900"
    explained = CliRunner().invoke(explain.command, ["w900"]).stdout
    assert explained.startswith("CK3-W900: tab (off by default)\n\nThere is a tab.\n")
    assert "CK3-W900  tab (off by default)\n" in CliRunner().invoke(explain.command).stdout


def test_a_new_rule_that_is_on_is_found_in_files_that_the_cache_knows(
    new_rule: Rule, mod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.delitem(RULES, new_rule.code)
        assert run_check(mod).exit_code == 0
    monkeypatch.setitem(RULES, new_rule.code, new_rule._replace(on=True))
    assert run_check(mod).exit_code == 1
