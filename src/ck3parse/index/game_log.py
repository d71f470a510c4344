"""Reads the game's `database_conflicts.log`, and compares it with the winners of the index.

The game writes a line for each entry that it reads again, with the place that it takes it from:

    Overriding entry 'brave' for database 'common/traits' in 'file: common/traits/zz.txt line: 12'

What stands before it, a time and a place in the game's own source, differs between versions of the
game and counts for nothing.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ck3parse.errors import UsageError
from ck3parse.plurals import counted

Verdict = Literal["agrees", "other place", "only in the log", "only in the index"]
"""How one name of a database compares: the game took the place that the index says, or another one;
or one of both knows of no conflict."""

MAX_LOG_BYTES = 256 * 1024 * 1024
"""A log of a million overridden entries has less."""

_ENTRY = re.compile(
    r"Overriding entry '([^\n]*)' for database '([^'\n]*)' in 'file: ([^\n]*) line: ([0-9]+)'"
)
_LOG_LINE = re.compile(r"^\[[0-9]{2}:[0-9]{2}:[0-9]{2}\]", re.MULTILINE)


class LogEntry(NamedTuple):
    """An entry of the game's that was read again.

    Attributes:
        name: its name.
        database: the folder of its kind, as the log writes it: `common/traits`.
        file: the path of the file that the game takes it from, relative to a mod's root.
        line: the line in that file, from 1.
    """

    name: str
    database: str
    file: str
    line: int


class Overridden(NamedTuple):
    """A name that the index says is overridden.

    Attributes:
        name: the name.
        kind: what it names.
        rule: the id of the rule that decided.
        file: the path of the file of the winner, relative to its mod's root.
        line: the line in that file, from 1.
    """

    name: str
    kind: str
    rule: str
    file: str
    line: int


class Compared(msgspec.Struct, frozen=True):
    """A name of which the log, the index or both say that it is overridden.

    Attributes:
        verdict: how they compare.
        rule: the id of the rule of the index, or the database if only the log knows it.
        name: the name.
        in_log: the place that the game takes, or `None`.
        in_index: the place that the index says, or `None`.
    """

    verdict: Verdict
    rule: str
    name: str
    in_log: tuple[str, int] | None
    in_index: tuple[str, int] | None


def read_log(path: Path) -> list[LogEntry]:
    """Return the entries of a `database_conflicts.log`, each name of a database once: as last read.

    Args:
        path: the log. An empty one is that of a playset without a conflict.

    Raises:
        UsageError: it cannot be read, or is not such a log.
    """
    try:
        if path.stat().st_size > MAX_LOG_BYTES:
            raise UsageError(
                f"{path} has more than {MAX_LOG_BYTES:,} bytes, more than any such log: give the"
                " database_conflicts.log of one start of the game"
            )
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise UsageError(
            f"the log {path} cannot be read ({error.strerror}): give the path of"
            " database_conflicts.log in the game's logs folder"
        ) from error
    found: dict[tuple[str, str], LogEntry] = {}
    for name, database, file, line in _ENTRY.findall(text):
        place = file.replace("\\", "/").strip("/")
        # The last one wins, and keeps its place in the order of the log.
        found.pop((database, name), None)
        found[database, name] = LogEntry(name, database, place, int(line))
    if not found and text.strip():
        if _LOG_LINE.search(text):
            raise UsageError(
                f'{path} is a log of the game, but no line says "Overriding entry … for database …'
                " in 'file: … line: …'\": give database_conflicts.log; if it is that one, another"
                " version of the game wrote it in a form that ck3parse does not know"
            )
        raise UsageError(
            f"{path} is not a log of the game: give database_conflicts.log from its logs folder"
        )
    return list(found.values())


def compare(
    entries: Iterable[LogEntry], overridden: Sequence[Overridden], files: Collection[str]
) -> list[Compared]:
    """Compare the log with the index.

    Args:
        entries: those of the log.
        overridden: what the index says. Names of the same folder and kind are one database.
        files: the paths of all files of the playset, relative to the roots of their mods.

    Returns:
        One for each name of a database, by rule, name and place.

    Raises:
        UsageError: not even half of the files that the log names are in the playset, so that it is
            the log of another one.
    """
    logged = list(entries)
    known = {path.casefold() for path in files}
    named = {entry.file.casefold() for entry in logged}
    missing = sorted(named - known)
    if len(missing) * 2 > len(named):
        raise UsageError(
            "the log is of another playset or another version of the game: this one lacks"
            f" {len(missing):,} of {counted(len(named), 'file')} that the log names, such as"
            f" {missing[0]}; start the game with this playset, and compare with the log that it"
            " writes then"
        )
    by_name: dict[str, list[Overridden]] = {}
    for each in overridden:
        by_name.setdefault(each.name, []).append(each)
    found: list[Compared] = []
    matched: set[Overridden] = set()
    for entry in logged:
        same = [each for each in by_name.get(entry.name, ()) if _of_one_database(entry, each)]
        mine = min(same, key=lambda each: not _same_place(entry, each), default=None)
        place = entry.file, entry.line
        if mine is None:
            found.append(Compared("only in the log", entry.database, entry.name, place, None))
            continue
        matched.add(mine)
        verdict: Verdict = "agrees" if _same_place(entry, mine) else "other place"
        found.append(Compared(verdict, mine.rule, entry.name, place, (mine.file, mine.line)))
    for each in overridden:
        if each not in matched:
            place = each.file, each.line
            found.append(Compared("only in the index", each.rule, each.name, None, place))
    return sorted(found, key=lambda each: (each.rule, each.name, each.in_log or ("", 0)))


def _of_one_database(entry: LogEntry, mine: Overridden) -> bool:
    folder = entry.database.casefold().strip("/") + "/"
    return mine.file.casefold().startswith(folder)


def _same_place(entry: LogEntry, mine: Overridden) -> bool:
    return (entry.file.casefold(), entry.line) == (mine.file.casefold(), mine.line)
