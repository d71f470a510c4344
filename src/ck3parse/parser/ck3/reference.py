"""The reference parser of dialect `ck3`.

A regular expression matches each common element as a whole, and its JSON is written immediately. If
an element does not match, or there is anything to report, the recovering parser reads the text
instead. Both write the same tree.
"""

import re
from json.encoder import encode_basestring as quoted

from ck3parse.messages import DEFAULT_MAX_DEPTH
from ck3parse.parser.ck3.nodes import key_members, value_members
from ck3parse.parser.ck3.recovery import recover
from ck3parse.parser.ck3.source import Source, read
from ck3parse.parser.ck3.words import word_of
from ck3parse.parser.diagnostics import Recovered
from ck3parse.parser.grammar_tables import CK3
from ck3parse.parser.outcome import ParseOutcome, recovered_outcome

_SPACE = r"[ \t\r\n]*+"
_SKIP = rf"{_SPACE}(?:{re.escape(CK3.comment)}[^\n]*+{_SPACE})*+"
_NAME = rf"[A-Za-z0-9{re.escape(CK3.word_signs)}\x80-\xff]"
# After it, a word goes on with an unusual character.
_WORD = rf"(?!@\[){_NAME}++(?![^\x00-\x20\x7f{re.escape(CK3.word_stops)}])"
_OPERATOR = r"(?:[=?!<>]=|[=<>])(?![<>!=?])"
_EXPRESSION = r"@\[[^\[\]{}\r\n]*+\]"
_SKIPPED = re.compile(_SKIP)
_ELEMENT = re.compile(
    rf"""
    (?:
        ({_WORD})[ \t]*+({_OPERATOR})
        (?:
            [ \t]*+
            (?:
                ({_WORD})(?:[ \t]*+(\{{))?
              | "([^"]*+)"
              | ({_EXPRESSION})
            )
          | {_SPACE}(\{{)
        )
        {_SKIP}
      | (\}}){_SKIP}
      | ({_WORD})[ \t]*+(?!\{{){_SKIP}(?![<>!=?])
      | (\{{){_SKIP}
      | "([^"]*+)"[ \t]*+(?!\{{){_SKIP}(?![<>!=?])
      | ()
    )
    """,
    re.VERBOSE,
)
# The numbers of the last group that matched.
_VALUE, _TAGGED, _STRING, _INLINE, _BLOCK, _CLOSE, _LONE, _LIST, _LONE_STRING, _OTHER = range(3, 13)

_CONTINUATION = re.compile("[\x80-\xbf]")
_TAGS = frozenset(CK3.tags)


def parse_bytes(
    data: bytes, name: str, *, max_depth: int = DEFAULT_MAX_DEPTH, comments: bool = False
) -> ParseOutcome:
    """Parse the content of a file; see `ck3parse.parser.parse_bytes`.

    Args:
        data: the file's bytes.
        name: its path, which says whether the game reads it as Windows-1252.
        max_depth: how deep braces may nest.
        comments: whether the root lists the spans of comments.
    """
    source = read(data, name)
    parsed = None
    if source.offsets is None and not comments and data.count(b"\r") == data.count(b"\r\n"):
        parsed = _parsed(source, max_depth)
    if parsed is None:
        parsed = recover(source, max_depth, comments=comments)
    return recovered_outcome(parsed, max_depth)


