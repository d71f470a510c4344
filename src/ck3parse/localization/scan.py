"""What both parsers of localization files return, and the diagnostics that follow from it."""

from typing import NamedTuple

from ck3parse.localization.tables import (
    CODES,
    MESSAGES,
    SEVERITIES,
    TOO_MANY,
    TOO_MANY_MESSAGE,
)
from ck3parse.messages import Diagnostic
from ck3parse.plurals import counted

MAX_DIAGNOSTICS = 100
"""How many faults of one file are reported. One more diagnostic counts the others."""

MAX_FAULTS = MAX_DIAGNOSTICS + 1
"""How many faults a parser passes on: those that are reported, and the place of the next one."""

_FOUND_LIMIT = 40


class Fault(NamedTuple):
    """What is wrong at one place. A place never spans lines.

    Attributes:
        kind: one of `FaultKind`.
        line: from 1.
        column: in code points, from 1.
        end_column: the column after its place.
        found: what the message names.
    """

    kind: int
    line: int
    column: int
    end_column: int
    found: str


class Scan(NamedTuple):
    """What a parser returns.

    Attributes:
        entries_json: the entries as a JSON array of arrays, in UTF-8; see
            `ck3parse.localization.Entry`.
        entry_count: how many there are.
        header: the language that the header names and its line, or `None` without a header.
        faults: the first faults in order of place, at most as many as were asked for.
        fault_count: how many there are in all.
    """

    entries_json: bytes
    entry_count: int
    header: tuple[str, int] | None
    faults: list[Fault]
    fault_count: int


def diagnostics_of(scan: Scan) -> list[Diagnostic]:
    """Return the diagnostics of a file. The last one counts the faults past the limit.

    Args:
        scan: what a parser found, asked for `MAX_FAULTS` faults.
    """
    shown = [_diagnostic(fault) for fault in scan.faults[:MAX_DIAGNOSTICS]]
    more = scan.fault_count - len(shown)
    if more > 0:
        _, line, column, end_column, _ = scan.faults[MAX_DIAGNOSTICS]
        message = TOO_MANY_MESSAGE % {"more": counted(more, "more problem")}
        shown.append(Diagnostic(line, column, line, end_column, "error", TOO_MANY, message))
    return shown


def _diagnostic(fault: Fault) -> Diagnostic:
    kind, line, column, end_column, found = fault
    message = MESSAGES[kind] % {"found": _readable(found)}
    return Diagnostic(line, column, line, end_column, SEVERITIES[kind], CODES[kind], message)


def _readable(found: str) -> str:
    if len(found) > _FOUND_LIMIT:
        found = found[: _FOUND_LIMIT - 1] + "…"
    return f"`{found}`" if found.isprintable() else ascii(found)
