"""From a file's bytes to the text that is parsed, and from an offset in it to one in the file."""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ck3parse.parser.grammar_tables import CK3

_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_WINDOWS_1252 = {
    byte: character
    for byte in range(0x80, 0xA0)
    if (character := bytes([byte]).decode("cp1252", "ignore"))
}
"""The characters of Windows-1252 that are not those of Latin-1. Five bytes are undefined."""


class Source(NamedTuple):
    """A file's text.

    Attributes:
        encoding: the `encoding` of the root node.
        text: the text in UTF-8, each byte as one character.
        start: where it starts, after a byte order mark.
        offsets: the offset in the file of each character of the text, and of its end; `None` if
            they are the same.
    """

    encoding: str
    text: str
    start: int = 0
    offsets: list[int] | None = None

    def shown(self, start: int, end: int) -> str:
        """Return a part of the text as a reader sees it."""
        part = self.text[start:end]
        return part if part.isascii() else part.encode("latin-1").decode()


def read(data: bytes, name: str) -> Source:
    """Return a file's text.

    Args:
        data: the bytes of the file.
        name: its path, which says whether the game reads it as Windows-1252.
    """
    if encoding := _UTF_16.get(data[:2]):
        return _utf_16(data, encoding)
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            if not start and is_windows_1252(name):
                text = data.decode("latin-1").translate(_WINDOWS_1252)
                return _recoded("windows-1252", text, range(len(data) + 1))
            text = data.decode("utf-8", "replace")
            return _recoded("invalid", text, _offsets_of(text, data), start)
    return Source("utf-8-bom" if start else "utf-8", data.decode("latin-1"), start)


def is_windows_1252(name: str) -> bool:
    """Return whether the game reads a file as Windows-1252 if it is not UTF-8.

    Args:
        name: the path of the file.
    """
    path = "/" + name.replace("\\", "/").lower()
    return any(f"/{folder}/" in path for folder in CK3.windows_1252)


def _offsets_of(text: str, data: bytes) -> Iterator[int]:
    """Yield the offset of each character of a text, and of its end, in the bytes it is from."""
    offset = 0
    for character in text:
        yield offset
        length = len(character.encode())
        if character == "\ufffd":
            try:
                data[offset : offset + length + 1].decode()
            except UnicodeDecodeError as error:
                if error.start == 0:
                    length = error.end
        offset += length
    yield offset


def _utf_16(data: bytes, encoding: str) -> Source:
    whole = len(data) // 2 * 2
    text = _SURROGATE.sub("\ufffd", data[2:whole].decode(encoding, "surrogatepass"))
    offsets = [2]
    for character in text:
        offsets.append(offsets[-1] + (4 if character > "\uffff" else 2))
    if whole < len(data):  # half a character
        text += "\ufffd"
        offsets.append(len(data))
    return _recoded("utf-16", text, offsets)


def _recoded(encoding: str, text: str, offsets_of: Iterable[int], start: int = 0) -> Source:
    """Return the source of a file in another encoding.

    Args:
        encoding: the `encoding` of the root node.
        text: its text.
        offsets_of: the offset in the file of each character of the text, and of its end.
        start: where it starts, after a byte order mark.
    """
    offsets: list[int] = []
    for character, offset in zip(text + "\0", offsets_of, strict=True):
        offsets.extend([offset] * len(character.encode()))
    return Source(encoding, text.encode().decode("latin-1"), start, offsets)
