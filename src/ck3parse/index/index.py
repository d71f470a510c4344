"""`Index`: questions about the playset of a store, answered from the store's views.

The store is opened for reading only, so that answers do not wait for a run that writes it.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from ck3parse.errors import StoreError, UsageError
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.index.answers import TEXT_KIND, Conflict, Definition, Place, Text, Use
from ck3parse.index.file_text import line_of
from ck3parse.index.selection import Selection
from ck3parse.store.lock import LOCK_PATIENCE_S
from ck3parse.store.reading import open_to_read
from ck3parse.store.schema import SCHEMA_VERSION

MANY_NAMES = 1_000
"""How many names of a pattern are returned, unless more are asked for."""

_CACHE_KB = 64_000
"""Memory for pages of the store. SQLite's 2 MB are 31 pages: to find conflicts among 92,000 files
took 1.7 times as long."""


class Source(NamedTuple):
    """A mod, the game, or a folder of a playset.

    Attributes:
        name: its name.
        kind: `game`, `mod` or `folder`.
        path: its absolute path.
    """

    name: str
    kind: str
    path: str


class Index:
    """The index of the playset that a store has.

    It is a context manager that closes the store. Several threads can use it, one at a time.

    Args:
        store: the store, which `ck3parse run` wrote.

    Raises:
        StoreError: there is no such store, it cannot be read, or another version of ck3parse wrote
            it.
    """

    def __init__(self, store: str | os.PathLike[str] = "ck3parse.sqlite") -> None:
        path = Path(store)
        if not os.path.isfile(path):
            raise StoreError(
                f"there is no store {path}: make one with `ck3parse run PATH... --out"
                f" {path}`, or name another with --store"
            )
        self._path = path
        try:
            self._db = open_to_read(path, LOCK_PATIENCE_S)
            try:
                self._db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
                version = self._db.execute("PRAGMA user_version").fetchone()[0]
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        if version != SCHEMA_VERSION:
            self._db.close()
            raise StoreError(
                f"the store {path} has the schema {version}, and this ck3parse reads"
                f" {SCHEMA_VERSION}: "
                + (
                    "run `ck3parse run` into it again, which upgrades it"
                    if version < SCHEMA_VERSION
                    else "upgrade ck3parse"
                )
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._db.close()

    def changes(self) -> int:
        """Return a number that differs from an earlier one if others have changed the store since.

        Raises:
            StoreError: the store cannot be read.
        """
        ((version,),) = self._rows("PRAGMA data_version")
        return int(version)

    def sources(self) -> list[Source]:
        """Return the game, mods and folders of the playset, in load order.

        Raises:
            StoreError: the store cannot be read.
        """
        rows = self._rows("SELECT name, kind, path FROM playset_sources ORDER BY position")
        return [Source(*row) for row in rows]

    def selection(self) -> Selection | None:
        """Return which files the index is of, if the store says so.

        Raises:
            StoreError: the store cannot be read.
        """
        for (text,) in self._rows("SELECT value FROM index_state WHERE key = 'selection'"):
            return Selection.of_json(text)
        return None

    def file_count(self) -> int:
        """Return how many files the playset has.

        Raises:
            StoreError: the store cannot be read.
        """
        ((count,),) = self._rows("SELECT count(*) FROM playset_files")
        return int(count)

    def relpaths(self) -> set[str]:
        """Return the paths of all files of the playset, relative to the roots of their sources.

        Raises:
            StoreError: the store cannot be read.
        """
        return {path for (path,) in self._rows("SELECT DISTINCT relpath FROM playset_files")}

    def definitions(self, name: str, kind: str | None = None) -> list[Definition]:
        """Return where a name is defined, in the order in which the game reads it.

        Args:
            name: the name, in upper and lower case as it is defined.
            kind: only definitions of this kind, such as `trait`.

        Returns:
            Definitions in effect in the order in which they are read, kind by kind, and then those
            in files that the game does not read.

        Raises:
            StoreError: the store cannot be read.
        """
        rows = self._rows(
            "SELECT name, kind, source, relpath, file, line, start_byte, end_byte, in_effect,"
            " in_effect AND (wins = 'merge' OR (file_id, start_byte) IN"
            "  (SELECT file_id, start_byte FROM winners WHERE name = ? AND decided)),"
            " rule, wins, certainty"
            " FROM definitions WHERE name = ? AND kind = coalesce(?, kind)"
            " ORDER BY kind, in_effect DESC, read_order, position, start_byte",
            [name, name, kind],
        )
        return [_definition(*row) for row in rows]

    def texts(self, key: str, language: str | None = None) -> list[Text]:
        """Return the texts of a key, in the order in which the game reads them.

        Args:
            key: the key, in upper and lower case as it is defined.
            language: only those of this language, such as `german`.

        Returns:
            Language by language, English first: texts in effect, and then those in files that the
            game does not read.

        Raises:
            StoreError: the store cannot be read.
        """
        rows = self._rows(
            "SELECT key, language, text, source, relpath, file, line, in_effect, wins, in_replace"
            " FROM loc_entries WHERE key = ? AND (? IS NULL OR language = ?)"
            " ORDER BY language <> 'english', language, in_effect DESC, read_order, position, line",
            [key, language, language],
        )
        return [_text(*row) for row in rows]

    def winner(self, name: str, kind: str) -> Definition | None:
        """Return the definition that the game uses.

        Args:
            name: the name.
            kind: what it names, such as `trait`.

        Returns:
            The definition. Of several that all count, the one that is read last. `None` if the name
            is not defined, or if several definitions are an error.

        Raises:
            StoreError: the store cannot be read.
        """
        winners = [each for each in self.definitions(name, kind) if each.wins]
        return winners[-1] if winners else None

    def uses(self, name: str, *, max_bytes: int = 1 << 30) -> list[Use]:
        """Return every place where a name stands, read again from the files.

        In localization files, that is where it is a key, and where a text names it as `$KEY$`.

        Args:
            name: the name, in upper and lower case as it stands in the files.
            max_bytes: larger files are not read.

        Returns:
            The places, by source in load order, file and place, with those where it is defined.

        Raises:
            StoreError: the store cannot be read.
        """
        from ck3parse.extractors.places import places

        # The lower case of bytes is that of ASCII, as in the index.
        word = name.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
        starts = {
            (path, start)
            for path, start in self._rows(
                "SELECT file, start_byte FROM definitions WHERE name = ?", [name]
            )
        }
        files = self._rows(
            "SELECT DISTINCT playset_files.position, uses.source, uses.relpath, file FROM uses"
            " JOIN playset_files USING (file_id) WHERE uses.name = ? ORDER BY 1, 3",
            [word],
        )
        with_texts = self._rows(
            "SELECT position, source, relpath, file FROM loc_entries WHERE key = ?"
            " UNION SELECT playset_files.position, loc_uses.source, loc_uses.relpath, file"
            " FROM loc_uses JOIN playset_files USING (file_id) WHERE key = ?",
            [name, name],
        )
        found: list[tuple[int, str, Use]] = []
        ways = [(each, False) for each in files] + [(each, True) for each in with_texts]
        for (position, source, relpath, path), is_text in ways:
            try:
                data = read_script(path, max_bytes=max_bytes)
            except CannotReadError:  # it is gone since the index was made
                continue
            if is_text:
                from ck3parse.index.text_places import text_places

                spans: Iterable[tuple[int, int, int, int, str]] = text_places(data, name)
            else:
                spans = places(data, name, relpath)
            for start, end, line, column, role in spans:
                text = line_of(data, start, line)
                defines = role == "key" if is_text else (path, start) in starts
                use = Use(
                    name, source, relpath, path, line, column, start, end, role, defines, text
                )
                found.append((position, relpath, use))
        found.sort(key=lambda each: each[:2])
        return [use for _, _, use in found]

    def conflicts(
        self,
        mod: str | None = None,
        kind: str | None = None,
        *,
        all: bool = False,  # noqa: A002
    ) -> list[Conflict]:
        """Return what is defined twice, and which files are replaced.

        Args:
            mod: only conflicts of this source, by name, in upper or lower case.
            kind: only those of this kind, such as `trait`; `file` for replaced files, and
                `localization` for keys of localization files.
            all: also definitions that merge and those that the game itself repeats.

        Returns:
            By the position of the winner and the loser in load order, the last first; then by kind
            and name. Those with equal contents are among them, marked. What is so for a key in
            several languages is one conflict.

        Raises:
            StoreError: the store cannot be read.
            UsageError: the playset has no such source or no such kind.
        """
        sources = self.sources()
        self._check(mod, kind, sources)
        files = _Files(sources)
        found = []
        if kind in (None, TEXT_KIND):
            found += self._text_conflicts(files)
        if kind not in ("file", TEXT_KIND):
            rows = self._rows(
                "SELECT name, kind, rule, wins, certainty, decided AND wins <> 'merge',"
                " winner_source, winner_file, winner_line, loser_source, loser_file, loser_line,"
                " equal FROM overlaps WHERE kind = coalesce(?, kind) AND (? OR wins <> 'merge')",
                [kind, all],
            )
            for *decision, decided, source, path, line, lost, lost_path, lost_line, equal in rows:
                winner = Place(source, files[path], path, line)
                loser = Place(lost, files[lost_path], lost_path, lost_line)
                found.append(_conflict(decision, decided, winner, loser, equal))
        if kind in (None, "file"):
            rows = self._rows(
                # A file that could not be read is in no source.
                "SELECT relpath, by_source, by_file, source, file, equal FROM replaced_files"
                " WHERE by_source NOT NULL"
            )
            for relpath, source, path, lost, lost_path, equal in rows:
                rule = "same path" if path else "replace_path"
                winner = Place(source, relpath if path else "", path or "", 0)
                loser = Place(lost, relpath, lost_path, 0)
                decision = [relpath, "file", rule, "replaced", "high"]
                found.append(_conflict(decision, True, winner, loser, path and equal))
        games = {source.name for source in sources if source.kind == "game"}
        positions = {source.name: number for number, source in enumerate(sources)}
        wanted = mod.casefold() if mod is not None else None
        kept = [
            each
            for each in found
            if wanted is None
            or wanted in (each.winner.source.casefold(), each.loser.source.casefold())
            if all or not (each.winner.source == each.loser.source and each.loser.source in games)
        ]
        return sorted(
            kept,
            key=lambda each: (
                -positions[each.winner.source],
                -positions[each.loser.source],
                each.kind,
                each.name,
                each.loser.path,
                each.loser.line,
            ),
        )

    def _text_conflicts(self, files: "_Files") -> list[Conflict]:
        """Return the conflicts of keys, each with the languages for which it is so."""
        rows = self._rows(
            "SELECT key, winner_source, loser_source, equal, winner_in_replace, language,"
            " winner_file, winner_line, loser_file, loser_line FROM loc_conflicts"
            " ORDER BY key, language <> 'english', language, loser_file, loser_line"
        )
        groups: dict[tuple[Any, ...], tuple[Place, Place, list[str]]] = {}
        numbers: Counter[tuple[Any, ...]] = Counter()
        for *what, language, path, line, lost_path, lost_line in rows:
            # A source can have several that lose against the same one.
            number = numbers[*what, language]
            numbers[*what, language] += 1
            if group := groups.get((*what, number)):
                group[2].append(language)
                continue
            winner = Place(what[1], files[path], path, line)
            loser = Place(what[2], files[lost_path], lost_path, lost_line)
            groups[(*what, number)] = winner, loser, [language]
        return [
            Conflict(
                key, TEXT_KIND, TEXT_KIND, "replace" if in_replace else "first", "high", True,
                winner, loser, bool(equal), tuple(languages),
            )
            for (key, _, _, equal, in_replace, _), (winner, loser, languages) in groups.items()
        ]  # fmt: skip

    def names(self, pattern: str, kind: str | None = None, *, limit: int = MANY_NAMES) -> list[str]:
        """Return the defined names that a pattern matches.

        Args:
            pattern: `*` stands for any text, `?` for one character, `[ab]` for one of some.
            kind: only names of this kind; keys of localization are `localization`, and among no
                others.
            limit: how many to return at most.

        Returns:
            The names, sorted.

        Raises:
            StoreError: the store cannot be read.
        """
        if kind == TEXT_KIND:
            rows = self._rows(
                "SELECT key FROM loc_keys WHERE key GLOB ? AND EXISTS (SELECT 1 FROM loc_texts AS t"
                "  JOIN loc_contents USING (block_id) JOIN loc_files USING (loc_content_id)"
                "  JOIN playset_files USING (file_id) WHERE t.key_id = loc_keys.key_id)"
                " ORDER BY key LIMIT ?",
                [pattern, limit],
            )
            return [key for (key,) in rows]
        # Two steps: the second needs a join for each definition.
        rows = self._rows(
            "SELECT name FROM"
            " (SELECT DISTINCT name FROM definition_rows WHERE name GLOB ?) AS found"
            " WHERE EXISTS (SELECT 1 FROM definition_rows AS d"
            "  JOIN definition_kinds USING (kind_id)"
            "  JOIN indexed_files ON content_id = definition_id >> 24"
            "  JOIN playset_files USING (file_id)"
            "  WHERE d.name = found.name AND kind = coalesce(?, kind))"
            " ORDER BY name LIMIT ?",
            [pattern, kind, limit],
        )
        return [name for (name,) in rows]

    def kinds(self) -> list[str]:
        """Return the kinds that have a definition.

        Raises:
            StoreError: the store cannot be read.
        """
        return [
            kind for (kind,) in self._rows("SELECT DISTINCT kind FROM definition_kinds ORDER BY 1")
        ]

    def similar(self, name: str, *, count: int = 5) -> list[str]:
        """Return defined names that one may have meant by a name that does not exist.

        Args:
            name: the name.
            count: how many to return at most.

        Returns:
            The most similar first.

        Raises:
            StoreError: the store cannot be read.
        """
        from ck3parse.index.similar import MANY_CANDIDATES, VERY_ALIKE, Wanted

        wanted = Wanted(name)
        # Most mistakes are not at the start, and the names are stored in order.
        beginning = wanted.beginning
        text = self._names(
            "{0} >= ? AND {0} < ? AND length({0}) BETWEEN ? AND ? LIMIT ?",
            [beginning, beginning + "\U0010ffff", *wanted.lengths, MANY_CANDIDATES],
        )
        # The store may have contents that no file has any more.
        spare = 2 * count
        ranked = wanted.ranked(wanted.in_lines(text), spare)
        if not ranked or ranked[0][0] < VERY_ALIKE:
            text = self._names("length({0}) BETWEEN ? AND ?", wanted.lengths)
            ranked = wanted.ranked(wanted.in_lines(text), spare)
        existing = (each for _, each in ranked if self.definitions(each) or self.texts(each))
        return list(islice(existing, count))

    def _names(self, condition: str, values: Sequence[Any]) -> str:
        """Return names and keys that are defined, one a line."""
        texts = []
        for table, column in (("definition_rows", "name"), ("loc_keys", "key")):
            where = condition.format(column)
            names = f"SELECT DISTINCT {column} AS name FROM {table} WHERE {where}"  # noqa: S608
            query = f"SELECT group_concat(name, char(10)) FROM ({names})"  # noqa: S608
            texts += [text for (text,) in self._rows(query, values) if text]
        return "\n".join(texts)

    def _check(self, mod: str | None, kind: str | None, sources: Sequence[Source]) -> None:
        names = [source.name for source in sources]
        if mod is not None and mod.casefold() not in {name.casefold() for name in names}:
            raise UsageError(
                f"the playset has no mod {mod!r}: it has {', '.join(map(repr, names)) or 'none'}"
            )
        if kind not in (None, "file", TEXT_KIND) and kind not in (kinds := self.kinds()):
            from difflib import get_close_matches

            close = get_close_matches(kind, kinds)
            raise UsageError(
                f"the playset defines nothing of the kind {kind!r}: "
                + (
                    f"did you mean {' or '.join(close)}?"
                    if close
                    else "`ck3parse find NAME` shows kinds"
                )
            )

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            yield from self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"the store {self._path} cannot be read ({error}): name another with --store, or make"
            " it again with `ck3parse run`"
        )


def _definition(*values: Any) -> Definition:
    *place, in_effect, wins, rule, how, certainty = values
    name, kind, source, relpath, path, line, start, end = place
    return Definition(
        name, kind, source, relpath, path, line, start, end,
        bool(in_effect), bool(wins), rule, how, certainty,
    )  # fmt: skip


def _text(*values: Any) -> Text:
    *place, in_effect, wins, in_replace = values
    key, language, text, source, relpath, path, line = place
    return Text(
        key, language, text, source, relpath, path, line,
        bool(in_effect), bool(wins), bool(in_replace),
    )  # fmt: skip


def _conflict(
    decision: list[Any], decided: Any, winner: Place, loser: Place, equal: Any
) -> Conflict:
    name, kind, rule, how, certainty = decision
    return Conflict(name, kind, rule, how, certainty, bool(decided), winner, loser, bool(equal))


class _Files(dict[str, str]):
    """The paths of files relative to the roots of their sources, by absolute path."""

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__()
        # The root of a mod inside of another folder comes first.
        roots = sorted((source.path.replace(os.sep, "/") for source in sources), key=len)
        self._roots = [root.rstrip("/") + "/" for root in reversed(roots)]

    def __missing__(self, path: str) -> str:
        name = path.replace(os.sep, "/")
        root = next((root for root in self._roots if name.startswith(root)), "")
        self[path] = relative = name.removeprefix(root)
        return relative
