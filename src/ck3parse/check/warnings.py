"""What can be warned of without knowing the game's rules."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from ck3parse.messages import Diagnostic
from ck3parse.parser import ParseOutcome

BOM = b"\xef\xbb\xbf"
MAX_OF_A_KIND = 100
"""How many warnings of one code a file gives."""

_TOKENS = re.compile(
    r"\#[^\n]*+|\"(?:[^\"\\]|\\.)*+\"?+|==(?=[ \t]*+(?:[\"{]|(?:yes|no)\b))", re.DOTALL
)
_MIXED = re.compile(r"^(?: ++\t|\t++ )[ \t]*+(?=[^\s\#])", re.MULTILINE)
_WORD = r"[A-Za-z_][\w.:]*+"
_KEY_BLOCK = re.compile(rf"(?:^|[{{}}])[ \t]*+({_WORD})[ \t]++\{{", re.MULTILINE)
_KEY_VALUE = re.compile(
    r"(?:[=<>][^\n{}\#]*+|\}[ \t]*+)\n[ \t]*+"
    rf"({_WORD})[ \t]++(?:[\w.:-]++|\"[^\"\n]*+\")[ \t]*+\n"
    r"(?=[ \t]*+(?:[\w.:@]++[ \t]*+[=<>]|\}))"
)
_IGNORED = re.compile(r"\#.*?\bck3parse:[ \t]*ignore(?:\[([^\]\n]*)\])?", re.IGNORECASE)


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

    def is_wanted(diagnostic: Diagnostic) -> bool:
        match = _IGNORED.search(lines[diagnostic.line - 1])
        if match is None:
            return True
        codes = [code.strip().upper().removeprefix("CK3-") for code in (match[1] or "").split(",")]
        return match[1] is not None and diagnostic.code.removeprefix("CK3-") not in codes

    return [diagnostic for diagnostic in diagnostics if is_wanted(diagnostic)]


def _warning(text: str, start: int, end: int, code: str, message: str) -> Diagnostic:
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    return Diagnostic(line, column, line, column + end - start, "warning", code, message)


def _encoding(source: Source) -> Iterator[Diagnostic]:
    data = source.data
    if data and not data.startswith(BOM):
        yield Diagnostic(1, 1, 1, 1, "warning", "CK3-W001", "the file has no byte order mark")
    places = _invalid_places(data)
    if not places:
        return
    if _is_windows_1252(data):
        yield _encoding_warning(
            data,
            places[0],
            "CK3-W003",
            f"the text is Windows-1252, not UTF-8: the byte 0x{data[places[0]]:02X} is"
            f" `{data[places[0] : places[0] + 1].decode('cp1252')}` there",
        )
        return
    for at in places[:MAX_OF_A_KIND]:
        likely = data[at : at + 1].decode("cp1252", "replace")
        hint = f"; in Windows-1252 it is `{likely}`" if likely.isprintable() else ""
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "; the file is likely UTF-16"
        yield _encoding_warning(
            data, at, "CK3-W002", f"the byte 0x{data[at]:02X} is no UTF-8 here{hint}"
        )


def _encoding_warning(data: bytes, at: int, code: str, message: str) -> Diagnostic:
    before = data[:at].decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return _warning(before + "\ufffd", len(before), len(before) + 1, code, message)


def _invalid_places(data: bytes) -> list[int]:
    places: list[int] = []
    at = 0
    while len(places) < MAX_OF_A_KIND:
        try:
            data[at:].decode()
        except UnicodeDecodeError as error:
            places.append(at + error.start)
            at += error.end
        else:
            break
    return places


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
    count = 0
    for match in _TOKENS.finditer(source.text):
        if match[0] == "==" and count < MAX_OF_A_KIND:
            count += 1
            message = "== where the game reads =: only numbers are compared by =="
            yield _warning(source.text, *match.span(), "CK3-W004", message)


def _missing_operators(source: Source) -> Iterator[Diagnostic]:
    count = 0
    for pattern, what in ((_KEY_BLOCK, "block"), (_KEY_VALUE, "value")):
        for match in pattern.finditer(source.text):
            start, end = match.span(1)
            line_start = source.text.rfind("\n", 0, start) + 1
            if "#" in source.text[line_start:start] or count == MAX_OF_A_KIND:
                continue
            count += 1
            message = f"no operator between `{match[1]}` and its {what}"
            yield _warning(source.text, start, end, "CK3-W007", message)


def _mixed_indentation(source: Source) -> Iterator[Diagnostic]:
    matches = list(_MIXED.finditer(source.text))
    if matches:
        lines = "1 line" if len(matches) == 1 else f"{len(matches):,} lines"
        message = f"{lines} from here on indented by both tabs and spaces"
        yield _warning(source.text, *matches[0].span(), "CK3-W005", message)


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
                line, column = node["line"], node["column"]
                message = f"the key `{key}` is given twice in this block, first in line {first}"
                end = column + len(key)
                yield Diagnostic(line, column, line, end, "warning", "CK3-W006", message)


_OPTIONAL: dict[str, Callable[[Source], Iterator[Diagnostic]]] = {
    "CK3-W005": _mixed_indentation,
    "CK3-W006": _repeated_keys,
}
