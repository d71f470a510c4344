"""Typed nodes of both dialects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ck3parse.messages import DialectName, ParseResult
from ck3parse.parser import parse_bytes
from ck3parse.parser.outcome import ParseOutcome
from ck3parse.tree import (
    Assign,
    Block,
    Directive,
    List,
    RavenAssign,
    RavenBlock,
    RavenList,
    RavenRoot,
    RavenValue,
    Root,
    TreeError,
    Value,
    decode,
    source_text,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = b'trait = {\n  "index" = 1\n  tracks = { { a b } $X$ }\n}\n@v >= 2\n'


def raven(script: bytes) -> RavenRoot:
    tree = parse_bytes(script, "a.txt").tree
    assert isinstance(tree, RavenRoot)
    return tree


def ck3(script: bytes) -> Root:
    tree = parse_bytes(script, "a.txt", dialect="ck3").tree
    assert isinstance(tree, Root)
    return tree


def nodes_in(json_node: Any) -> Iterator[Any]:
    """Yield the nodes of an AST, without the values of assignments of contract 1."""
    yield json_node
    for child in json_node.get("children", []) + json_node.get("items", []):
        yield from nodes_in(child)


def test_each_node_of_contract_1_has_its_class() -> None:
    trait, variable = raven(SCRIPT).children
    assert isinstance(trait, RavenBlock)
    assert (trait.key, trait.op, trait.line, trait.column) == ("trait", "=", 1, 1)
    index, tracks = trait.children
    assert index == RavenAssign("index", "=", 2, 3, RavenValue("1", "number", 2, 13))
    assert isinstance(index, RavenAssign)
    assert (index.value, index.kind) == ("1", "number")
    assert isinstance(tracks, RavenBlock)
    pair, param = tracks.children
    assert isinstance(pair, RavenList)
    assert [child.value for child in pair.children if isinstance(child, RavenValue)] == ["a", "b"]
    assert param == RavenValue("$X$", "param", 3, 22)
    assert isinstance(variable, RavenAssign)
    assert (variable.key, variable.op, variable.value) == ("@v", ">=", "2")


def test_each_node_of_contract_2_has_its_class() -> None:
    tree = ck3(b'd = 867.1.1\n"x" >= "y"\na = hsv { $P$ has_$P$ }\n{ b }\n@:insert c = { d }')
    date, text, colour, braces, directive = tree.children
    assert isinstance(date, Assign)
    assert (date.key, date.op, date.value, date.kind) == ("d", "=", "867.1.1", "date")
    assert (date.span, date.key_span, date.value_span) == ((0, 11), (0, 1), (4, 11))
    assert isinstance(text, Assign)
    assert (text.key, text.key_kind, text.op, text.kind) == ("x", "string", ">=", "string")
    assert isinstance(colour, Block)
    assert (colour.key, colour.tag, colour.line, colour.column) == ("a", "hsv", 3, 1)
    param, word = colour.children
    assert isinstance(param, Value)
    assert (param.kind, param.params) == ("param", ())
    assert isinstance(word, Value)
    assert (word.value, word.kind, word.params) == ("has_$P$", "identifier", ("P",))
    assert isinstance(braces, List)
    assert [child.key for child in braces.children] == [None]
    assert isinstance(directive, Directive)
    assert (directive.word, directive.key, directive.op) == ("@:insert", "c", "=")
    assert len(directive.children) == 1
    assert tree.encoding == "utf-8"
    assert [node.key for node in tree.find("x")] == ["x"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_node_is_its_text_in_the_file(codec: str) -> None:
    data = 'å = "ø"\r\nb = { å } # c\r\n'.encode(codec)
    name, block = ck3(data).children
    assert isinstance(name, Assign)
    assert isinstance(block, Block)
    assert (name.text(data), block.text(data)) == ('å = "ø"', "b = { å }")
    assert source_text(data, name.value_span) == '"ø"'


def test_a_text_can_have_another_encoding() -> None:
    data = b"name = \xd8degard"
    (name,) = ck3(data).children
    assert name.text(data) == "name = \ufffddegard"
    assert name.text(data, "cp1252") == "name = \u00d8degard"


@pytest.mark.parametrize("dialect", ["ck3raven", "ck3"])
def test_walk_yields_every_node_in_order(dialect: DialectName) -> None:
    scripts = [path.read_bytes() for path in EXAMPLES.rglob("*.txt")]
    outcomes = [parse_bytes(script, "a.txt", dialect=dialect) for script in [*scripts, SCRIPT]]
    trees = [(outcome.tree, outcome.ast_json) for outcome in outcomes if outcome.success]
    assert len(trees) > 10
    for tree, ast_json in trees:
        assert tree is not None
        expected = [
            (node["_type"], node.get("line"), node.get("column"))
            for node in nodes_in(json.loads(ast_json or b""))
        ]
        assert [
            (
                node.__struct_config__.tag,
                getattr(node, "line", None),
                getattr(node, "column", None),
            )
            for node in tree.walk()
        ] == expected


@pytest.mark.parametrize("key", ["a", "é", "a b", 'x"', "\\", "\n", "\U0001d538"])
def test_find_yields_every_node_with_a_key(key: str) -> None:
    """Contract 1 resolves escapes, so that its keys can have every character."""
    written = '"\n"' if key == "\n" else json.dumps(key, ensure_ascii=False)
    script = f"""
        {written} = 1
        other = {{ {written} = {{ {written} = {written} }} {written} }}
        none = {{ aa = 2 }}
        {{ {written} > 3 }}
    """
    found = list(raven(script.encode()).find(key))
    assert [type(node) for node in found] == [RavenAssign, RavenBlock, RavenAssign, RavenAssign]
    assert [node.line for node in found] == sorted(node.line for node in found)
    assert {node.key for node in found} == {key}
    (other,) = raven(script.encode()).find("other")
    assert len(list(other.find(key))) == 2


def test_the_children_of_a_root_are_a_sequence() -> None:
    children = raven(b"a = 1 b = 2 c = 3").children
    assert [children[-1].key, *(child.key for child in children[:2])] == ["c", "a", "b"]
    assert len(children) == 3
    assert children == list(children)
    assert children != list(children)[:2]
    assert repr(children) == repr(list(children))
    assert raven(b"a = 1") == raven(b"a = 1") != raven(b"a = 2")


def test_outcomes_and_results_have_a_tree() -> None:
    outcome = parse_bytes(SCRIPT, "a.txt")
    assert outcome.ast_json is not None
    result = ParseResult("1", "a.txt", True, zstandard.compress(outcome.ast_json))
    assert outcome.tree == result.tree == decode(outcome.ast_json) != None  # noqa: E711
    assert ParseOutcome(False).tree is ParseResult("1", "a.txt").tree is None


def test_deep_nesting_is_one_clear_error() -> None:
    outcome = parse_bytes(b"a = { " * 5_000 + b"}" * 5_000, "a.txt")
    with pytest.raises(TreeError, match="nested too deeply"):
        list(outcome.tree.walk() if outcome.tree else ())


@pytest.mark.parametrize(
    "what",
    [
        b"",
        b"[]",
        b"{}",
        b'{"_type":"block"}',
        b'{"_type":"root","filename":1,"children":[]}',
        b'{"_type":"root","filename":"a","children":[1]}',
        b'{"_type":"root","filename":"a","children":[{"_type":"other"}]}',
    ],
)
def test_what_is_no_ast_is_an_error(what: bytes) -> None:
    with pytest.raises(TreeError, match="this is not an AST"):
        list(decode(what).walk())
