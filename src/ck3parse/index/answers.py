"""What the index answers: definitions, uses and conflicts."""

from typing import Literal

import msgspec

Wins = Literal[
    "last", "first", "priority", "merge", "error", "file", "local", "replaced", "replace"
]
"""Which of two definitions the game uses: the words of the rules in `extractors/ck3.toml`;
`replaced` for a file of which nothing is left, as a later one has its path or replaces its folder;
and `replace` for a text below a folder of that name.
"""

TEXT_KIND = "localization"
"""The kind of the keys of localization files."""

OUTCOMES: dict[Wins, str] = {
    "last": "the one read last wins",
    "first": "the one read first wins",
    "priority": "the highest priority wins, equal ones are an error",
    "merge": "both count, lists are merged",
    "error": "none overrides the other: the game reports an error",
    "file": "none overrides the other: only a file of the same path can",
    "local": "each counts in its own file",
    "replaced": "the whole file is replaced",
    "replace": "the last one below a folder `replace` wins",
}
"""What each of them means, in a few words."""


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
        wins: whether the game uses this definition: as the only one, as that which wins by the
            rule, or as one of several that all count.
        rule: the id of the rule that decides, such as `common/traits`.
        how: who wins by that rule.
        certainty: how sure the rule is: `high`, `medium` or `low`.
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
    rule: str
    how: Wins
    certainty: str


class Text(msgspec.Struct, frozen=True):
    """A text of a localization file.

    Attributes:
        key: its key.
        language: its language, by the name of the file or else its header; empty if neither says.
        text: what stands between its quotes.
        source: as in `Definition`.
        file: as in `Definition`.
        path: as in `Definition`.
        line: the line, from 1.
        in_effect: as in `Definition`.
        wins: whether the game uses this text, as the only one or of several.
        in_replace: whether it is below a folder `replace`: the last of these wins. Else, the text
            that is read first does.
    """

    key: str
    language: str
    text: str
    source: str
    file: str
    path: str
    line: int
    in_effect: bool
    wins: bool
    in_replace: bool


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
        role: `key`, `value`, or `part` of a longer word such as `culture:norse`; in a localization
            file `key`, or `text` for a `$KEY$` in the text of another key.
        definition: whether one of its definitions starts here.
        text: the line, without the blanks around it; of a very long one, what is around the place.
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
    text: str


class Place(msgspec.Struct, frozen=True):
    """One side of a conflict.

    Attributes:
        source: as in `Definition`.
        file: as in `Definition`; empty for a descriptor that replaces a folder.
        path: as in `Definition`.
        line: the line, from 1; 0 of a whole file.
    """

    source: str
    file: str
    path: str
    line: int

    def __str__(self) -> str:
        if not self.file:
            return f"{self.source}: replace_path in its descriptor"
        return (
            f"{self.source}: {self.file}:{self.line}"
            if self.line
            else f"{self.source}: {self.file}"
        )


class Conflict(msgspec.Struct, frozen=True):
    """A name that is defined twice, or a file that is replaced.

    Attributes:
        name: the name; of a file, its path relative to the root of its source.
        kind: what it names, or `file`.
        rule: the id of the rule that decides, such as `common/traits`.
        how: who wins by it.
        certainty: how sure it is: `high`, `medium` or `low`.
        decided: whether the game uses the winner alone. If not, both count or the game reports an
            error, and the winner is the one that is listed first.
        winner: the definition that the game uses.
        loser: another definition of that name and kind.
        equal: whether both have the same content, without comments and blanks.
        languages: of a key of localization, the languages for which this is so, English first. The
            places are those of the first. Empty for anything else.
    """

    name: str
    kind: str
    rule: str
    how: Wins
    certainty: str
    decided: bool
    winner: Place
    loser: Place
    equal: bool
    languages: tuple[str, ...] = ()
