"""The rules and rows of the extractor `ck3/1`: what a file defines, and the names that it uses.

The rules are data: `ck3.toml` beside this file. The extractor reads the tree of dialect `ck3`,
whatever the dialect of the request, and takes files with syntax errors, too: their tree has all
that is sound. The rows of a file depend on its content and on the `id` of its rule only.

`ck3_tree.py` makes the rows in Python, and `rust/core/src/index` in Rust.
"""

import tomllib
import zlib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from ck3parse.messages import Count

Wins = Literal["last", "first", "merge", "file", "priority", "error", "local"]
Certainty = Literal["high", "medium", "low"]
Role = Literal["key", "value", "part"]

ROLES: tuple[Role, ...] = ("key", "value", "part")
"""The roles of places, by their number in the native body."""


_RULES = Path(__file__).with_name("ck3.toml")


class Nested(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Definitions inside other blocks; `ck3.toml` explains the fields."""

    depth: Literal[1, 2]
    containers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    not_names: tuple[str, ...] = ()
    kind: str = ""
    joined: bool = False
    values: bool = False


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Definitions after a word of their own; `ck3.toml` explains the fields."""

    word: str
    kind: str
    depth: Literal[0, 1]
    list: bool = False


class Finder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the definitions of a file are found; `ck3.toml` explains the fields."""

    top: bool = False
    not_names: tuple[str, ...] = ()
    nested: tuple[Nested, ...] = ()
    chained: tuple[str, ...] = ()
    declared: tuple[Declared, ...] = ()
    named: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the files of a folder define, and which of two definitions the game uses.

    Attributes:
        kind: the kind of the definitions. There is one rule for each kind.
        folder: relative to the root of a mod, in lower case. `None` for definitions that are found
            in the files of another rule.
        id: what rows are stored under: the folder, unless `ck3.toml` has another.
        find: the name of the `Finder`.
        wins: which definition the game uses; `ck3.toml` explains the words.
        since: the version of the game from which on that is so; empty if it always was.
        source: where that is known from.
        certainty: how sure it is.
        note: what else to know.
    """

    kind: str
    folder: str | None = None
    id: str = ""
    find: str = "top"
    wins: Wins = "last"
    since: str = ""
    source: str = "wiki"
    certainty: Certainty = "high"
    note: str = ""


Priority = Annotated[int, msgspec.Meta(gt=-(10**9), lt=10**9)]


class Definition(NamedTuple):
    """A definition in a file.

    Attributes:
        name: its name.
        kind: its kind, such as `trait`.
        start: the offset of its first byte in the file.
        end: the offset after its last byte, which is that of its closing brace or value.
        line: the line where it starts, from 1.
        hash: its length and CRC-32, `length << 32 | crc`, in 63 bits. Both are of the UTF-8 of its
            tokens with a space between them, without comments: two definitions that differ in white
            space and comments only have the same. Of a definition inside it only the key counts.
        priority: the value of its `id_override_priority` or `history_override_priority`, if that
            is an integer of at most nine digits.
    """

    name: str
    kind: str
    start: Count
    end: Count
    line: Count
    hash: Count
    priority: Priority | None


class Ck3Rows(msgspec.Struct, frozen=True):
    """The rows of `ck3/1`.

    Attributes:
        definitions: in the order of the file.
        words: the names that the file uses, each once, in the order of their first use: keys,
            values and tags, and their parts between `:`, `.` and `|`. Numbers, dates, booleans,
            variables, expressions and what has a `$` are none. Of a string, it is the whole if
            it has no white space; if it has a `[`, it is each run of letters, digits and `_`.
    """

    definitions: list[Definition]
    words: list[str]


class Place(NamedTuple):
    """A place where a file uses a name.

    Attributes:
        start: the offset of its first byte in the file.
        end: the offset after its last byte.
        line: its line, from 1.
        column: its column in code points, from 1.
        role: `key`, `value`, or `part` of a longer word.
    """

    start: int
    end: int
    line: int
    column: int
    role: Role


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `ck3.toml`."""

    find: dict[str, Finder]
    rule: list[Rule]


def rules_digest() -> int:
    """Return a number that changes when a rule does, without reading the rules."""
    return zlib.crc32(_RULES.read_bytes())


@cache
def _content() -> _Content:
    return msgspec.convert(tomllib.loads(_RULES.read_text("utf-8")), _Content)


@cache
def rules() -> list[Rule]:
    """Return all rules."""
    return [
        rule if rule.id else msgspec.structs.replace(rule, id=rule.folder)
        for rule in _content().rule
    ]


def finders() -> Mapping[str, Finder]:
    """Return all ways to find definitions, by name."""
    return _content().find


@cache
def _by_kind() -> dict[str, Rule]:
    return {rule.kind: rule for rule in rules()}


@cache
def _by_folder() -> dict[str, Rule]:
    return {rule.folder: rule for rule in rules() if rule.folder is not None}


@lru_cache(maxsize=1 << 16)
def rule_of_kind(kind: str) -> Rule:
    """Return the rule that says which definition of a kind the game uses.

    Args:
        kind: the kind of a definition.
    """
    return _by_kind().get(kind) or _of_unknown_folder(f"common/{kind}")


def rule_of(relpath: str) -> Rule:
    """Return the rule of a file: that of the deepest folder around it that has one.

    Args:
        relpath: the path of the file relative to the root of its mod, in upper or lower case.
    """
    if "\\" in relpath:
        relpath = relpath.replace("\\", "/")
    return _rule_of_folder(relpath.rpartition("/")[0])


@lru_cache(maxsize=1 << 16)
def _rule_of_folder(folder: str) -> Rule:
    by_folder = _by_folder()
    folder = rest = folder.lower()
    while rest not in by_folder:
        rest = rest.rpartition("/")[0]
    if rest == "common" != folder:
        # A path can have lone surrogates, which JSON and SQLite cannot.
        folder = folder.encode("utf-8", "replace").decode()
        return _of_unknown_folder("/".join(folder.split("/")[:2]))
    return by_folder[rest]


@cache
def _of_unknown_folder(folder: str) -> Rule:
    """Return the rule of a folder of `common/` that no rule names."""
    kind = folder.removeprefix("common/")
    return msgspec.structs.replace(_by_folder()["common"], id=folder, folder=folder, kind=kind)


def encoding_name(rule: Rule) -> str:
    """Return a name for the parser, which says how to read a file that is not UTF-8.

    Args:
        rule: the rule of the file. Its rows depend on nothing else of its path.
    """
    return f"{rule.folder}/"


def decode(rows: bytes) -> Ck3Rows:
    """Return the rows of an answer.

    Args:
        rows: their JSON, as `ParseResult.rows_json` returns it.
    """
    return msgspec.json.decode(rows, type=Ck3Rows)
