"""Rules about likely mistakes in a script that parses."""

import re
from collections.abc import Iterator

from ck3parse.lint.rules.rule import Finding, Places, Rule, Source
from ck3parse.lint.rules.signs import HOLD_KEYS, ONCE, Sign
from ck3parse.parser import ParseOutcome
from ck3parse.plurals import counted

_TOKENS = re.compile(
    r"\#[^\n]*+|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?+|==(?=[ \t]*+(?:[\"{]|(?:yes|no)\b))", re.DOTALL
)
_MIXED = re.compile(r"^(?: ++\t|\t++ )[ \t]*+(?=[^\s\#])", re.MULTILINE)
_WORD = r"[A-Za-z_][\w.:]*+"
_KEY_BLOCK = re.compile(rf"(?:^|[{{}}])[ \t]*+({_WORD})[ \t]++\{{", re.MULTILINE)
_ANY_WORD = r"[^\s{}=<>!?\"#;]++"
_ANY_VALUE = rf"(?:(?!@\[){_ANY_WORD}|\"[^\"\n]*+\"|@\[[^\]\n]*+\])"
# Two words, and nothing else, on a line.
_PAIR_ON_LINE = re.compile(rf"\n[ \t]*+({_ANY_WORD})[ \t]++({_ANY_VALUE})[ \t]*+(?=[\n#])")
# Two words at the start of a block that ends or goes on with a key.
_PAIR_IN_BLOCK = re.compile(
    rf"\{{[ \t]*+({_ANY_WORD})[ \t]++({_ANY_VALUE})[ \t]*+(?:(\}})|{_ANY_WORD}[ \t]*+[=<>])"
)
# Keys of blocks that hold keys with values, and never values alone.
_HOLDS_KEYS = re.compile(
    rf"(?:{'|'.join(HOLD_KEYS)}"
    r"|(?:any|every|random|ordered)_\w+|scope:.+|\w+_(?:effect|trigger)|[0-9]+\.[0-9.]+"
    r"|[\w:]*\.[\w.:]+)\Z"
)
_OPENS = re.compile(r"([^\s{}=<>!?\"#;]+)[ \t]*[=<>?!]+[ \t]*\{[ \t]*\Z")
_KEY_OR_END = re.compile(r"\s*(?:\}|[^\s{}=<>!?\"#;]+[ \t]*[=<>!?])")
_KEY_AHEAD = re.compile(r"\s*[^\s{}=<>!?\"#;]+[ \t]*[=<>!?]")
_OTHER_WORD = r"[^\s{}=<>!?\"#;@][^\s{}=<>!?\"#;]*"
_VALUE = rf"(?:{_OTHER_WORD}|\"[^\"\n]*\")"
# What follows an operator: a value, other values, and whether something else is after the last one.
_VALUES = re.compile(rf"[=<>][ \t]*{_VALUE}((?:[ \t]+{_VALUE})+)[ \t]*(?:([\n#}}]|\Z)|[=<>!?{{])")
_ONE_VALUE = re.compile(_VALUE)

_ONCE = re.compile(
    rf"^[ \t]*({'|'.join(ONCE)})[ \t]*=[ \t]*([^\s{{}}#]+)",
    re.MULTILINE,
)
_BRACE = re.compile(r"#[^\n]*|\"[^\"]*\"|[{}]")

_LINES_AROUND = 10
"""How many lines above and below a line are looked at for one that is not blank."""

_LONGEST_KEY = 100
_CK3_ROOT = b'{"_type":"root","encoding"'


def _double_equals(source: Source) -> Iterator[Finding]:
    if "==" not in source.text:
        return
    places = Places(source.text)
    message = "the game reads this == as =: only numbers are compared by =="
    reported = {(each.line, each.column) for each in source.outcome.diagnostics}
    for match in _TOKENS.finditer(source.text):
        if match[0] == "==":
            line, column = places.of(match.start())
            if (line, column) not in reported:
                yield Finding(line, column, 2, message)


def _mixed_indentation(source: Source) -> Iterator[Finding]:
    first = _MIXED.search(source.text)
    if first:
        count = sum(1 for _ in _MIXED.finditer(source.text, first.start()))
        lines = counted(count, "line is", "lines are")
        message = f"from here on, {lines} indented by both tabs and spaces"
        yield Finding(*Places(source.text).of(first.start()), len(first[0]), message)


