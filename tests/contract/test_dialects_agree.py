"""Both dialects make the same tree of script without what `ck3raven` reads in its own way."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from ck3parse.parser import ParseOutcome
from ck3parse.tree import (
    Assign,
    Block,
    List,
    RavenAssign,
    RavenBlock,
    RavenList,
    RavenValue,
    Root,
    Value,
    decode,
)

from .differential import FIXTURES

REPOSITORY = Path(__file__).parents[2]
FILES = sorted([*FIXTURES.rglob("*.txt"), *(REPOSITORY / "examples").rglob("*.txt")])

NAME = re.compile(r"[^\W\d][\w.|&':/%-]*|\d[A-Za-z_][\w.|&':/%-]*")
NUMBER = re.compile(r"-?\d+(\.\d+)?%?")
VARIABLE = re.compile(r"@[A-Za-z_]\w*")
PLAIN = {"identifier": NAME, "number": NUMBER, "variable": VARIABLE}
"""The words of each kind that `ck3raven` reads as one word, too."""

KINDS = {"scripted_value": "variable", "inline_expression": "expression"}
"""What `ck3` calls a kind of `ck3raven`, if not the same."""


class Line(NamedTuple):
    """A node of either dialect, without what only one of them tells."""

    depth: int
    line: int
    column: int
    form: str
    key: str | None = None
    op: str | None = None
    value: str | None = None
    kind: str | None = None


def ck3_lines(root: Root) -> Iterator[Line]:
    pending: list[tuple[int, Any]] = [(0, child) for child in root.children[::-1]]
    while pending:
        depth, node = pending.pop()
        match node:
            case Block():
                yield Line(depth, node.line, node.column, "block", node.key, node.op)
            case Assign():
                line, column, kind = node.line, node.column, node.kind
                yield Line(depth, line, column, "assign", node.key, node.op, node.value, kind)
            case Value():
                line, column = node.line, node.column
                yield Line(depth, line, column, "value", value=node.value, kind=node.kind)
            case List():
                yield Line(depth, node.line, node.column, "list")
        pending += [(depth + 1, child) for child in node.children[::-1]]


def raven_lines(root: Any) -> Iterator[Line]:
    pending: list[tuple[int, Any]] = [(0, child) for child in root.children[::-1]]
    while pending:
        depth, node = pending.pop()
        match node:
            case RavenBlock():
                yield Line(depth, node.line, node.column, "block", node.key, node.op)
            case RavenAssign():
                kind = KINDS.get(node.kind, node.kind)
                line, column = node.line, node.column
                yield Line(depth, line, column, "assign", node.key, node.op, node.value, kind)
            case RavenValue():
                kind = KINDS.get(node.kind, node.kind)
                line, column = node.line, node.column
                yield Line(depth, line, column, "value", value=node.value, kind=kind)
            case RavenList():
                yield Line(depth, node.line, node.column, "list")
        pending += [(depth + 1, child) for child in node.children[::-1]]


def is_plain_word(text: str, kind: str) -> bool:
    """Return whether both dialects read a key or a value alike."""
    if kind == "string":
        return not set(text) & set("\\\r")  # escapes; and line ends, which `ck3raven` normalises
    if kind in ("date", "expression"):
        return False  # `ck3raven` divides the first, and writes the other with spaces of its own
    return kind not in PLAIN or PLAIN[kind].fullmatch(text) is not None


def is_plain(root: Root) -> bool:
    """Return whether a tree has nothing that `ck3raven` reads in its own way."""
    for node in root.walk():
        if isinstance(node, Block | Assign):
            if not is_plain_word(node.key, node.key_kind):
                return False
            if isinstance(node, Block) and node.tag is not None:
                return False
        if isinstance(node, Assign | Value) and not is_plain_word(node.value, node.kind):
            return False
    return True


def agree(parser: ModuleType, data: bytes) -> bool:
    """Check that both dialects say the same of a plain file; return whether it is one."""
    ck3: ParseOutcome = parser.parse_bytes(data, "", dialect="ck3")
    raven: ParseOutcome = parser.parse_bytes(data, "")
    if ck3.diagnostics or not raven.success:
        return False
    tree = decode(ck3.ast_json or b"")
    assert isinstance(tree, Root)
    if not tree.encoding.startswith("utf-8") or not is_plain(tree):
        return False
    assert list(ck3_lines(tree)) == list(raven_lines(decode(raven.ast_json or b"")))
    return True


def test_examples_and_fixtures(parser: ModuleType) -> None:
    plain = [path for path in FILES if agree(parser, path.read_bytes())]

    assert len(plain) >= 5


@pytest.mark.parametrize(
    "text",
    [
        'a = { b = "x" c = -1.5% yes >= no @v 1 = { 2 } } # c',
        "@v = 3\na == b\nc ?= { d != e f < g }\n{ { h } i }",
        '"k" = "a\nb"\n1_a = é.b:c/d|e\r\n\tf = $P$',
        "op = >=",
    ],
)
def test_plain_script(parser: ModuleType, text: str) -> None:
    assert agree(parser, text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "867.1.1 = {}",
        "a = b_$P$",
        "a = hsv { 1 }",
        "a = -b",
        "10_a = 1",
        'a = "\\n"',
        "a@b = 1",
        "a = @[1+2]",
    ],
)
def test_what_is_not_plain(parser: ModuleType, text: str) -> None:
    assert not agree(parser, text.encode())


@pytest.mark.skipif("CK3PARSE_GOLDEN" not in os.environ, reason="CK3PARSE_GOLDEN is not set")
def test_real_files(parser: ModuleType) -> None:
    paths = sorted(Path(os.environ["CK3PARSE_GOLDEN"], "corpus").rglob("*.txt"))
    paths = [path for path in paths if path.is_file()]
    plain = [path for path in paths if agree(parser, path.read_bytes())]

    assert len(plain) > len(paths) / 3
