"""The extractor `qbuilder/1`: the symbols and references that qbuilder makes of a file.

The rules are data: `qbuilder.toml` beside this file. The native parser makes the same rows while it
parses; a file's symbol type comes from here for both.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from ck3parse.extractors.extractor import Extractor, Rows, Tree
from ck3parse.parser import ParseOutcome
from ck3parse.parser.unicode_tables import DECIMAL_RANGES

_DIGITS = "".join(f"{chr(first)}-{chr(last)}" for first, last in DECIMAL_RANGES)
_NUMBER = re.compile(r"(?:\.?D+(?:\.D*)?|D+\.D+\.D+)\n?".replace("D", f"[0-9{_DIGITS}]"))
"""A number, or a date. qbuilder's own expressions end with `$`, so that a line end may follow."""

Row = tuple[str, str, int, int]
"""Name, type, line and column, both from 1."""


class QbuilderRows(msgspec.Struct, frozen=True):
    """The rows of `qbuilder/1`, ready for `executemany`.

    Attributes:
        symbols: the definitions of the file, in qbuilder's order.
        refs: the references in the file, in the order of the file.
    """

    symbols: list[Row]
    refs: list[Row]


class _Nested(msgspec.Struct, frozen=True):
    file_type: str
    type: str
    container: str = ""
    levels: int = 0


class Rules(msgspec.Struct, frozen=True):
    """The content of `qbuilder.toml`, which explains each field."""

    no_symbols_in: list[str]
    no_names: frozenset[str]
    faiths: _Nested
    titles: _Nested
    symbol_types: dict[str, str]
    references: dict[str, str]
    script_references: dict[str, str]


@cache
def rules() -> Rules:
    """Return the rules."""
    text = Path(__file__).with_name("qbuilder.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Rules)


@cache
def _longest_first() -> list[tuple[str, str]]:
    # The sort is stable: of two that are as long, the first stays the first.
    return sorted(rules().symbol_types.items(), key=lambda item: -len(item[0]))


def symbol_type(relpath: str) -> str | None:
    """Return the type of the symbols in a file, or `None` if it has no symbols.

    Args:
        relpath: the path of the file relative to its mod.
    """
    path = relpath.replace("\\", "/").lower()
    if any(part in path for part in rules().no_symbols_in):
        return None
    for part, found in _longest_first():
        if part in path:
            return found
    _, common, below = path.partition("/common/")
    return below.split("/", 1)[0].rstrip("s") if common else "definition"


def extract(tree: Tree, relpath: str) -> Rows:
    """Return the tables `symbols` and `refs` of a file.

    Args:
        tree: the root node.
        relpath: the path of the file relative to its mod.
    """
    found = symbol_type(relpath)
    return {
        "symbols": [] if found is None else list(_symbols(tree["children"], found)),
        "refs": list(_references(tree["children"])),
    }


EXTRACTOR = Extractor("qbuilder", 1, extract)


def parse_and_extract(
    source: bytes | str, name: str, relpath: str, *, want_ast: bool, max_depth: int
) -> tuple[ParseOutcome, bytes | None]:
    """Parse with the native parser, which makes the rows meanwhile.

    Args:
        source: the content of a file, or a text.
        name: the `filename` of the root node.
        relpath: the path of the file relative to its mod.
        want_ast: whether the outcome has the AST.
        max_depth: how deep braces may nest.

    Returns:
        The outcome, and the JSON of the rows, or `None` if the file does not parse.
    """
    from ck3parse.parser import native  # it may not be built

    return native.qbuilder_rows(
        source, name, symbol_type(relpath), want_ast=want_ast, max_depth=max_depth
    )


def decode(rows: bytes) -> QbuilderRows:
    """Return the rows of an answer.

    Args:
        rows: their JSON, as `ParseResult.rows_json` returns it.
    """
    return msgspec.json.decode(rows, type=QbuilderRows)


def _symbols(nodes: list[Tree], file_type: str) -> Iterator[Row]:
    for node in nodes:
        if node["_type"] == "block":
            name = node["name"]
        elif node["_type"] == "assignment" and not node["key"].startswith("@"):
            name = node["key"]
        else:
            continue
        if is_name(name):
            yield name, file_type, node["line"], node["column"]
    blocks = [node["children"] for node in nodes if node["_type"] == "block"]
    if file_type == rules().faiths.file_type:
        for children in blocks:
            yield from _faiths(children)
    elif file_type == rules().titles.file_type:
        for children in blocks:
            yield from _titles(children, rules().titles.levels)


def _faiths(nodes: list[Tree]) -> Iterator[Row]:
    rule = rules().faiths
    for node in nodes:
        if node["_type"] == "block" and node["name"] == rule.container:
            yield from (_row(child, rule.type) for child in _named_blocks(node["children"]))


def _titles(nodes: list[Tree], levels: int) -> Iterator[Row]:
    for node in _named_blocks(nodes):
        yield _row(node, rules().titles.type)
        if levels > 1:
            yield from _titles(node["children"], levels - 1)


def _named_blocks(nodes: list[Tree]) -> Iterator[Tree]:
    return (node for node in nodes if node["_type"] == "block" and is_name(node["name"]))


def _row(block: Tree, row_type: str) -> Row:
    return block["name"], row_type, block["line"], block["column"]


def _references(nodes: list[Tree]) -> Iterator[Row]:
    references, script_references = rules().references, rules().script_references
    # Blocks nest deeper than Python's calls can.
    open_lists: list[Iterator[Any]] = [iter(nodes)]
    while open_lists:
        for node in open_lists[-1]:
            kind = node["_type"]
            if kind == "assignment":
                key, value = node["key"], node["value"]
                name = value["value"]
                if found := references.get(key):
                    if name and not name.startswith("$"):
                        yield name, found, value["line"], value["column"]
                elif (found := script_references.get(key)) and name:
                    yield name, found, value["line"], value["column"]
            elif kind == "block":
                open_lists.append(iter(node["children"]))
                break
            elif kind == "list":
                open_lists.append(iter(node["items"]))
                break
        else:
            open_lists.pop()


def is_name(text: str) -> bool:
    """Return whether a key can be a symbol."""
    return len(text) > 1 and text not in rules().no_names and not _NUMBER.fullmatch(text)
