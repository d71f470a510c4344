"""What can be warned of without knowing the game's rules."""

import codecs
import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec

from ck3parse.messages import Diagnostic
from ck3parse.parser import ParseOutcome

BOM = b"\xef\xbb\xbf"
MAX_OF_A_KIND = 100
"""How many warnings of one code a file gives."""

_WINDOW = 1 << 16

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
_IGNORED = re.compile(r"\bck3parse:[ \t]*+ignore(?:\[([^\]\n]*+)\])?", re.IGNORECASE)


class Source(NamedTuple):
    """A file to look at.

    Attributes:
        data: its bytes.
        text: its text as the parser reads it.
        outcome: what the parser says of it.
    """

    data: bytes
    text: str
    outcome: ParseOutcome


def source_of(data: bytes, outcome: ParseOutcome) -> Source:
    """Return a file's bytes with its text."""
    text = data.decode("utf-8-sig", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Source(data, text, outcome)


def warnings_of(source: Source, optional: frozenset[str]) -> list[Diagnostic]:
    """Return the warnings of a file, without those that depend on where it lies.

    Args:
        source: the file.
        optional: which of the codes to look for that are off by default.
    """
    found = [*_encoding(source), *_double_equals(source), *_missing_operators(source)]
    for code, look in _OPTIONAL.items():
        if code in optional:
            found += look(source)
    return found


def without_ignored(diagnostics: list[Diagnostic], text: str) -> list[Diagnostic]:
    """Return diagnostics less those that a `# ck3parse: ignore[CODE]` on their line is for."""
    if "ck3parse:" not in text:
        return diagnostics
    lines = text.split("\n")
    ignored = {line: _ignored_in(lines[line - 1]) for line in {each.line for each in diagnostics}}

    def is_wanted(diagnostic: Diagnostic) -> bool:
        codes = ignored[diagnostic.line]
        return codes is not None and diagnostic.code.removeprefix("CK3-") not in codes

    return [diagnostic for diagnostic in diagnostics if is_wanted(diagnostic)]


def _ignored_in(line: str) -> set[str] | None:
    """Return the codes that a line says are to be ignored, `None` if it says so of all."""
    comment = line.find("#")
    match = _IGNORED.search(line, comment) if comment >= 0 else None
    if match is None:
        return set()
    if match[1] is None:
        return None
    return {code.strip().upper().removeprefix("CK3-") for code in match[1].split(",")}


class _Places:
    """Lines and columns of a text's offsets, in one pass: they are asked for in their order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._line = 1
        self.line_start = 0

    def of(self, offset: int) -> tuple[int, int]:
        newlines = self._text.count("\n", self._offset, offset)
        if newlines:
            self._line += newlines
            self.line_start = self._text.rfind("\n", self._offset, offset) + 1
        self._offset = offset
        return self._line, offset - self.line_start + 1


def _warning(place: tuple[int, int], length: int, code: str, message: str) -> Diagnostic:
    line, column = place
    return Diagnostic(line, column, line, column + length, "warning", code, message)


def _encoding(source: Source) -> Iterator[Diagnostic]:
    data = source.data
    if data and not data.startswith(BOM):
        yield Diagnostic(1, 1, 1, 1, "warning", "CK3-W001", "the file has no byte order mark")
    offsets = _invalid_offsets(data)
    if not offsets:
        return
    places = _places_in_text(source, offsets)
    if _is_windows_1252(data):
        byte = data[offsets[0] : offsets[0] + 1]
        message = (
            f"the text is Windows-1252, not UTF-8: the byte 0x{byte[0]:02X} is"
            f" `{byte.decode('cp1252')}` there"
        )
        yield _warning(next(places), 1, "CK3-W003", message)
        return
    for at, place in zip(offsets, places, strict=True):
        likely = data[at : at + 1].decode("cp1252", "replace")
        hint = f"; in Windows-1252 it is `{likely}`" if likely.isprintable() else ""
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "; the file is likely UTF-16"
        yield _warning(place, 1, "CK3-W002", f"the byte 0x{data[at]:02X} is no UTF-8 here{hint}")


def _invalid_offsets(data: bytes) -> list[int]:
    """Return where the first bytes are that are no UTF-8, up to `MAX_OF_A_KIND`."""
    offsets: list[int] = []
    at = 0
    while at < len(data) and len(offsets) < MAX_OF_A_KIND:
        window = data[at : at + _WINDOW]
        try:
            at += codecs.utf_8_decode(window, "strict", at + len(window) == len(data))[1]
        except UnicodeDecodeError as error:
            offsets.append(at + error.start)
            at += error.end
    return offsets


def _places_in_text(source: Source, offsets: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the lines and columns that bytes which are no UTF-8 have in the text."""
    places = _Places(source.text)
    before = len(BOM) if source.data.startswith(BOM) else 0
    length = 0
    for at in offsets:
        # No line end goes across such a byte.
        text = source.data[before:at].decode("utf-8", "replace")
        length += len(text) - text.count("\r\n")
        before = at
        yield places.of(length)


def _is_windows_1252(data: bytes) -> bool:
    """Tell whether each byte is Windows-1252's, and no two of them make a character of UTF-8."""
    data = data.removeprefix(BOM)
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return data.decode("utf-8", "ignore").isascii() and b"\x00" not in data


def _double_equals(source: Source) -> Iterator[Diagnostic]:
    if "==" not in source.text:
        return
    places = _Places(source.text)
    found = (match.start() for match in _TOKENS.finditer(source.text) if match[0] == "==")
    message = "== where the game reads =: only numbers are compared by =="
    for start in islice(found, MAX_OF_A_KIND):
        yield _warning(places.of(start), 2, "CK3-W004", message)


def _missing_operators(source: Source) -> Iterator[Diagnostic]:
    blocks = _keys_without_operator(source.text, _KEY_BLOCK, "block")
    values = _keys_without_operator(source.text, _KEY_VALUE, "value")
    return islice(chain(blocks, values), MAX_OF_A_KIND)


def _keys_without_operator(text: str, pattern: re.Pattern[str], what: str) -> Iterator[Diagnostic]:
    places = _Places(text)
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
        yield _warning((line, column), end - start, "CK3-W007", message)


def _ends_assignment(text: str, end: int) -> bool:
    """Tell whether the line that ends there ends with an assignment, or with a block."""
    start = text.rfind("\n", 0, end) + 1
    last = max(text.rfind(sign, start, end) for sign in "{}#")
    rest = text[max(last + 1, start) : end]
    return any(sign in rest for sign in "=<>") or (
        last >= 0 and text[last] == "}" and not rest.strip(" \t")
    )


def _mixed_indentation(source: Source) -> Iterator[Diagnostic]:
    first = _MIXED.search(source.text)
    if first:
        count = sum(1 for _ in _MIXED.finditer(source.text, first.start()))
        lines = "1 line" if count == 1 else f"{count:,} lines"
        message = f"{lines} from here on indented by both tabs and spaces"
        place = _Places(source.text).of(first.start())
        yield _warning(place, len(first[0]), "CK3-W005", message)


def _repeated_keys(source: Source) -> Iterator[Diagnostic]:
    if source.outcome.ast_json is None:
        return
    try:
        root = msgspec.json.decode(source.outcome.ast_json)
    except RecursionError:
        return
    count = 0
    blocks = [root["children"]]
    while blocks:
        seen: dict[str, int] = {}
        for node in blocks.pop():
            inner: list[Any] | None = node.get("children") or node.get("items")
            if inner:
                blocks.append(inner)
            key = node.get("key") or node.get("name")
            if not isinstance(key, str):
                continue
            first = seen.setdefault(key, node["line"])
            if (first, node["line"]) != (node["line"], node["line"]) and count < MAX_OF_A_KIND:
                count += 1
                place = node["line"], node["column"]
                message = f"the key `{key}` is given twice in this block, first in line {first}"
                yield _warning(place, len(key), "CK3-W006", message)


_OPTIONAL: dict[str, Callable[[Source], Iterator[Diagnostic]]] = {
    "CK3-W005": _mixed_indentation,
    "CK3-W006": _repeated_keys,
}
