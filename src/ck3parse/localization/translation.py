r"""The texts of a mod that a language lacks, as tables for translators, and back into the mod.

A table is a CSV file, which spreadsheets open, or a PO file, which editors for translations do.
Texts stand in it as they do in the mod, with their `\n` and `\"`, so that what comes back is exact.
"""

import codecs
import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ck3parse.errors import OutputError, UsageError
from ck3parse.files.mod_root import ModRoots
from ck3parse.files.patterns import is_localization
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.files.walk import Found, walk
from ck3parse.localization import Localization, parse
from ck3parse.localization.definitions import Definition, TextFile, Texts
from ck3parse.localization.tables import LANGUAGES
from ck3parse.plurals import counted

if TYPE_CHECKING:
    import polib

_LINE_END = re.compile(r"\r\n|\r|\n")
_LANGUAGE = "Language"
_SOURCE = "X-Source-Language"


class Row(NamedTuple):
    """A text to translate.

    Attributes:
        key: its key.
        source: the text in another language.
        text: the translation, or `""`.
        file: the path in the mod of the file with the other text, with `/`.
        line: its line there.
    """

    key: str
    source: str
    text: str
    file: str
    line: int = 0


class Table(NamedTuple):
    """Texts to translate.

    Attributes:
        source_language: the language of the given texts.
        language: the language to translate into.
        rows: the texts.
    """

    source_language: str
    language: str
    rows: Sequence[Row]


class Mod(NamedTuple):
    """The texts of a mod.

    Attributes:
        root: the folder that `relpath` of its files is relative to.
        texts: the texts.
        files: its localization files with their content.
        unreadable: files that cannot be read, each with the reason.
    """

    root: str
    texts: Texts
    files: Sequence[tuple[TextFile, Localization]]
    unreadable: Sequence[tuple[str, str]]


def read_mod(folder: str, *, max_bytes: int) -> Mod:
    """Read the localization files of a mod.

    Args:
        folder: the folder of the mod.
        max_bytes: larger files are not read.

    Raises:
        UsageError: the folder does not exist.
    """
    top = os.path.abspath(folder)
    roots = ModRoots()
    root = roots.of(os.path.join(top, "localization"), top)
    files: list[tuple[TextFile, Localization]] = []
    unreadable: list[tuple[str, str]] = []
    for entry in walk([top], localization=True):
        if not isinstance(entry, Found) or not is_localization(entry.path):
            continue
        try:
            data = read_script(entry.path, max_bytes=max_bytes)
        except CannotReadError as reason:
            unreadable.append((entry.path, reason.message))
            continue
        relpath = roots.relative(entry.path, top)
        content = parse(data, relpath)
        files.append((TextFile(entry.path, relpath, content.language), content))
    texts = Texts((file, content.entries) for file, content in files)
    return Mod(root, texts, files, unreadable)


def check_language(name: str, mod: Mod) -> None:
    """Raise `UsageError` if neither the game nor the mod has a language of that name."""
    known = {*LANGUAGES, *mod.texts.languages}
    if name not in known:
        raise UsageError(f"{name!r} is not a language: use one of {', '.join(sorted(known))}")


def missing(mod: Mod, language: str, source: str) -> list[Definition]:
    """Return the texts of one language that another one lacks, in the order of the files.

    Args:
        mod: the mod.
        language: the language that lacks them.
        source: the language that has them.
    """
    have = mod.texts.used.get(language, {})
    found = [each for key, each in mod.texts.used.get(source, {}).items() if key not in have]
    return sorted(found, key=lambda each: (each.file.relpath, each.entry.line))


def table_of(mod: Mod, language: str, source: str) -> Table:
    """Return what a language lacks as a table without translations. Empty texts are left out."""
    rows = [
        Row(entry.key, entry.text, "", file.relpath, entry.line)
        for file, entry in missing(mod, language, source)
        if entry.text
    ]
    return Table(source, language, rows)


