"""Decoding the JSON of an AST, however deep it is."""

import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

import msgspec

from ck3parse.extractors.extractor import Tree

_TOKEN = re.compile(r'[{}\[\]"]|[0-9]+')


def tree_of(ast_json: bytes) -> Tree:
    """Return the root node of an AST, however deep it is."""
    try:
        return msgspec.json.decode(ast_json, type=Tree)
    except (RecursionError, msgspec.DecodeError):
        # The decoder goes as deep as Python's calls, and takes no lone surrogates.
        return _deep_tree(ast_json.decode())


def _deep_tree(text: str) -> Tree:
    """Return the root node of an AST that is compact JSON of objects, arrays, strings, numbers."""
    root: list[Any] = []
    open_values: list[Any] = [root]
    keys: list[Any] = [None]  # of each open object, the key whose value comes next
    at = 0
    while found := _TOKEN.search(text, at):
        mark, at = found[0], found.end()
        if mark in "]}":
            open_values.pop()
            keys.pop()
            continue
        value: Any
        if mark == '"':
            value, at = scanstring(text, at, True)
            if keys[-1] is None and isinstance(open_values[-1], dict):
                keys[-1] = value
                continue
        elif mark == "{":
            value = {}
        elif mark == "[":
            value = []
        else:
            value = int(mark)
        into = open_values[-1]
        if isinstance(into, dict):
            into[keys[-1]] = value
            keys[-1] = None
        else:
            into.append(value)
        if mark in "{[":
            open_values.append(value)
            keys.append(None)
    tree: Tree = root[0]
    return tree
