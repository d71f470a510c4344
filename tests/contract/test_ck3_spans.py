"""Spans of dialect `ck3`: what stands in them, and that they cover the file."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ck3parse.parser import ParseOutcome

from .differential import FIXTURES, Inputs, real_lines
from .test_ck3_cases import CASES, content

COUNT = 1_500
PLACES = ("span", "key_span", "value_span", "line", "column", "children")
OPERATOR = re.compile(rb"[<>!=?]+")


def nodes_of(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes below a node."""
    for child in node.get("children", []):
        yield child
        yield from nodes_of(child)


def without_places(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node without what depends on where it stands."""
    bare = {key: value for key, value in node.items() if key not in PLACES}
    if "children" in node:
        bare["children"] = [without_places(child) for child in node["children"]]
    return bare


def uncovered(data: bytes, root: dict[str, Any]) -> bytes:
    """Return the bytes that are in no key, operator, value, brace or comment.

    Siblings and parts of a node must be in order, each within its parent.
    """
    rest = bytearray(data)

    def take(start: int, end: int) -> None:
        assert start <= end
        rest[start:end] = b" " * (end - start)

    def take_signs(start: int, end: int) -> None:
        for match in OPERATOR.finditer(bytes(rest[start:end])):
            take(start + match.start(), start + match.end())

    for start, end in root["comments"]:
        take(start, end)
    pending = [(root, 0, len(data))]
    while pending:
        node, start, end = pending.pop()
        if node["_type"] == "value":
            take(start, end)
            continue
        at = start
        if "word" in node:
            word = node["word"].encode()
            assert data.startswith(word, at)
            take(at, at + len(word))
            at += len(word)
        for key in ("key_span", "value_span"):
            if key in node:
                first, last = node[key]
                assert at <= first < last <= end
                take_signs(at, first)
                take(first, last)
                at = last
        if "children" not in node:
            assert at == end
            continue
        children = node["children"]
        if node is not root:
            brace = rest.index(b"{", at, end)
            take_signs(at, brace)
            if "tag" in node:
                tag = node["tag"].encode()
                place = rest.index(tag, at, brace)
                take(place, place + len(tag))
            take(brace, brace + 1)
            at = brace + 1
            assert data[end - 1 : end] == b"}"
            take(end - 1, end)
            end -= 1
        for child in children:
            first, last = child["span"]
            assert at <= first < last <= end
            pending.append((child, first, last))
            at = last
    return bytes(rest)


def check_spans(parser: ModuleType, data: bytes, outcome: ParseOutcome, parses: int) -> None:
    """Check the spans of a sound file; at most `parses` of its nodes are parsed again."""
    root = json.loads(outcome.ast_json or b"")
    bom = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    for node in itertools.islice(nodes_of(root), parses):
        start, end = node["span"]
        again = parser.parse_bytes(data[start:end], "", dialect="ck3")
        assert [without_places(child) for child in json.loads(again.ast_json)["children"]] == [
            without_places(node)
        ]
    listed = json.loads(parser.parse_bytes(data, "", dialect="ck3", comments=True).ast_json)
    assert listed["children"] == root["children"]
    assert uncovered(data, listed)[bom:].strip(b" \t\r\n") == b""


def is_plain(outcome: ParseOutcome) -> bool:
    """Return whether nothing is reported, and offsets are those of the text."""
    return not outcome.diagnostics and b'"encoding":"utf-8' in (outcome.ast_json or b"")[:40]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_cases(parser: ModuleType, case: dict[str, Any]) -> None:
    data = content(case)
    outcome = parser.parse_bytes(data, case.get("name", "f.txt"), dialect="ck3")
    if not is_plain(outcome) or b"\x1a" in data:
        return
    check_spans(parser, data, outcome, 1_000)


def test_mutated_snippets(parser: ModuleType) -> None:
    inputs = Inputs("spans", real_lines([FIXTURES], 1), "ck3")
    checked = 0
    for source in itertools.islice((case.source for case in inputs), COUNT):
        data = source if isinstance(source, bytes) else source.encode("utf-8", "replace")
        outcome = parser.parse_bytes(data, "", dialect="ck3")
        if is_plain(outcome) and b"\x1a" not in data:
            checked += 1
            check_spans(parser, data, outcome, 20)
    assert checked > COUNT / 10


@pytest.mark.skipif("CK3PARSE_GOLDEN" not in os.environ, reason="CK3PARSE_GOLDEN is not set")
def test_real_files(parser: ModuleType) -> None:
    paths = sorted(Path(os.environ["CK3PARSE_GOLDEN"], "corpus").rglob("*.txt"))
    for path in (path for path in paths[::10] if path.is_file()):
        data = path.read_bytes()
        outcome = parser.parse_bytes(data, "", dialect="ck3")
        if is_plain(outcome):
            check_spans(parser, data, outcome, 50)
