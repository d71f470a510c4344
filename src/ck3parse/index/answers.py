"""What the index answers: definitions, uses and conflicts."""

from typing import Literal

import msgspec

Wins = Literal["last", "first", "merge", "file", "error", "priority", "replaced"]
"""Who wins where a name is defined twice: what the rules say, and `replaced` for a file of which
nothing is left, since a later one has its path or replaces its folder."""

OUTCOMES: dict[Wins, str] = {
    "last": "the one read last wins",
    "first": "the one read first wins",
    "merge": "both count, lists are merged",
    "file": "only a file of the same path can replace it",
    "error": "the game reports an error",
    "priority": "the highest priority wins",
    "replaced": "the whole file is replaced",
}
"""What each of them means, in a few words."""

MERGING: tuple[Wins, ...] = ("merge",)
"""Where nobody loses."""


class Definition(msgspec.Struct, frozen=True):
    """A place where a name is defined.

    Attributes:
        name: the name.
        kind: what it names: `trait`, `event`, `scripted_effect`.
        source: the name of the mod, the game or the folder.
        file: the path of the file relative to the root of its source, with `/`.
        path: its absolute path.
        line: the line where it starts, from 1.
        start: the first byte of the definition in the file.
        end: the byte after its last one.
        in_effect: whether the game reads this file, which another file or a descriptor can replace.
        wins: whether the game takes this definition; of merging ones, whether it is the last.
    """

    name: str
    kind: str
    source: str
    file: str
    path: str
    line: int
    start: int
    end: int
    in_effect: bool
    wins: bool


class Use(msgspec.Struct, frozen=True):
    """A place where a name is used, or defined.

    Attributes:
        name: the name as the place has it.
        source: as in `Definition`.
        file: as in `Definition`.
        path: as in `Definition`.
        line: the line, from 1.
        column: the column, in code points from 1.
        start: the first byte of the word in the file.
        end: the byte after its last one.
        role: `key`, `value`, or `part` of a longer word such as `culture:norse`.
        definition: whether this place is the name of one of its definitions.
    """

    name: str
    source: str
    file: str
    path: str
    line: int
    column: int
    start: int
    end: int
    role: str
    definition: bool


class Place(msgspec.Struct, frozen=True):
    """One side of a conflict.

    Attributes:
        source: as in `Definition`.
        file: as in `Definition`.
        path: as in `Definition`.
        line: the line, from 1; 0 of a whole file.
    """

    source: str
    file: str
    path: str
    line: int

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{self.source}: {where}"


class Conflict(msgspec.Struct, frozen=True):
    """A name that is defined twice, or a file that is replaced.

    Attributes:
        name: the name; of a file, its path relative to the root of its source.
        kind: what it names, or `file`.
        rule: the id of the rule that decided.
        wins: who wins by it.
        certainty: how sure the rule is: `high`, `medium` or `low`.
        winner: the definition that the game takes; of merging ones, the last.
        loser: another definition.
        equal: whether both have the same content, without comments and blanks.
    """

    name: str
    kind: str
    rule: str
    wins: Wins
    certainty: str
    winner: Place
    loser: Place
    equal: bool
