"""Rules about likely mistakes in a script that parses."""

import re
from collections.abc import Iterator
from itertools import chain

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


_OTHER_WORD = r"[^\s{}=<>!?\"#;@][^\s{}=<>!?\"#;]*"
_VALUE = rf"(?:{_OTHER_WORD}|\"[^\"\n]*\")"
# What follows an operator: a value, other values, and whether something else is after the last one.
_VALUES = re.compile(rf"[=<>][ \t]*{_VALUE}((?:[ \t]+{_VALUE})+)[ \t]*(?:([\n#}}]|\Z)|[=<>!?{{])")
_ONE_VALUE = re.compile(_VALUE)

# Keys of events, decisions, buildings and wars' causes that hold one word or number.
_ONCE = re.compile(
    r"^[ \t]*("
    "theme|window|picture|next_building|cost_gold|interface_priority|transfer_behavior|ai_score"
    "|use_de_jure_wargoal_only|sort_order|decision_group_type|ai_check_interval"
    "|(?:attacker|defender)_score_from_(?:battles|occupation)_scale"
    r")[ \t]*=(?=[ \t]*[^\s{])",
    re.MULTILINE,
)
_BRACE = re.compile(r"#[^\n]*|\"[^\"]*\"|[{}]")


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
    text = source.text
    places = Places(text)
    before: dict[str, tuple[int, int]] = {}  # the end and the line of the last one
    for match in _ONCE.finditer(text):
        key, start = match[1], match.start(1)
        end, first_line = before.get(key, (0, 0))
        line, column = places.of(start)
        before[key] = match.end(), line
        if first_line and _in_one_block(text, end, start):
            message = f"`{key}` is set again in this block, first in line {first_line}"
            yield Finding(line, column, len(key), message)
            before[key] = match.end(), first_line


def _in_one_block(text: str, start: int, end: int) -> bool:
    """Return whether no block ends between two offsets that was not opened between them."""
    if text.find("\n}", start, end) >= 0:  # a definition ends
        return False
    depth = 0
    for match in _BRACE.finditer(text, start, end):
        if match[0] in "{}":
            depth += 1 if match[0] == "{" else -1
            if depth < 0:
                return False
    return depth == 0


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


def _extra_values(source: Source) -> Iterator[Finding]:
    text = source.text
    places = Places(text)
    reported = {each.line for each in source.outcome.diagnostics}
    commented_line = 0
    for match in _VALUES.finditer(text):
        extra = _ONE_VALUE.search(text, *match.span(1))
        if extra is None or (match[2] is None and extra.end() == match.end(1)):
            continue  # the next key or the tag of a block
        line, column = places.of(extra.start())
        if line == commented_line or line in reported:
            continue
        before = text[places.line_start : match.start()]
        if "#" in before or before.count('"') % 2:
            commented_line = line
            continue
        message = f"a second value on one line: `{extra[0]}` belongs to no key"
        yield Finding(line, column, len(extra[0]), message)


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
        help="remove one of them",
        why="A key that the game reads once, such as `theme` of an event or `next_building`, is set"
        " more than once in one block. Only the last one counts.",
        bad="feast.1 = {\n\ttheme = feast\n\ttheme = party\n}",
        good="feast.1 = {\n\ttheme = party\n}",
        find=_repeated_keys,
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
    Rule(
        "CK3-W009",
        "warning",
        "second-value",
        help="put the words into quotes, or remove one of them",
        why="A key is followed by an operator and more than one value on its line. The game takes"
        " the first as the value and reads the others as values of their own.",
        bad="name = Old Man",
        good='name = "Old Man"',
        find=_extra_values,
    ),
)
