"""Names that the files of one mod define twice."""

import os
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from ck3parse.extractors.ck3 import rule_of_kind
from ck3parse.lint.definitions import IN_A_MOD, NONE, Named, decoded
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.definitions import DUPLICATE
from ck3parse.lint.rules.rule import Place
from ck3parse.messages import Diagnostic


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


class Duplicates:
    """The definitions of files, and which of them repeat others of their mod."""

    def __init__(self) -> None:
        # By the root of the mod, then the path in it: the path, and what the file defines.
        self._mods: defaultdict[str, dict[str, tuple[str, bytes]]] = defaultdict(dict)

    def replace(self, path: str, place: Place, names: bytes) -> None:
        """Take over what a file defines, instead of what it defined before.

        Args:
            path: its absolute path.
            place: where it is in its mod.
            names: what it defines, as in `Definitions`.
        """
        root = path[: len(path) - len(place.path)]
        if names != NONE:
            self._mods[root][place.path] = path, names
        else:
            self._mods[root].pop(place.path, None)

    def keep(self, paths: set[str]) -> None:
        """Forget all files but these."""
        for root, files in self._mods.items():
            self._mods[root] = {at: each for at, each in files.items() if each[0] in paths}

    def found(self) -> dict[str, list[tuple[Diagnostic, Related]]]:
        """Return, for each file, the definitions that repeat others, with those that they repeat.

        Definitions with the same content are none, and neither are two with different priorities.
        """
        repeated: defaultdict[str, list[tuple[Diagnostic, Related]]] = defaultdict(list)
        for files in self._mods.values():  # one after the other, as definitions take much memory
            _find(files, repeated)
        return repeated


def _find(
    files: Mapping[str, tuple[str, bytes]],
    repeated: defaultdict[str, list[tuple[Diagnostic, Related]]],
) -> None:
    """Add the definitions of a mod that repeat others, by the path of their file.

    Args:
        files: by the path in the mod, the absolute path and what the file defines.
        repeated: takes what is found.
    """
    of_mod: defaultdict[str, dict[str, tuple[Named, str]]] = defaultdict(dict)
    # The game reads files in the order of their paths.
    for _, (path, names) in sorted(files.items()):
        of_file: defaultdict[str, dict[str, tuple[Named, str]]] = defaultdict(dict)
        for named in decoded(names):
            wins = rule_of_kind(named.kind).wins
            last = (of_mod if wins in IN_A_MOD else of_file)[named.kind]
            before = last.get(named.name)
            last[named.name] = named, path
            if (
                before is None
                or before[0].hash == named.hash
                or named.is_silenced
                or before[0].priority != named.priority
            ):
                continue
            other = Related(before[1], before[0].line, before[0].column)
            repeated[path].append((_diagnostic(path, named, other, wins), other))


def _diagnostic(path: str, named: Named, before: Related, wins: str) -> Diagnostic:
    name = f"{named.kind.replace('_', ' ')} `{named.name}`"
    other = f"line {before.line}"
    if before.path != path:
        folder = os.path.dirname(path)
        other = f"{os.path.relpath(before.path, folder).replace(os.sep, '/')}, {other}"
    if wins == "first":
        message = f"the {name} is not used: it is already defined in {other}"
    elif wins in ("last", "local"):
        message = f"the {name} replaces another one, in {other}"
    else:
        message = f"the {name} is already defined in {other}"
    end = named.column + len(named.name.rpartition("|")[2])
    severity = RULES[DUPLICATE].severity
    return Diagnostic(named.line, named.column, named.line, end, severity, DUPLICATE, message)
