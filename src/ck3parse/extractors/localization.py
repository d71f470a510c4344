"""The extractor `localization/1`: the texts of a localization file, and the keys that they name.

It reads the file itself, as a localization file: requests for it want no AST and no other rows. Its
rows are JSON in UTF-8, the same from both parsers, and depend on the content of the file only.
"""

import msgspec

from ck3parse.errors import UsageError
from ck3parse.extractors.extractor import Extractor, Rows, Tree
from ck3parse.localization import scan
from ck3parse.localization.scan import Scan, diagnostics_of
from ck3parse.messages import Diagnostic

_NAMES_KEY = b'["key",'
"""How the parser writes a part that names another text."""


class TextRows(msgspec.Struct, frozen=True):
    """The rows of `localization/1`.

    Attributes:
        header: the language that the header names, or `None` without a header.
        texts: line, key and text of each entry as JSON, in order of their lines. They are equal for
            files that differ in their header only; `decode_texts` reads them.
        uses: the line of an entry and the key of a `$KEY$` in its text, each once.
    """

    header: str | None
    texts: msgspec.Raw
    uses: list[tuple[int, str]]


class Read(msgspec.Struct, frozen=True):
    """What is read from a localization file.

    Attributes:
        rows: its `TextRows` as JSON.
        count: how many texts it has.
        diagnostics: what is wrong, in order of place.
    """

    rows: bytes
    count: int
    diagnostics: list[Diagnostic]


class _Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An entry as the parser writes it. What is not looked at stays JSON."""

    key: msgspec.Raw
    number: msgspec.Raw
    text: msgspec.Raw
    line: int
    key_start: int
    key_end: int
    number_start: int
    number_end: int
    text_start: int
    text_end: int
    parts: msgspec.Raw


_ENTRIES = msgspec.json.Decoder(list[_Entry])
_PARTS = msgspec.json.Decoder(list[tuple[str, int, int, str, str]])
_ROWS = msgspec.json.Decoder(TextRows)
_TEXTS = msgspec.json.Decoder(list[tuple[int, str, str]])


def read(source: bytes | str) -> Read:
    """Read a localization file with the parser in use. Whatever it is, this does not fail.

    Args:
        source: the content of the file, or a text.
    """
    scanned = scan(source if isinstance(source, bytes) else source.encode(), parts=True)
    return Read(rows_of(scanned), scanned.entry_count, diagnostics_of(scanned))


def rows_of(scanned: Scan) -> bytes:
    """Return the `TextRows` of a file as JSON.

    Args:
        scanned: what a parser found in it, with the parts of texts.
    """
    texts: list[tuple[int, msgspec.Raw, msgspec.Raw]] = []
    uses: list[tuple[int, str]] = []
    for entry in _ENTRIES.decode(scanned.entries_json):
        texts.append((entry.line, entry.key, entry.text))
        if _NAMES_KEY in bytes(entry.parts):
            parts = _PARTS.decode(entry.parts)
            named = dict.fromkeys(value for kind, _, _, value, _ in parts if kind == "key")
            uses += [(entry.line, key) for key in named]
    header = scanned.header[0] if scanned.header else None
    return msgspec.json.encode({"header": header, "texts": texts, "uses": uses})


def decode(rows: bytes) -> TextRows:
    """Return the rows of an answer.

    Args:
        rows: their JSON, as `ParseResult.rows_json` returns it.
    """
    return _ROWS.decode(rows)


def decode_texts(rows: TextRows) -> list[tuple[int, str, str]]:
    """Return line, key and text of each entry.

    Args:
        rows: the rows of a file.
    """
    return _TEXTS.decode(rows.texts)


def _of_tree(_tree: Tree, _relpath: str) -> Rows:
    raise UsageError(
        "localization/1 reads localization files, which have no syntax tree: ask for it alone, with"
        " want_ast=False"
    )


EXTRACTOR = Extractor("localization", 1, _of_tree)
