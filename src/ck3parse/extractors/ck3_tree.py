"""The extractor `ck3/1` in Python, over the tree of dialect `ck3`."""

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ck3parse.extractors.ast_decoding import tree_of
from ck3parse.extractors.ck3 import (
    Declared,
    Definition,
    Finder,
    Nested,
    encoding_name,
    finders,
    rule_of,
)
from ck3parse.extractors.extractor import Extractor, Rows, Tree
from ck3parse.messages import DEFAULT_MAX_DEPTH
from ck3parse.parser import reference
from ck3parse.parser.ck3.words import word_of
from ck3parse.parser.grammar_tables import VALUE_TYPES, ValueType

MAX_NAME = 200
"""Bytes of the longest name."""

PRIORITIES = ("id_override_priority", "history_override_priority")
_PRIORITY = re.compile(r"[+-]?[0-9]{1,9}")
NAMES = (ValueType.IDENTIFIER, ValueType.STRING)
"""The kinds of keys and values that have names."""

_NO_NAME = re.compile(
    r"|@.*|yes|no|[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)%?|[0-9]+\.[0-9]+\.[0-9]+", re.DOTALL
)
_NO_WORD = re.compile(r"[$\[\x00-\x20\x7f]")
_RUN = re.compile(r"[A-Za-z0-9_\x80-\U0010ffff]+")
_SEGMENT = re.compile(r"[^:]+")
_PIECE = re.compile(r"[^.|]+")
_MAX_LENGTH = 2**31 - 1


def extract(tree: Tree, relpath: str) -> Rows:
    """Return the tables `definitions` and `words` of a file.

    Args:
        tree: the root node, in dialect `ck3`.
        relpath: the path of the file relative to the root of its mod.
    """
    rule = rule_of(relpath)
    walk = _Walk(finders()[rule.find], rule.kind)
    walk.run(tree)
    words = [word for word in walk.words.values() if word]
    return {"definitions": [row for row in walk.rows if row.name], "words": words}


EXTRACTOR = Extractor("ck3", 1, extract)


def rows_of(source: bytes | str, relpath: str, *, max_depth: int = DEFAULT_MAX_DEPTH) -> Rows:
    """Parse a file, and return its tables `definitions` and `words`.

    Args:
        source: the content of a file, or a text.
        relpath: the path of the file relative to the root of its mod.
        max_depth: how deep braces may nest. Anything deeper is left out.
    """
    name = encoding_name(rule_of(relpath))
    if isinstance(source, bytes):
        outcome = reference.parse_bytes(source, name, max_depth=max_depth, dialect="ck3")
    else:
        outcome = reference.parse_text(source, name, max_depth=max_depth, dialect="ck3")
    return extract(tree_of(outcome.ast_json or b""), relpath)  # this dialect always has a tree


class _Found(NamedTuple):
    """A definition whose end was not reached yet; its name is empty until it is known."""

    name: str
    kind: str


class _Open:
    """An open definition.

    Attributes:
        row: the index of its row.
        depth: in how many blocks it is.
        piece: the index of its key in the pieces of the text.
    """

    def __init__(self, row: int, depth: int, piece: int) -> None:
        self.row = row
        self.depth = depth
        self.piece = piece


class _Block:
    """An open block.

    Attributes:
        key: its key if that can be a name, else empty.
        nodes: the rest of its children.
        is_definition: whether the innermost open definition ends with it.
        chained: whether it is a definition that can have more inside.
    """

    def __init__(self, key: str, nodes: Iterator[Tree], is_definition: bool, chained: bool) -> None:
        self.key = key
        self.nodes = nodes
        self.is_definition = is_definition
        self.chained = chained


