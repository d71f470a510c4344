"""Rules about likely mistakes in a script that parses."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from ck3parse.check.rules.rule import Finding, Places, Rule, Source

_TOKENS = re.compile(
    r"\#[^\n]*+|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?+|==(?=[ \t]*+(?:[\"{]|(?:yes|no)\b))", re.DOTALL
)
_MIXED = re.compile(r"^(?: ++\t|\t++ )[ \t]*+(?=[^\s\#])", re.MULTILINE)
_WORD = r"[A-Za-z_][\w.:]*+"
_KEY_BLOCK = re.compile(rf"(?:^|[{{}}])[ \t]*+({_WORD})[ \t]++\{{", re.MULTILINE)
_KEY_VALUE = re.compile(
    rf"\n[ \t]*+({_WORD})[ \t]++(?:[\w.:-]++|\"[^\"\n]*+\")[ \t]*+\n"
    r"(?=[ \t]*+(?:[\w.:@]++[ \t]*+[=<>]|\}))"
)


def _double_equals(source: Source) -> Iterator[Finding]:
    if "==" not in source.text:
        return
    places = Places(source.text)
    message = "the game reads this == as =: only numbers are compared by =="
    for match in _TOKENS.finditer(source.text):
        if match[0] == "==":
            yield Finding(*places.of(match.start()), 2, message)


def _mixed_indentation(source: Source) -> Iterator[Finding]:
    first = _MIXED.search(source.text)
    if first:
        count = sum(1 for _ in _MIXED.finditer(source.text, first.start()))
        lines = "1 line is" if count == 1 else f"{count:,} lines are"
        message = f"from here on, {lines} indented by both tabs and spaces"
        yield Finding(*Places(source.text).of(first.start()), len(first[0]), message)


def _repeated_keys(source: Source) -> Iterator[Finding]:
    if source.outcome.ast_json is None:
        return
    try:
        root = msgspec.json.decode(source.outcome.ast_json)
    except RecursionError:
        return
    blocks = [root["children"]]
    while blocks:
        first_lines: dict[str, int] = {}
        for node in blocks.pop():
            inner: list[Any] | None = node.get("children") or node.get("items")
            if inner:
                blocks.append(inner)
            key = node.get("key") or node.get("name")
            if not isinstance(key, str):
                continue
            line = node["line"]
            first_line = first_lines.setdefault(key, line)
            if first_line != line:
                message = f"the key `{key}` is repeated in this block, first in line {first_line}"
                yield Finding(line, node["column"], len(key), message)


def _missing_operators(source: Source) -> Iterator[Finding]:
    # The parser of dialect `ck3` has its own warning about blocks.
    reported = {(each.line, each.column) for each in source.outcome.diagnostics}
    found = chain(
        _keys_without_operator(source.text, _KEY_BLOCK, "block"),
        _keys_without_operator(source.text, _KEY_VALUE, "value"),
    )
    return (each for each in found if (each.line, each.column) not in reported)


def _keys_without_operator(text: str, pattern: re.Pattern[str], what: str) -> Iterator[Finding]:
    places = Places(text)
    checked = commented_line = 0
    for match in pattern.finditer(text):
        start, end = match.span(1)
        line, column = places.of(start)
        if line == commented_line or text.find("#", max(places.line_start, checked), start) >= 0:
            commented_line = line
            continue
        checked = start
        if pattern is _KEY_VALUE and not _ends_assignment(text, match.start()):
            continue
        message = f"no operator between `{match[1]}` and its {what}"
        yield Finding(line, column, end - start, message)


def _ends_assignment(text: str, end: int) -> bool:
    """Return whether the line that ends at an offset ends with an assignment or a block."""
    start = text.rfind("\n", 0, end) + 1
    last = max(text.rfind(sign, start, end) for sign in "{}#")
    rest = text[max(last + 1, start) : end]
    return any(sign in rest for sign in "=<>") or (
        last >= 0 and text[last] == "}" and not rest.strip(" \t")
    )


RULES = (
    Rule(
        "CK3-W004",
        "warning",
        "double-equals",
        help="write = instead of ==",
        why="== compares numbers. Before a block, a string, yes or no the game reads =.",
        bad="is_ai == yes",
        good="is_ai = yes",
        find=_double_equals,
    ),
    Rule(
        "CK3-W005",
        "warning",
        "mixed-indentation",
        help="indent with tabs, as the game's own files are",
        why="Some lines are indented by both tabs and spaces.",
        bad="a = {\n \tb = 1\n}",
        good="a = {\n\tb = 1\n}",
        find=_mixed_indentation,
        on=False,
    ),
    Rule(
        "CK3-W006",
        "warning",
        "repeated-key",
        help="remove one of them, unless the game expects several",
        why="A key occurs more than once in one block. Some keys may be repeated, such as"
        " `option`; of others only the last counts.",
        bad="a = {\n\tgold = 1\n\tgold = 2\n}",
        good="a = {\n\tgold = 2\n}",
        find=_repeated_keys,
        on=False,
    ),
    Rule(
        "CK3-W007",
        "warning",
        "missing-operator",
        help="add = after the key",
        why="A line holds a key and a value or block without an operator between them. The game"
        " reads them as two values.",
        bad="a = {\n\tb = 1\n\tis_bad yes\n}",
        good="a = {\n\tb = 1\n\tis_bad = yes\n}",
        find=_missing_operators,
    ),
)
