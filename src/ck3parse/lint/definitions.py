"""What files define, if a mod should define it once. The extractor `ck3/1` finds it."""

from typing import NamedTuple

import msgspec

from ck3parse.extractors.ck3 import Definition, rule_of, rule_of_kind
from ck3parse.extractors.stage import index_rows
from ck3parse.lint.rules.definitions import DUPLICATE
from ck3parse.lint.rules.rule import BOM, Place, with_lf
from ck3parse.lint.suppression import without_suppressed
from ck3parse.messages import Diagnostic

IN_A_MOD = frozenset({"last", "first", "priority", "error"})
"""Which rules make a second definition in a mod a mistake, as `wins` in the extractor's rules."""

_IN_A_FILE = IN_A_MOD | {"local"}
_LINE_ENDS = frozenset(b"\n\r")


class Named(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A definition.

    Attributes:
        name: of what is defined.
        kind: of what is defined.
        hash: of its text without comments and blanks.
        priority: its priority over others of its name, or `None`.
        line: where it is, from 1.
        column: where it is, in code points from 1.
        is_silenced: whether a comment on its line suppresses what is said about it.
    """

    name: str
    kind: str
    hash: int
    priority: int | None
    line: int
    column: int
    is_silenced: bool


class Definitions(NamedTuple):
    """What a content defines.

    Attributes:
        rule: the extractor's id of the rule that its place has. Nothing else of it matters.
        names: the definitions, in the order of the file, as `decoded` reads them. The cache keeps
            them in this form.
    """

    rule: str
    names: bytes


class _Rows(msgspec.Struct):
    """As much of the rows of `ck3/1` as is needed."""

    definitions: list[Definition]


_decode = msgspec.json.Decoder(_Rows).decode
_encode_names = msgspec.msgpack.Encoder().encode
_decode_names = msgspec.msgpack.Decoder(list[Named]).decode

NONE = _encode_names([])
"""No definitions, as `Definitions.names`."""


def rule_for(place: Place) -> str | None:
    """Return the extractor's id of the rule for a file.

    Args:
        place: where it is in its mod.

    Returns:
        The id, or `None` if nothing in the file can be defined twice by mistake.
    """
    rule = rule_of(place.path)
    if place.of_ck2 or rule.find == "nothing" or rule.wins == "merge":
        return None
    return rule.id


def definitions_in(
    data: bytes, place: Place, *, native: bool, max_depth: int
) -> Definitions | None:
    """Return what a file defines.

    Args:
        data: its content.
        place: where it is in its mod.
        native: whether the native parser reads it.
        max_depth: how deep braces may nest.

    Returns:
        The definitions, or `None` if its place has none that matter.
    """
    rule = rule_for(place)
    if rule is None:
        return None
    rows = _decode(index_rows(data, place.path, native=native, max_depth=max_depth))
    definitions = [each for each in rows.definitions if rule_of_kind(each.kind).wins in _IN_A_FILE]
    silenced = _silenced(data, definitions)
    line_ends = [end for end in (b"\n", b"\r") if end in data]
    named = [
        Named(
            each.name,
            each.kind,
            each.hash,
            each.priority,
            each.line,
            _column(data, each.start, line_ends),
            each.line in silenced,
        )
        for each in definitions
    ]
    return Definitions(rule, _encode_names(named))


def names_of(definitions: Definitions | None) -> bytes:
    """Return what a file defines, as `Definitions.names`, also if it has no rule.

    Args:
        definitions: the definitions of the file.
    """
    return definitions.names if definitions else NONE


def decoded(names: bytes) -> list[Named]:
    """Return the definitions of a content.

    Args:
        names: as in `Definitions`.
    """
    return _decode_names(names)


def _column(data: bytes, start: int, line_ends: list[bytes]) -> int:
    if start and data[start - 1] in _LINE_ENDS:
        return 1
    line_start = max((data.rfind(end, 0, start) for end in line_ends), default=-1) + 1
    before = data[line_start:start].removeprefix(BOM)
    return len(before.decode("utf-8", "replace")) + 1


def _silenced(data: bytes, definitions: list[Definition]) -> set[int]:
    """Return the lines of definitions about which a comment says that nothing is to be said."""
    if b"ck3parse:" not in data:
        return set()
    lines = {each.line for each in definitions}
    told = [Diagnostic(line, 1, line, 1, "warning", DUPLICATE, "") for line in sorted(lines)]
    text = with_lf(data.decode("utf-8-sig", "replace"))
    return lines - {each.line for each in without_suppressed(told, text)}