def _parsed(source: Source, max_depth: int) -> Recovered | None:
    """Return the tree of a text, or `None` if it has an uncommon element or anything to report.

    Args:
        source: a text with the offsets of its file, and no CR but before an LF.
        max_depth: how deep braces may nest.
    """
    text = source.text
    is_ascii = text.isascii()
    pieces = [f'{{"_type":"root","encoding":"{source.encoding}","children":[']
    append = pieces.append
    open_blocks: list[tuple[int, str, str]] = []  # a piece's index, and what is around its end
    keys: dict[str, str | None] = {}
    values: dict[str, str | None] = {}
    nodes = 1
    comma = ""
    line = 1
    base = counted = source.start - 1  # a column is an offset minus this
    next_start = text.find("\n", source.start) + 1 or len(text) + 1
    is_wide = not is_ascii  # whether the line may have characters of several bytes
    skipped = _SKIPPED.match(text, source.start)
    start = skipped.end() if skipped else source.start
    for match in _ELEMENT.finditer(text, start):
        start = match.start()
        if start >= next_start:
            line += text.count("\n", next_start, start) + 1
            line_start = text.rfind("\n", next_start - 1, start) + 1
            next_start = text.find("\n", start) + 1 or len(text) + 1
            base = counted = line_start - 1
            is_wide = not is_ascii and not text[line_start:next_start].isascii()
        if is_wide:
            base += len(_CONTINUATION.findall(text, counted + 1, start))
            counted = start - 1
        kind = match.lastindex or 0
        if kind <= _BLOCK:
            key, operator = match.group(1, 2)
            head = keys.get(key) or _key(keys, key)
            if head is None:
                return None
            head = (
                f'"_type":"{"assign" if kind in _ASSIGNED else "block"}",{head}'
                f'{start},{start + len(key)}],"op":"{operator}",'
            )
            if kind in _ASSIGNED:
                value = match[kind]
                at, end = match.span(kind)
                if kind == _STRING:
                    at, end = at - 1, end + 1
                    members = f'"value":{quoted(value)},"kind":"string"'
                elif kind == _INLINE:
                    members = f'"value":{quoted(value)},"kind":"expression"'
                else:
                    found = values.get(value) or _value(values, value)
                    if found is None or (value in _TAGS and text.startswith("{", match.end())):
                        return None
                    members = found
                append(
                    f'{comma}{{{head}{members},"value_span":[{at},{end}],'
                    f'"span":[{start},{end}],"line":{line},"column":{start - base}}}'
                )
                comma = ","
                nodes += 1
                continue
            if kind == _TAGGED:
                if _value(values, match[_VALUE]) is None:
                    return None
                head += f'"tag":{quoted(match[_VALUE])},'
        elif kind == _CLOSE:
            if not open_blocks:
                return None
            index, head, tail = open_blocks.pop()
            pieces[index] = f"{head}{start + 1}{tail}"
            append("]}")
            comma = ","
            continue
        elif kind == _LIST:
            head = '"_type":"list",'
        elif kind == _OTHER:
            break
        else:
            value = match[kind]
            end = match.end(kind)
            if kind == _LONE_STRING:
                end += 1
                members = f'"value":{quoted(value)},"kind":"string"'
            else:
                found = values.get(value) or _value(values, value)
                if found is None or value.startswith("@:"):
                    return None
                members = found
            append(
                f'{comma}{{"_type":"value",{members},'
                f'"span":[{start},{end}],"line":{line},"column":{start - base}}}'
            )
            comma = ","
            nodes += 1
            continue
        if len(open_blocks) >= max_depth:
            return None
        head = f'{comma}{{{head}"span":[{start},'
        open_blocks.append(
            (len(pieces), head, f'],"line":{line},"column":{start - base},"children":[')
        )
        append("")
        comma = ""
        nodes += 1
    if open_blocks or start < len(text):
        return None
    append("]}")
    return Recovered("".join(pieces).encode("latin-1"), nodes, [], 0, None)


_ASSIGNED = (_VALUE, _STRING, _INLINE)


def _key(known: dict[str, str | None], text: str) -> str | None:
    """Return the members of a key up to its span, or `None` if there is something to report."""
    word = word_of(text)
    known[text] = None if word.fault else key_members(text, word)
    return known[text]


def _value(known: dict[str, str | None], text: str) -> str | None:
    """Return the members of a value, or `None` if there is something to report."""
    word = word_of(text)
    known[text] = None if word.fault else value_members(text, word)
    return known[text]
