"""Comments that silence diagnostics: `# ck3parse: ignore[E008]`."""

import re

from ck3parse.check.rules.rule import PREFIX
from ck3parse.messages import Diagnostic

_COMMENT = re.compile(r"\bck3parse:[ \t]*+ignore(?:\[([^\]\n]*+)\])?", re.IGNORECASE)


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