class _Walk:
    """The walk over one tree."""

    def __init__(self, finder: Finder, kind: str) -> None:
        self.finder = finder
        self.kind = kind
        self.words: dict[str, str] = {}
        self.rows: list[Definition] = []
        self.open: list[_Open] = []
        self.pieces: list[str] = []
        self.blocks: list[_Block] = []
        self.before: list[Tree] = []  # the values right before the next node, at most two

    def run(self, tree: Tree) -> None:
        """Visit all nodes."""
        nodes = iter(tree["children"])
        while True:
            for node in nodes:
                if self.visit(node):
                    self.blocks[-1].nodes, nodes = nodes, iter(node["children"])
                    break
            else:
                if not self.blocks:
                    return
                nodes = self.leave()

    def visit(self, node: Tree) -> bool:
        """Visit a node, and return whether it is a block that was entered."""
        kind = node["_type"]
        if kind == "value":
            self.text(node["value"], node["kind"])
            self.before = [*self.before[-1:], node]
            return False
        before, self.before = self.before, []
        found = None
        key = ""
        if kind == "directive":
            self.push(node["word"])
        elif kind == "list":
            if found := self.declared_list(before):
                name = before[-1]
                start = {"span": [name["span"][0], node["span"][1]], "line": name["line"]}
                self.begin(found, start)
                self.push(_written(name["value"], name["kind"]))
        elif is_name(node["key"], node.get("key_kind", ValueType.IDENTIFIER)):
            key = node["key"]
            found = self.found(key, before, is_block=kind == "block")
        elif kind == "assign" and not self.blocks and self.is_constant(node):
            found = _Found(node["key"], "constant")
        if found and kind != "list":
            self.begin(found, node)
        if "key" in node:
            self.text(node["key"], node.get("key_kind", ValueType.IDENTIFIER))
            self.push(node["op"])
        if "tag" in node:
            self.text(node["tag"], VALUE_TYPES[word_of(in_utf_8(node["tag"])).kind])
        if "children" in node:
            self.push("{")
            chained = found is not None and bool(self.finder.chained)
            self.blocks.append(_Block(key, iter(()), found is not None, chained))
            return True
        if "value" in node:
            self.text(node["value"], node["kind"])
            if kind == "assign":
                self.note(node)
        if found:
            self.end()
        return False

    def leave(self) -> Iterator[Tree]:
        """Leave the innermost block, and return the rest of what is around it."""
        block = self.blocks.pop()
        self.push("}")
        self.before = []
        if block.is_definition:
            self.end()
        return block.nodes

    def found(self, key: str, before: list[Tree], *, is_block: bool) -> _Found | None:
        """Return the definition that a key begins, if it does.

        Args:
            key: the key, which can be a name.
            before: the values right before it.
            is_block: whether a block follows.
        """
        finder, depth = self.finder, len(self.blocks)
        if is_block and finder.declared and before:
            for declared in finder.declared:
                if declared.depth == depth and not declared.list and _is(before[-1], declared):
                    return _Found(key, declared.kind)
        if depth == 0:
            if finder.top and key not in finder.not_names:
                return _Found(key, self.kind)
            if finder.named and is_block:
                return _Found("", finder.named)
            around = None
        else:
            around = self.blocks[-1]
        if finder.chained and is_block and (around is None or around.chained):
            return _Found(key, self.kind) if key.startswith(finder.chained) else None
        if around and around.key:
            for nested in finder.nested:
                if (
                    nested.depth == depth
                    and (is_block or nested.values)
                    and _fits(nested, key, around.key)
                ):
                    name = f"{around.key}|{key}" if nested.joined else key
                    return _Found(name, nested.kind or self.kind)
        return None

    def declared_list(self, before: list[Tree]) -> _Found | None:
        """Return the definition that two values before a list begin, if they do."""
        if len(before) == 2 and is_name(before[1]["value"], before[1]["kind"]):
            for declared in self.finder.declared:
                if (
                    declared.depth == len(self.blocks)
                    and declared.list
                    and _is(before[0], declared)
                ):
                    return _Found(before[1]["value"], declared.kind)
        return None

    def is_constant(self, node: Tree) -> bool:
        """Return whether an assignment outside of all blocks is of a constant."""
        return node.get("key_kind") == ValueType.VARIABLE and node["key"].startswith("@")

    def begin(self, found: _Found, node: Tree) -> None:
        """Begin a definition."""
        self.open.append(_Open(len(self.rows), len(self.blocks), len(self.pieces)))
        start, end = node["span"]
        self.rows.append(Definition(found.name, found.kind, start, end, node["line"], 0, None))

    def end(self) -> None:
        """End the innermost definition."""
        ended = self.open.pop()
        text = " ".join(self.pieces[ended.piece :]).encode()
        value = min(len(text), _MAX_LENGTH) << 32 | zlib.crc32(text)
        self.rows[ended.row] = self.rows[ended.row]._replace(hash=value)
        del self.pieces[ended.piece + bool(self.open) :]

    def note(self, node: Tree) -> None:
        """Note what an assignment says about the innermost definition, if it is directly in it."""
        if not self.open or self.open[-1].depth != len(self.blocks) - 1:
            return
        row = self.open[-1].row
        known = self.rows[row]
        value = node["value"]
        if node["key"] in PRIORITIES:
            if node["kind"] == ValueType.NUMBER and _PRIORITY.fullmatch(value):
                self.rows[row] = known._replace(priority=int(value))
        elif node["key"] == "name" and not known.name and is_name(value, node["kind"]):
            self.rows[row] = known._replace(name=value)

    def text(self, text: str, kind: str) -> None:
        """Take a key, a value or a tag."""
        if self.open:
            self.pieces.append(_written(text, kind))
        if kind in NAMES and text not in self.words:
            self.word(text)

    def push(self, piece: str) -> None:
        """Take a piece of the text of the open definitions."""
        if self.open:
            self.pieces.append(piece)

    def word(self, text: str) -> None:
        """Take the names in a text."""
        for part, _, is_name in parts(text):
            self.words.setdefault(part, part if is_name else "")


def parts(text: str, start: int = 0) -> Iterator[tuple[str, int, bool]]:
    """Yield a key, value or tag, and each of its parts, with its offset and whether it is a name.

    Args:
        text: the text.
        start: its own offset.
    """
    is_name = not _NO_WORD.search(text) and _size(text) <= MAX_NAME and not _NO_NAME.fullmatch(text)
    yield text, start, is_name
    if "$" in text:
        return
    if "[" in text:
        pattern = _RUN
    elif is_name and ":" in text:
        pattern = _SEGMENT
    elif is_name and ("." in text or "|" in text):
        pattern = _PIECE
    else:
        return
    for match in pattern.finditer(text):
        yield from parts(match[0], start + match.start())


def is_name(text: str, kind: str) -> bool:
    """Return whether a key or value can be the name of a definition."""
    return (
        (kind in NAMES or kind == ValueType.NUMBER)
        and text != ""
        and text[0] != "@"
        and "$" not in text
        and _size(text) <= MAX_NAME
    )


def _is(value: Tree, declared: Declared) -> bool:
    text: str = value["value"]
    return value["kind"] == ValueType.IDENTIFIER and text == declared.word


def _fits(nested: Nested, key: str, container: str) -> bool:
    return (
        (not nested.containers or container in nested.containers)
        and (not nested.names or key in nested.names)
        and (not nested.prefixes or key.startswith(nested.prefixes))
        and key not in nested.not_names
    )


def _written(text: str, kind: str) -> str:
    return f'"{text}"' if kind == ValueType.STRING else text


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def in_utf_8(text: str) -> str:
    """Return a text as the bytes of its UTF-8, each as one character."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")
