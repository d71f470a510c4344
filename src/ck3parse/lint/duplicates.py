"""Names that the files of one mod define twice, which the extractor `ck3/1` finds."""

import os
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ck3parse.extractors.ck3 import Definition, rule_of, rule_of_kind
from ck3parse.extractors.stage import index_rows
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.definitions import DUPLICATE
from ck3parse.lint.rules.rule import BOM, Place, with_lf
from ck3parse.lint.suppression import without_suppressed
from ck3parse.messages import Diagnostic

_IN_A_MOD = frozenset({"last", "first", "priority", "error"})
"""Which rules make a second definition in a mod a mistake, as `wins` in the extractor's rules."""

_IN_A_FILE = _IN_A_MOD | {"local"}


class Related(NamedTuple):
    """Another place that a diagnostic is about.

    Attributes:
        path: of its file.
        line: from 1.
        column: from 1.
    """

    path: str
    line: int
    column: int


class _Definitions(msgspec.Struct):
    """As much of the rows of `ck3/1` as is needed."""

    definitions: list[Definition]


_decode = msgspec.json.Decoder(_Definitions).decode


class _Found(NamedTuple):
    """A definition in a file."""

    definition: Definition
    place: Related
    is_silenced: bool


class Duplicates:
    """The definitions of files, and which of them repeat others of their mod.

    Args:
        native: whether the native parser reads them.
        max_depth: how deep braces may nest.
    """

    def __init__(self, *, native: bool, max_depth: int) -> None:
        self._native = native
        self._max_depth = max_depth
        self._files: dict[str, tuple[str, str, list[_Found]]] = {}

    def add(self, path: str, place: Place, data: bytes) -> None:
        """Take over what a file defines.

        Args:
            path: its absolute path.
            place: where it is in its mod.
            data: its content.
        """
        self._files.pop(path, None)
        rule = rule_of(place.path)
        if place.of_ck2 or rule.find == "nothing" or rule.wins == "merge":
            return
        rows = index_rows(data, place.path, native=self._native, max_depth=self._max_depth)
        definitions = [
            each for each in _decode(rows).definitions if rule_of_kind(each.kind).wins in _IN_A_FILE
        ]
        if definitions:
            root = path[: len(path) - len(place.path)]
            found = list(_located(path, data, definitions))
            self._files[path] = root, place.path, found

    def keep(self, paths: set[str]) -> None:
        """Forget all files but these."""
        for path in self._files.keys() - paths:
            del self._files[path]

    def found(self) -> dict[str, list[tuple[Diagnostic, Related]]]:
        """Return, for each file, the definitions that repeat others, with those that they repeat.

        Definitions with the same content are none, and neither are two with different priorities.
        """
        last: dict[tuple[str, str, str], _Found] = {}
        repeated: defaultdict[str, list[tuple[Diagnostic, Related]]] = defaultdict(list)
        # The game reads files in the order of their paths.
        for path, (root, _, found) in sorted(
            self._files.items(), key=lambda item: (item[1][0], item[1][1])
        ):
            for each in found:
                definition = each.definition
                wins = rule_of_kind(definition.kind).wins
                owner = root if wins in _IN_A_MOD else path
                key = owner, definition.kind, definition.name
                before = last.get(key)
                last[key] = each
                if (
                    before is None
                    or each.is_silenced
                    or before.definition.hash == definition.hash
                    or before.definition.priority != definition.priority
                ):
                    continue
                repeated[path].append((_diagnostic(each, before, wins), before.place))
        return repeated


def _located(path: str, data: bytes, definitions: list[Definition]) -> Iterator[_Found]:
    places = []
    for each in definitions:
        start = max(data.rfind(b"\n", 0, each.start), data.rfind(b"\r", 0, each.start)) + 1
        before = data[start : each.start].removeprefix(BOM).decode("utf-8", "replace")
        places.append(Related(path, each.line, len(before) + 1))
    silenced: set[int] = set()
    if b"ck3parse:" in data:
        lines = {each.line for each in definitions}
        told = [Diagnostic(line, 1, line, 1, "warning", DUPLICATE, "") for line in sorted(lines)]
        text = with_lf(data.decode("utf-8-sig", "replace"))
        silenced = lines - {each.line for each in without_suppressed(told, text)}
    for each, place in zip(definitions, places, strict=True):
        yield _Found(each, place, place.line in silenced)


def _diagnostic(found: _Found, before: _Found, wins: str) -> Diagnostic:
    definition, (path, line, column) = found.definition, found.place
    name = f"{definition.kind.replace('_', ' ')} `{definition.name}`"
    other = f"line {before.place.line}"
    if before.place.path != path:
        folder = os.path.dirname(path)
        other = f"{os.path.relpath(before.place.path, folder).replace(os.sep, '/')}, {other}"
    if wins == "first":
        message = f"the {name} is not used: it is already defined in {other}"
    elif wins in ("last", "local"):
        message = f"the {name} replaces another one, in {other}"
    else:
        message = f"the {name} is already defined in {other}"
    end = column + len(definition.name.rpartition("|")[2])
    return Diagnostic(line, column, line, end, RULES[DUPLICATE].severity, DUPLICATE, message)
