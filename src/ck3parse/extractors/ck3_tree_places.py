"""The places where a file uses a name, in Python, over the tree of dialect `ck3`."""

import re
from bisect import bisect_left
from collections.abc import Iterator

from ck3parse.extractors.ast_decoding import tree_of
from ck3parse.extractors.ck3 import Place, Role
from ck3parse.extractors.ck3_tree import NAMES, in_utf_8, parts
from ck3parse.extractors.extractor import Tree
from ck3parse.parser import reference
from ck3parse.parser.ck3.source import Source, read
from ck3parse.parser.ck3.words import word_of
from ck3parse.parser.grammar_tables import VALUE_TYPES, ValueType

_LINE_END = re.compile(r"\r(?!\n)|\n")
_CONTINUATION = re.compile("[\x80-\xbf]")


def places_in(data: bytes, name: str, path: str, max_depth: int) -> Iterator[Place]:
    """Yield the places where a file uses a name.

    Args:
        data: the content of the file.
        name: the name.
        path: its path, which says whether the game reads it as Windows-1252.
        max_depth: how deep braces may nest.
    """
    source = read(data, path)
    utf_8 = in_utf_8(name)
    if utf_8 not in source.text:
        return
    outcome = reference.parse_bytes(data, path, max_depth=max_depth, dialect="ck3")
    in_file = source.offsets or range(len(source.text) + 1)
    for text, role, at, node in _texts(tree_of(outcome.ast_json or b""), source):
        for part, index, is_name in parts(text):
            if is_name and part == name:
                start = at + len(text[:index].encode())
                line, column = _place_of(start, node, source)
                end = in_file[start + len(utf_8)]
                yield Place(in_file[start], end, line, column, role if part == text else "part")


def _texts(tree: Tree, source: Source) -> Iterator[tuple[str, Role, int, Tree]]:
    """Yield the keys, values and tags that can have names, their offset in the text and node."""
    open_lists = [iter(tree["children"])]
    while open_lists:
        for node in open_lists[-1]:
            if "key" in node:
                kind = node.get("key_kind", ValueType.IDENTIFIER)
                start, end = node["key_span"]
                if kind in NAMES:
                    at = _in_text(start, source) + (kind == ValueType.STRING)
                    yield node["key"], "key", at, node
                if "tag" in node and VALUE_TYPES[word_of(in_utf_8(node["tag"])).kind] in NAMES:
                    tag = _tag(in_utf_8(node["tag"]), _in_text(end, source), source)
                    yield node["tag"], "value", tag, node
            if "value" in node and node["kind"] in NAMES:
                start = node.get("value_span", node["span"])[0]
                at = _in_text(start, source) + (node["kind"] == ValueType.STRING)
                yield node["value"], "value", at, node
            if "children" in node:
                open_lists.append(iter(node["children"]))
                break
        else:
            open_lists.pop()


def _in_text(offset: int, source: Source) -> int:
    """Return the offset in the text of an offset in the file."""
    return bisect_left(source.offsets, offset) if source.offsets else offset


def _tag(tag: str, after: int, source: Source) -> int:
    """Return the offset of a tag, which the tree does not have.

    Args:
        tag: the tag, in UTF-8.
        after: the offset after the key.
        source: the text.
    """
    # Between them are white space, operators and comments.
    match = re.compile(rf"(?:#[^\n]*\n|[^#])*?(?={re.escape(tag)})").match(source.text, after)
    return match.end() if match else after


def _place_of(offset: int, node: Tree, source: Source) -> tuple[int, int]:
    """Return the line and column of an offset in the text, which is in a node."""
    before = source.text[_in_text(node["span"][0], source) : offset]
    *lines, last = _LINE_END.split(before)
    column = len(last) - len(_CONTINUATION.findall(last))
    return node["line"] + len(lines), column + (1 if lines else node["column"])
