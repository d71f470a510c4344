"""Names that the files of one mod define twice."""

import os
from collections import defaultdict
from typing import NamedTuple

from ck3parse.extractors.ck3 import rule_of_kind
from ck3parse.lint.definitions import IN_A_MOD, Named
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
        self._files: dict[str, tuple[str, str, list[Named]]] = {}

    def replace(self, path: str, place: Place, names: list[Named]) -> None:
        """Take over what a file defines, instead of what it defined before.

        Args:
            path: its absolute path.
            place: where it is in its mod.
            names: what it defines.
        """
        if names:
            root = path[: len(path) - len(place.path)]
            self._files[path] = root, place.path, names
        else:
            self._files.pop(path, None)

    def keep(self, paths: set[str]) -> None:
        """Forget all files but these."""
        for path in self._files.keys() - paths:
            del self._files[path]

    def found(self) -> dict[str, list[tuple[Diagnostic, Related]]]:
        """Return, for each file, the definitions that repeat others, with those that they repeat.

        Definitions with the same content are none, and neither are two with different priorities.
        """
        last: dict[tuple[str, str, str], tuple[Named, str]] = {}
        repeated: defaultdict[str, list[tuple[Diagnostic, Related]]] = defaultdict(list)
        # The game reads files in the order of their paths.
        for path, (root, _, names) in sorted(
            self._files.items(), key=lambda item: (item[1][0], item[1][1])
        ):
            for named in names:
                wins = rule_of_kind(named.kind).wins
                owner = root if wins in IN_A_MOD else path
                key = owner, named.kind, named.name
                before = last.get(key)
                last[key] = named, path
                if (
                    before is None
                    or named.is_silenced
                    or before[0].hash == named.hash
                    or before[0].priority != named.priority
                ):
                    continue
                other = Related(before[1], before[0].line, before[0].column)
                repeated[path].append((_diagnostic(path, named, other, wins), other))
        return repeated


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
