"""Diagnostics that are left out: by a comment such as `# ck3parse: ignore[E008]`, or as false."""

import re

from ck3parse.lint.rules.rule import PREFIX, Source
from ck3parse.messages import Diagnostic

_COMMENT = re.compile(r"\bck3parse:[ \t]*+ignore(?:\[([^\]\n]*+)\])?", re.IGNORECASE)
_OF_CHARACTERS = frozenset({"CK3-E002", "CK3-W102", "CK3-W103"})
"""What a parser reports for a single character."""

_MISSING_OPERATOR = "CK3-W101"
_NUMBER = re.compile(r"[+-]?[0-9.]+")


def without_false(diagnostics: list[Diagnostic], source: Source) -> list[Diagnostic]:
    """Return a parser's diagnostics without those that are no use.

    These are characters at a byte that is not UTF-8, which the rules about encodings report, and a
    number before a block, which is a pair in a list: `{ 0.5 { 1 0 0 } }`.

    Args:
        diagnostics: of one file.
        source: the file.
    """
    suspicious = {_MISSING_OPERATOR}
    if source.invalid.outside or source.invalid.inside:
        suspicious |= _OF_CHARACTERS
    if suspicious.isdisjoint(each.code for each in diagnostics):
        return diagnostics
    lines = source.text.split("\n")

    def is_false(diagnostic: Diagnostic) -> bool:
        if diagnostic.code not in suspicious:
            return False
        line, index = lines[diagnostic.line - 1], diagnostic.column - 1
        before, found = line[:index], line[index:]
        if diagnostic.code == _MISSING_OPERATOR:
            return before.rstrip().endswith("{") and _NUMBER.match(found) is not None
        return found.startswith("\ufffd")

    return [diagnostic for diagnostic in diagnostics if not is_false(diagnostic)]


def without_suppressed(diagnostics: list[Diagnostic], text: str) -> list[Diagnostic]:
    r"""Return the diagnostics that no comment on their line silences.

    Args:
        diagnostics: of one file.
        text: the text of the file, with `\n` as the only line end.
    """
    if "ck3parse:" not in text:
        return diagnostics
    lines = text.split("\n")
    suppressed = {each.line: _suppressed_codes(lines[each.line - 1]) for each in diagnostics}

    def is_reported(diagnostic: Diagnostic) -> bool:
        codes = suppressed[diagnostic.line]
        return codes is not None and diagnostic.code.removeprefix(PREFIX) not in codes

    return [diagnostic for diagnostic in diagnostics if is_reported(diagnostic)]


def _suppressed_codes(line: str) -> set[str] | None:
    """Return the codes that a line's comment silences, without `CK3-`; `None` for all codes."""
    start = line.find("#")
    match = _COMMENT.search(line, start) if start >= 0 else None
    if match is None:
        return set()
    if match[1] is None:
        return None
    return {code.strip().upper().removeprefix(PREFIX) for code in match[1].split(",")}
