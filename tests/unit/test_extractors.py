"""Extractors: the stage after parsing, and how a worker answers a request that names some."""

import json
from typing import Any

import msgspec
import pytest

from ck3parse.config import Settings
from ck3parse.errors import UsageError
from ck3parse.extractors import extractor
from ck3parse.extractors.ast_decoding import tree_of
from ck3parse.extractors.qbuilder import decode, is_name, symbol_type
from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.parser import parse_text
from ck3parse.worker.handler import request_handler

SCRIPT = "brave = { trait = ambitious }\n"
ROWS = {"symbols": [["brave", "trait", 1, 1]], "refs": [["ambitious", "trait", 1, 19]]}


@pytest.fixture(autouse=True)
def _python_body(monkeypatch: pytest.MonkeyPatch) -> None:
    # `tests/contract/test_rows.py` compares it with the native one.
    monkeypatch.setenv("CK3PARSE_PARSER", "python")


def answer(**fields: Any) -> ParseResult:
    """Return a worker process's result for a text."""
    request = ParseRequest("1", text=SCRIPT, name="common/traits/a.txt", extract=["qbuilder/1"])
    return request_handler(Settings())(msgspec.structs.replace(request, **fields))


def test_rows_come_beside_the_tree_or_instead_of_it() -> None:
    both, rows_alone = answer(), answer(want_ast=False)

    assert both.ok
    assert both.ast_json is not None
    assert json.loads(both.rows_json("qbuilder/1") or b"") == ROWS
    assert rows_alone.ok
    assert rows_alone.ast is None
    assert rows_alone.rows == both.rows
    assert rows_alone.node_count == both.node_count == 4


def test_extractors_get_the_relative_path_or_else_the_name() -> None:
    given = answer(name="/mods/one/common/traits/a.txt", relpath="Events\\a.txt")
    rows = decode(given.rows_json("qbuilder/1") or b"")

    assert rows.symbols == [("brave", "event", 1, 1)]
    assert rows.refs == [("ambitious", "trait", 1, 19)]


@pytest.mark.parametrize("mode", ["strict", "recover"])
def test_a_file_that_does_not_parse_has_no_rows(mode: str) -> None:
    result = answer(text="a = { b = 1 } }", mode=mode)

    assert not result.ok
    assert result.rows == {}
    assert result.extract_errors == {}


def test_an_extractor_that_does_not_exist_is_an_error_of_its_own_rows() -> None:
    result = answer(extract=["qbuilder/1", "qbuilder/99"])

    assert result.ok
    assert list(result.rows) == ["qbuilder/1"]
    assert "there is no extractor 'qbuilder/99'" in result.extract_errors["qbuilder/99"]


def test_a_plain_request_and_its_result_are_the_bytes_they_always_were() -> None:
    request = ParseRequest("1", "a.txt", name="a.txt")
    result = ParseResult("1", "a.txt", origin=Settings().origin("test/1"))

    assert msgspec.json.encode(request) == b'{"id":"1","path":"a.txt","name":"a.txt"}'
    assert set(msgspec.to_builtins(result)) == {"id", "path", "origin"}
    assert set(msgspec.to_builtins(result)["origin"]) == {
        "worker", "parser_version", "max_depth", "max_file_bytes",
    }  # fmt: skip


def test_an_unknown_extractor_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="no extractor 'wars/1', only ck3/1, loc"):
        extractor("wars/1")


@pytest.mark.parametrize("depth", [1, 300, 5_000])
def test_a_tree_is_decoded_however_deep_it_is(depth: int) -> None:
    text = "a = {" * depth + ' é = "b\\"\\n" { 1.5 } ' + "}" * depth
    ast = parse_text(text, "a.txt").ast_json
    assert ast is not None

    node = tree_of(ast)
    for _ in range(depth):
        (node,) = node["children"]
        assert node["name"] == "a"
        assert node["line"] == 1

    assignment, numbers = node["children"]
    assert assignment["key"] == "é"
    assert assignment["value"]["value"] == 'b"\n'
    assert numbers["items"][0]["value"] == "1.5"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("common/traits/a.txt", "trait"),
        ("Mod\\Common\\Traits\\a.txt", "trait"),
        ("events/a.txt", "event"),
        ("common/combat_phase_events/a.txt", "combat_event"),
        ("common/on_action/my_events.txt", "on_action"),
        ("mod/common/council_tasks/a.txt", "council_task"),
        ("mod/common/glasses/a.txt", "glasse"),
        ("mod/common/a.txt", "a.txt"),
        ("mod/common/s/a.txt", ""),
        ("mod/common/common/traits.txt", "trait"),
        ("common/council_tasks/a.txt", "definition"),
        ("a.txt", "definition"),
        ("gfx/court_scene/a.txt", None),
        ("gfx/Map/Environment/a.txt", None),
        ("checksum_manifest.txt", None),
    ],
)
def test_the_type_of_symbols_is_that_of_the_longest_part_of_the_path(
    path: str, expected: str | None
) -> None:
    assert symbol_type(path) == expected


NUMBERS = ["1", "12", "1.5", "1.", ".1", ".1.", ".1.5", "867.1.1", "\u0663\u0664", "1.\uff12"]
NAMES = ["ab", "1.2.3.4", ".1.2.3", "1..2", "..", "12a", "-5", "5%", "\u00b2\u00b2", "1.2.3."]


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_and_dates_are_no_names(text: str) -> None:
    assert not is_name(text)
    assert not is_name(f"{text}\n")
    assert is_name(f"{text}\n\n")


@pytest.mark.parametrize("text", NAMES)
def test_other_keys_are_names(text: str) -> None:
    assert is_name(text)
