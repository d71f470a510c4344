"""Messages and diagnostics for the errors in a script.

A parser finds the kind of an error, its place and the token there. The messages are built here,
from the sentences in `grammar.toml`, so that both parsers report the same.
"""

from typing import NamedTuple

from ck3parse.messages import Diagnostic
from ck3parse.parser.grammar_tables import (
    BLOCK_MESSAGES,
    CODES,
    MESSAGES,
    RECOVERY_MESSAGES,
    SEVERITIES,
    TOO_MANY,
    TOO_MANY_MESSAGE,
    TOO_MANY_SEVERITY,
    ErrorKind,
)
from ck3parse.plurals import counted

MAX_DIAGNOSTICS = 100
"""How many errors of one file are reported. One more diagnostic counts the others."""

MAX_FAULTS = MAX_DIAGNOSTICS + 1
"""How many errors a parser passes on: those that are reported, and the place of the next one."""

_FOUND_LIMIT = 40


class ReportedFault(NamedTuple):
    """An error as a recovering parser reports it.

    Attributes:
        kind: one of `ErrorKind`.
        line: the line where its place starts, from 1.
        column: the column where its place starts, in code points from 1.
        end_line: the line where its place ends.
        end_column: the column after its place.
        found: the offending token as it stands in the text. For an operator without a value or a
            brace, and for a block, it is the key, or `""` if the block has none.
        opener_line: the line of the block's `{`, or 0.
    """

    kind: int
    line: int
    column: int
    end_line: int
    end_column: int
    found: str
    opener_line: int


class Recovered(NamedTuple):
    """What a recovering parser returns.

    Attributes:
        ast_json: the AST of the sound parts.
        node_count: the number of nodes in it, with the root.
        faults: the first errors and warnings, at most `MAX_FAULTS`, in order of place.
        fault_count: the number of all of them.
        first_error: the first one that is an error, or `None`.
    """

    ast_json: bytes
    node_count: int
    faults: list[ReportedFault]
    fault_count: int
    first_error: ReportedFault | None


def is_error(kind: int) -> bool:
    """Return whether a kind of fault is an error, and not a warning."""
    return SEVERITIES[kind] == "error"


def diagnostics_of(recovered: Recovered, max_depth: int) -> list[Diagnostic]:
    """Return the diagnostics of a broken text. The last one counts the errors past the limit.

    Args:
        recovered: what the recovering parser found.
        max_depth: how deep braces may nest.
    """
    shown = [
        Diagnostic(
            *_place_of(fault),
            SEVERITIES[fault.kind],
            CODES[fault.kind],
            recovery_message(fault, max_depth),
        )
        for fault in recovered.faults[:MAX_DIAGNOSTICS]
    ]
    more = recovered.fault_count - len(shown)
    if more > 0:
        place = _place_of(recovered.faults[MAX_DIAGNOSTICS])
        message = TOO_MANY_MESSAGE % {"more": counted(more, "more error")}
        severity = TOO_MANY_SEVERITY if recovered.first_error else "warning"
        shown.append(Diagnostic(*place, severity, TOO_MANY, message))
    return shown


def message_of(kind: int, found: str) -> str:
    """Return the message of an error in strict mode, one sentence.

    Args:
        kind: one of `ErrorKind`.
        found: the offending token or character as it stands in the text, `""` at the end of the
            text, or the depth limit for `TOO_DEEP`.
    """
    return MESSAGES[kind] % {"found": _readable(found), "quote": found, "limit": found}


def _place_of(fault: ReportedFault) -> tuple[int, int, int, int]:
    return fault.line, fault.column, fault.end_line, fault.end_column


def recovery_message(fault: ReportedFault, max_depth: int) -> str:
    """Return the message of an error or a warning of a recovering parser, one sentence.

    Args:
        fault: what it found.
        max_depth: how deep braces may nest.
    """
    if fault.kind in BLOCK_MESSAGES:
        variants = BLOCK_MESSAGES[fault.kind]
        variant = "block" if fault.found else "list"
        # The place of a missing brace is empty; that of an unclosed one is the brace.
        if fault.kind == ErrorKind.UNCLOSED_BLOCK and fault.end_column > fault.column:
            variant += "_at_brace"
        message = variants[variant]
    else:
        message = RECOVERY_MESSAGES[fault.kind]
    return message % {
        "found": _readable(fault.found),
        "quote": fault.found,
        "line": fault.opener_line,
        "limit": max_depth,
    }


def _readable(found: str) -> str:
    if not found:
        return "the end of the file"
    if len(found) > _FOUND_LIMIT:
        found = found[: _FOUND_LIMIT - 1] + "…"
    if found.isprintable():
        return f"`{found}`"
    if len(found) == 1:
        return f"U+{ord(found):04X}"
    return ascii(found)