def write_table(table: Table, path: Path) -> None:
    """Write a table.

    Args:
        table: the texts.
        path: a file that ends in `.csv` or `.po`.

    Raises:
        UsageError: the name of the file has another ending.
        OutputError: the file cannot be written.
    """
    kind = _kind_of(path)
    try:
        if kind == ".csv":
            # With a byte order mark, without which spreadsheets do not read UTF-8.
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["key", table.source_language, table.language, "file", "line"])
                writer.writerows(table.rows)
        else:
            _po_file(table).save(str(path))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def read_table(path: Path) -> Table:
    """Read a table that `write_table` wrote, with the translations since.

    Args:
        path: a file that ends in `.csv` or `.po`.

    Raises:
        UsageError: the file cannot be read, or is no such table.
    """
    kind = _kind_of(path)
    try:
        return _read_csv(path) if kind == ".csv" else _read_po(path)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def add_texts(mod: Mod, table: Table) -> tuple[dict[str, int], int]:
    """Write the translations of a table into the mod.

    Texts that the language has already stay. A text of `english/a_l_english.yml` goes to the end of
    `german/a_l_german.yml`, which is made if need be.

    Args:
        mod: the mod.
        table: the translations; rows without one are left out.

    Returns:
        How many texts each file got, by its path in the mod, and how many the mod had already.

    Raises:
        UsageError: a row names a file outside of the mod's localization, or a key is none.
        OutputError: a file cannot be written.
    """
    have = mod.texts.used.get(table.language, {})
    lines: defaultdict[str, dict[str, str]] = defaultdict(dict)
    already = 0
    for row in table.rows:
        if not row.text:
            continue
        if row.key in have:
            already += 1
            continue
        text = _LINE_END.sub(lambda _: "\\n", row.text)
        line = f' {row.key}: "{text}"'
        if [(each.key, each.text) for each in parse(line.encode()).entries] != [(row.key, text)]:
            raise UsageError(f"{row.key!r} is not a key: correct the table, and import it again")
        target = _target_of(row.file, table.source_language, table.language)
        lines[target].setdefault(row.key, line)
    for target, texts in lines.items():
        _append(Path(mod.root, *target.split("/")), table.language, texts.values())
    return {target: len(texts) for target, texts in lines.items()}, already


def _target_of(file: str, source: str, language: str) -> str:
    folders = file.replace("\\", "/").split("/")
    if folders[0].lower() != "localization" or ".." in folders or not file.endswith(".yml"):
        raise UsageError(f"{file!r} is not a file under localization/: correct the table")
    *folders, name = folders
    marker = f"l_{source}"
    if marker in name:
        name = name.replace(marker, f"l_{language}", 1)
    else:
        name = f"{name.removesuffix('.yml')}_l_{language}.yml"
    return "/".join([*(language if each == source else each for each in folders), name])


def _append(path: Path, language: str, lines: Iterable[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else b""
        end = "\r\n" if b"\r\n" in before else "\n"
        if not before:
            before = codecs.BOM_UTF8 + f"l_{language}:{end}".encode()
        elif not before.endswith((b"\n", b"\r")):
            before += end.encode()
        new = path.with_name(path.name + ".new")
        new.write_bytes(before + "".join(line + end for line in lines).encode())
        new.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _kind_of(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in (".csv", ".po"):
        raise UsageError(f"{path} is neither a .csv nor a .po file: give it one of these endings")
    return kind


def _read_csv(path: Path) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    if len(head) < 4 or head[0] != "key" or head[3] != "file":
        raise ValueError("its first line must be key, a language, a language, file, line")
    found = []
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        if len(row) < 4:
            raise ValueError(f"row {number} has {counted(len(row), 'column')} instead of 5")
        key, given, text, file_name = row[:4]
        found.append(Row(key, given, text, file_name))
    return Table(head[1], head[2], found)


def _po_file(table: Table) -> "polib.POFile":
    import polib  # most commands do not need it

    file = polib.POFile(wrapwidth=0)
    file.metadata = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
        _LANGUAGE: table.language,
        _SOURCE: table.source_language,
    }
    for row in table.rows:
        file.append(
            polib.POEntry(
                msgctxt=row.key, msgid=row.source, occurrences=[(row.file, str(row.line))]
            )
        )
    return file


def _read_po(path: Path) -> Table:
    import polib

    file = polib.pofile(str(path), encoding="utf-8", wrapwidth=0)
    metadata = file.metadata
    if _LANGUAGE not in metadata or _SOURCE not in metadata:
        raise ValueError(f"it has no {_LANGUAGE} or {_SOURCE} in its header")
    rows = [
        Row(entry.msgctxt, entry.msgid, entry.msgstr, entry.occurrences[0][0])
        for entry in file
        if entry.msgctxt and entry.occurrences and not entry.obsolete and not entry.fuzzy
    ]
    return Table(metadata[_SOURCE], metadata[_LANGUAGE], rows)
