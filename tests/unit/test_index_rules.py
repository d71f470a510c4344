"""The rules of `ck3/1`, and how a worker answers a request for its rows."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ck3parse.config import Settings
from ck3parse.extractors import ck3
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.messaging.acceptance import Acceptance, NotAcceptedError
from ck3parse.worker.handler import request_handler

KEPT_IN = {"constant", "local_scripted_effect", "local_scripted_trigger", "local_gui_template"}


def test_each_rule_is_complete() -> None:
    rules = ck3.rules()

    assert len(rules) > 200
    assert [rule.id for rule in rules if rule.find not in ck3.finders()] == []
    for field in ("id", "kind"):
        counts = Counter(getattr(rule, field) for rule in rules)
        assert [value for value, count in counts.items() if count > 1] == []
    folders = [rule.folder for rule in rules if rule.folder]
    assert [folder for folder in folders if folder != folder.lower().strip("/")] == []
    assert {rule.kind for rule in rules if rule.wins == "local"} == KEPT_IN


def test_the_kinds_of_nested_definitions_have_rules() -> None:
    kinds = {
        kind
        for finder in ck3.finders().values()
        for kind in (
            *(nested.kind for nested in finder.nested),
            *(declared.kind for declared in finder.declared),
            finder.named,
        )
        if kind
    }

    assert kinds <= {rule.kind for rule in ck3.rules()}


@pytest.mark.parametrize(
    ("path", "rule_id"),
    [
        ("common/traits/a.txt", "common/traits"),
        ("Common\\Traits\\sub\\A.txt", "common/traits"),
        ("common/culture/traditions/a.txt", "common/culture/traditions"),
        ("common/culture/unknown/a.txt", "common/culture"),
        ("common/unknown/b/a.txt", "common/unknown"),
        ("common/\udcff/a.txt", "common/?"),
        ("common/a.txt", "common"),
        ("commons/traits/a.txt", "other"),
        ("mods/common/traits/a.txt", "other"),
        ("a.txt", "other"),
        ("", "other"),
        ("events/dlc/a.txt", "events"),
        ("gui/window.gui", "gui"),
        ("gui/scripted_widgets/a.txt", "gui/scripted_widgets"),
        ("localization/english/a_l_english.yml", "localization"),
    ],
)
def test_the_rule_of_a_file(path: str, rule_id: str) -> None:
    assert ck3.rule_of(path).id == rule_id


def test_the_rule_of_a_kind() -> None:
    assert ck3.rule_of_kind("faith").wins == "file"
    assert ck3.rule_of_kind("unknown") == ck3.rule_of("common/unknown/a.txt")
    assert ck3.rule_of_kind("unknown").wins == "last"


def test_the_rules_in_the_docs_are_up_to_date() -> None:
    make = Path(__file__).parents[2] / "docs" / "make_index_rules.py"
    subprocess.run([sys.executable, make, "--check"], check=True)


def answer(**fields: Any) -> ParseResult:
    """Return a worker process's result for a text."""
    request = ParseRequest("1", text="brave = { a = b", relpath="common/traits/a.txt")
    return request_handler(Settings())(msgspec.structs.replace(request, **fields))


@pytest.mark.parametrize("dialect", ["ck3raven", "ck3"])
@pytest.mark.parametrize("mode", ["strict", "recover"])
@pytest.mark.parametrize("parser", ["python", ""])
def test_a_broken_file_has_rows(
    monkeypatch: pytest.MonkeyPatch, parser: str, mode: str, dialect: str
) -> None:
    monkeypatch.setenv("CK3PARSE_PARSER", parser)
    result = answer(
        extract=["qbuilder/1", "ck3/1"] if dialect == "ck3raven" else ["ck3/1"],
        mode=mode,
        dialect=dialect,
    )

    assert not result.ok
    assert list(result.rows) == ["ck3/1"]
    rows = ck3.decode(result.rows_json("ck3/1") or b"")
    assert [(found.name, found.kind, found.end) for found in rows.definitions] == [
        ("brave", "trait", 15)
    ]
    assert rows.words == ["brave", "a", "b"]


def test_a_client_accepts_these_rows_of_a_broken_file_and_no_others() -> None:
    request = ParseRequest("1", text="a = {", name="a", extract=["ck3/1", "qbuilder/1"])
    result = request_handler(Settings())(request)
    accept = Acceptance().results

    assert [found.rows for found in accept([request], [msgspec.to_builtins(result)])] == [
        result.rows
    ]
    for rows in ({}, {"qbuilder/1": result.rows["ck3/1"], **result.rows}):
        with pytest.raises(NotAcceptedError, match="rows"):
            accept([request], [msgspec.to_builtins(msgspec.structs.replace(result, rows=rows))])


def test_rows_beside_those_of_another_extractor() -> None:
    result = answer(text="brave = { a = b }", extract=["ck3/1", "qbuilder/1"], want_ast=False)

    assert result.ok
    assert sorted(result.rows) == ["ck3/1", "qbuilder/1"]
    assert json.loads(result.rows_json("ck3/1") or b"")["words"] == ["brave", "a", "b"]
