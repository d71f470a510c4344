"""Checks localization files: each by itself, and the texts of a mod together."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple

from ck3parse.files.patterns import is_localization
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.files.walk import Found, walk
from ck3parse.lint.rules.localization import (
    COLLIDING_KEYS,
    DUPLICATE_KEY,
    INVALID_UTF_8,
    MISSING_TEXT,
    OTHER_LANGUAGE,
    RULES,
    UNDEFINED_KEY,
)
from ck3parse.lint.rules.rule import MAX_FINDINGS
from ck3parse.lint.suppression import without_suppressed
from ck3parse.localization import Entry, Localization, language_of_name, parse
from ck3parse.localization.definitions import Definition, TextFile, Texts, folder_languages
from ck3parse.localization.key_hash import key_hashes
from ck3parse.messages import Diagnostic

_SEVERITIES = {rule.code: rule.severity for rule in RULES}


class GivenFile(NamedTuple):
    """A file to check.

    Attributes:
        path: its absolute path.
        root: the root of its mod.
        relpath: its path relative to that, with `/`.
        data: its content.
    """

    path: str
    root: str
    relpath: str
    data: bytes


class _Read(NamedTuple):
    given: GivenFile
    text: TextFile
    content: Localization

    def span(self, entry: Entry, start: int, end: int) -> tuple[int, int, int, int]:
        """Return the place of a part of an entry, as the first fields of a `Diagnostic`."""
        data = self.given.data
        # The start of the line: neither keys nor what comes before them have line ends.
        before = data[
            max(data.rfind(sign, 0, entry.key_start) for sign in (b"\n", b"\r")) + 1 : start
        ]
        column = len(before.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")) + 1
        length = len(data[start:end].decode("utf-8", "replace"))
        return entry.line, column, entry.line, column + length


class GameTexts:
    """What the game's own texts define.

    Attributes:
        keys: every key.
        known: every key, and every name in a `$name$`, as these are values of the engine.
    """

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.known: set[str] = set()

    def add(self, content: Localization) -> None:
        """Add a file, which was parsed with the parts of its texts."""
        for entry in content.entries:
            self.keys.add(entry.key)
            self.known.update(part.value for part in entry.parts if part.kind == "key")
        self.known |= self.keys


def read_game(folder: str, *, max_bytes: int) -> GameTexts:
    """Return what the localization files of the game define.

    Args:
        folder: the folder of the game, or the folder `game` in it.
        max_bytes: larger files are not read.

    Raises:
        UsageError: the folder does not exist.
    """
    texts = GameTexts()
    for found in walk([folder], localization=True):
        if isinstance(found, Found) and is_localization(found.path):
            with suppress(CannotReadError):
                data = read_script(found.path, max_bytes=max_bytes)
                texts.add(parse(data, found.name, parts=True))
    return texts


def check_texts(
    files: Iterable[GivenFile], codes: Collection[str], game: GameTexts | None = None
) -> dict[str, list[Diagnostic]]:
    """Check localization files.

    Args:
        files: the files of one or several mods.
        codes: the codes that are reported.
        game: the game's texts, without which nothing is said of keys that no file defines.

    Returns:
        The diagnostics of each file by its path, in order of place.
    """
    found: dict[str, list[Diagnostic]] = {}
    mods: defaultdict[str, list[_Read]] = defaultdict(list)
    for given in files:
        content = parse(given.data, given.relpath, parts=True)
        read = _Read(given, TextFile(given.path, given.relpath, content.language), content)
        mods[given.root].append(read)
        found[given.path] = [*content.diagnostics, *_of_file(read)]
    for reads in mods.values():
        by_path = {read.given.path: read for read in reads}
        texts = Texts((read.text, read.content.entries) for read in reads)
        checks: dict[str, Callable[[Texts], Iterator[tuple[Definition, str]]]] = {
            DUPLICATE_KEY: _duplicates,
            MISSING_TEXT: _missing,
            COLLIDING_KEYS: partial(_collisions, game=game),
        }
        for code, check in checks.items():
            if code not in codes:
                continue
            counts: defaultdict[str, int] = defaultdict(int)
            for (file, entry), message in check(texts):
                counts[file.path] += 1
                if counts[file.path] <= MAX_FINDINGS:
                    place = by_path[file.path].span(entry, entry.key_start, entry.key_end)
                    found[file.path].append(_diagnostic(code, place, message))
        if game and UNDEFINED_KEY in codes:
            known = game.known.union(texts.all_keys())
            for read in reads:
                found[read.given.path] += islice(_undefined(read, known), MAX_FINDINGS)
    for reads in mods.values():
        for read in reads:
            found[read.given.path] = _reported(read, found[read.given.path], codes)
    return found


def _reported(
    read: _Read, diagnostics: list[Diagnostic], codes: Collection[str]
) -> list[Diagnostic]:
    reported = [each for each in diagnostics if each.code in codes]
    if b"ck3parse:" in read.given.data:
        text = read.given.data.decode("utf-8-sig", "replace")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        reported = without_suppressed(reported, text)
    return sorted(reported, key=lambda each: (each.line, each.column))


def _diagnostic(code: str, place: tuple[int, int, int, int], message: str) -> Diagnostic:
    return Diagnostic(*place, _SEVERITIES[code], code, message)


def _of_file(read: _Read) -> Iterator[Diagnostic]:
    """Yield what the parser cannot know: it is of names, or of the bytes of the whole file."""
    content, data = read.content, read.given.data
    is_utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not data.isascii() and not is_utf_16:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            before = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            line = before.count(b"\n") + 1
            start = before[before.rfind(b"\n") + 1 :].removeprefix(b"\xef\xbb\xbf")
            column = len(start.decode("utf-8", "replace")) + 1
            message = f"the byte 0x{data[error.start]:02X} is not UTF-8, the first in the file"
            yield _diagnostic(INVALID_UTF_8, (line, column, line, column + 1), message)
    named = language_of_name(read.given.relpath)
    folders = folder_languages(read.given.relpath)
    says = {"its name": named, "its header": content.header}
    if folders and (named or content.header) not in folders:
        says["its folder"] = folders[-1]
    said = {what: language for what, language in says.items() if language}
    if len(set(said.values())) > 1:
        line = content.header_line or 1
        message = ", ".join(f"{what} says {language}" for what, language in said.items())
        yield _diagnostic(OTHER_LANGUAGE, (line, 1, line, 1), f"of the language, {message}")


def _duplicates(texts: Texts) -> Iterator[tuple[Definition, str]]:
    for lost, used in texts.unused:
        place = f"line {used.entry.line}"
        if used.file != lost.file:
            place += f" of {used.file.relpath}"
        yield lost, f"the key `{lost.entry.key}` is defined again; the text in {place} stays"


def _missing(texts: Texts) -> Iterator[tuple[Definition, str]]:
    languages = texts.languages
    if len(languages) < 2:
        return
    for key in texts.all_keys():
        without = [name for name in languages if key not in texts.used[name]]
        if without:
            yield texts.first(key), f"the key `{key}` has no text in {', '.join(without)}"


def _collisions(texts: Texts, game: GameTexts | None) -> Iterator[tuple[Definition, str]]:
    own = texts.all_keys()
    others = sorted(game.keys.difference(own)) if game else []
    first: dict[int, str] = dict(zip(key_hashes(others), others, strict=True))
    for key, value in zip(own, key_hashes(own), strict=True):
        other = first.setdefault(value, key)
        if other != key:
            yield (
                texts.first(key),
                f"the keys `{key}` and `{other}` have the same hash: one of them does not load",
            )


def _undefined(read: _Read, known: Collection[str]) -> Iterator[Diagnostic]:
    for entry in read.content.entries:
        for part in entry.parts:
            if part.kind == "key" and part.value not in known:
                place = read.span(entry, part.start, part.end)
                yield _diagnostic(UNDEFINED_KEY, place, f"no file defines the key `{part.value}`")
