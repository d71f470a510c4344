"""Localization files (`localization/**/*.yml`): from bytes to entries, their parts and diagnostics.

`docs/localization.md` has the grammar. `CK3PARSE_PARSER=python` selects the parser in pure Python;
otherwise the native one is used if it was built.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Literal

import msgspec

from ck3parse.config import read_setting
from ck3parse.localization.scan import MAX_FAULTS, Scan, diagnostics_of
from ck3parse.localization.tables import LANGUAGES
from ck3parse.messages import Count, Diagnostic

__all__ = [
    "LANGUAGES",
    "Entry",
    "Localization",
    "Part",
    "language_of_name",
    "parse",
]


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    r"""A part of a text that is more than its characters.

    Attributes:
        kind: `key` for `$KEY$`, which is another text or a value of the engine; `chain` for
            `[Chain.Of('args').Calls]`; `format` for `#style`, which `end` (`#!`) ends; `icon` for
            `@icon!`; `escape` for `\n`, `\"` and `##`.
        start: its first byte in the file.
        end: the byte after it. A chain, format or icon contains the keys and chains inside it.
        value: what the signs enclose, without the format; for an escape, its character.
        format: of a key or a chain, what follows the `|`, or `""`.
    """

    kind: Literal["key", "chain", "format", "end", "icon", "escape"]
    start: Count
    end: Count
    value: str = ""
    format: str = ""


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One text of a file.

    Attributes:
        key: its key.
        number: the number behind the colon, or `None`.
        text: the text between the quotes as it stands in the file. Bytes that are not UTF-8 are
            U+FFFD.
        line: the line, from 1.
        key_start: the first byte of the key in the file; likewise for the next fields.
        key_end: the byte after the key.
        number_start: where the number is, or would be.
        number_end: the same as `number_start` without a number.
        text_start: the byte after the first quote.
        text_end: the last quote.
        parts: the parts of the text in order of their starts, if they were asked for.
    """

    key: str
    number: int | None
    text: str
    line: Count
    key_start: Count
    key_end: Count
    number_start: Count
    number_end: Count
    text_start: Count
    text_end: Count
    parts: list[Part] = []


class Localization(msgspec.Struct, frozen=True):
    """The content of a localization file.

    Attributes:
        language: what the file's name says, or else its header; `None` if neither does.
        header: the language that the header names, or `None` without a header.
        header_line: the line of the header, or 0.
        entries: the texts, in order. Of a key that comes more than once, all are here.
        diagnostics: what is wrong, in order of place.
    """

    language: str | None
    header: str | None
    header_line: Count
    entries: list[Entry]
    diagnostics: list[Diagnostic]


_LONGEST_FIRST = "|".join(sorted(LANGUAGES, key=len, reverse=True))
_KNOWN_LANGUAGE = re.compile(rf"l_({_LONGEST_FIRST})")
_ANY_LANGUAGE = re.compile(r"(?:^|_)l_([a-z_]+)\.yml$")
_ENTRIES = msgspec.json.Decoder(list[Entry])


def parse(data: bytes, name: str = "", *, parts: bool = False) -> Localization:
    """Parse the content of a localization file. Whatever it is, this does not fail.

    Args:
        data: the bytes of the file.
        name: its name or path, which says what its language is.
        parts: whether to list the parts of each text, and what is wrong with them.
    """
    found = scan(data, parts=parts)
    header, line = found.header or (None, 0)
    return Localization(
        language_of_name(name) or header,
        header,
        line,
        _ENTRIES.decode(found.entries_json),
        diagnostics_of(found),
    )


def scan(data: bytes, *, parts: bool = False) -> Scan:
    """Read the content of a localization file with the parser that is in use.

    Args:
        data: the bytes of the file.
        parts: as for `parse`.
    """
    return _scanner()(data, parts=parts, max_faults=MAX_FAULTS)


def language_of_name(name: str) -> str | None:
    """Return the language of a file by its name, such as `a_l_english.yml`, or `None`.

    Args:
        name: its name, or a path with any separators.
    """
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    match = _KNOWN_LANGUAGE.search(base) or _ANY_LANGUAGE.search(base)
    return match[1] if match else None


@cache
def _scanner() -> Callable[..., Scan]:
    if read_setting("parser") != "python":
        try:
            from ck3parse.localization import native
        except ModuleNotFoundError as error:
            # Fall back only if the native parser was not built. A broken one must raise.
            if error.name != "ck3parse.parser._native":
                raise
        else:
            return native.scan
    from ck3parse.localization import reference

    return reference.scan