def _repeated_keys(source: Source) -> Iterator[Finding]:
    text = source.text
    places = Places(text)
    before: dict[str, tuple[int, int, str]] = {}  # the end, line and value of the last one
    for match in _ONCE.finditer(text):
        key, start = match[1], match.start(1)
        end, first_line, value = before.get(key, (0, 0, ""))
        line, column = places.of(start)
        before[key] = match.end(), line, match[2]
        if first_line and match[2] != value and _in_one_block(text, end, start):
            message = f"`{key}` is set again in this block, before in line {first_line}"
            yield Finding(line, column, len(key), message)


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
    text, outcome = source.text, source.outcome
    # Dialect `ck3` has a warning of its own about blocks.
    reported = {(each.line, each.column) for each in outcome.diagnostics}
    found = [(at, end, "block") for at, end in _keys_of_blocks(outcome, text)]
    found += [(*match.span(1), "value") for match in _PAIR_ON_LINE.finditer(text) if _lacks(match)]
    found += [
        (*match.span(1), "value") for match in _PAIR_IN_BLOCK.finditer(text) if _block_lacks(match)
    ]
    places = Places(text)
    at = quotes = 0
    commented = False
    for start, end, what in sorted(found):
        line, column = places.of(start)
        if at <= places.line_start:
            at, quotes, commented = places.line_start, 0, False
        commented = commented or text.find("#", at, start) >= 0
        quotes += text.count('"', at, start)
        at = start
        if commented or quotes % 2 or (line, column) in reported:
            continue
        message = f"no operator between `{text[start:end]}` and its {what}"
        yield Finding(line, column, end - start, message)


def _keys_of_blocks(outcome: ParseOutcome, text: str) -> Iterator[tuple[int, int]]:
    if (outcome.ast_json or b"").startswith(_CK3_ROOT):
        return iter(())
    return (match.span(1) for match in _KEY_BLOCK.finditer(text))


def _lacks(match: re.Match[str]) -> bool:
    """Return whether two words on a line are a key and its value, by the lines around them."""
    text, (start, end) = match.string, match.span()
    line = _line_before(text, start)
    after = _line_after(text, end)
    # Most lines open no block, and the search goes through each of their words several times.
    opener = _OPENS.search(line[-_LONGEST_KEY:]) if line.rstrip(" \t").endswith("{") else None
    if opener:
        # The only line of a block can be a list of two words.
        return _KEY_AHEAD.match(after) is not None or (
            after.lstrip().startswith("}") and _holds_keys(opener[1], match[2])
        )
    return _KEY_OR_END.match(after) is not None and _ends_assignment(line)


def _block_lacks(match: re.Match[str]) -> bool:
    """Return whether two words at the start of a block are a key and its value."""
    if match[3] is None:
        # Lists such as `{ 0.1 0.2 a = b }` begin with numbers.
        return not match[1][0].isdigit() and match[1][0] not in "-+."
    text, start = match.string, match.start()
    opener = _OPENS.search(text, max(text.rfind("\n", 0, start), start - _LONGEST_KEY), start + 1)
    return opener is not None and _holds_keys(opener[1], match[2])


def _holds_keys(key: str, value: str) -> bool:
    return value in ("yes", "no") or _HOLDS_KEYS.match(key) is not None


def _line_before(text: str, end: int) -> str:
    """Return the nearest line above an offset that is not blank or only a comment."""
    for _ in range(_LINES_AROUND):
        start = text.rfind("\n", 0, end) + 1
        line = _without_comment(text[start:end])
        if line.strip() or start == 0:
            return line
        end = start - 1
    return ""


def _line_after(text: str, at: int) -> str:
    """Return the nearest line below an offset that is not blank or only a comment."""
    for _ in range(_LINES_AROUND):
        start = text.find("\n", at) + 1
        if start == 0:
            return "}"  # the end of the file
        at = text.find("\n", start)
        at = len(text) if at < 0 else at
        line = _without_comment(text[start:at])
        if line.strip():
            return line
    return ""


def _without_comment(line: str) -> str:
    at = line.find("#")
    while at >= 0 and line.count('"', 0, at) % 2:
        at = line.find("#", at + 1)
    return line if at < 0 else line[:at]


def _ends_assignment(line: str) -> bool:
    """Return whether a line ends with an assignment or a block."""
    last = max(line.rfind("{"), line.rfind("}"))
    rest = line[last + 1 :]
    return any(sign in rest for sign in "=<>") or (
        last >= 0 and line[last] == "}" and not rest.strip()
    )


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
        fixable=True,
        replacement="=",
        sign=Sign.DOUBLE_EQUALS,
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
        " more than once in one block, to different values. Only the last one counts.",
        bad="feast.1 = {\n\ttheme = feast\n\ttheme = party\n}",
        good="feast.1 = {\n\ttheme = party\n}",
        find=_repeated_keys,
        sign=Sign.SET_AGAIN,
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
        sign=Sign.PAIR,
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
        sign=Sign.VALUES,
    ),
)
