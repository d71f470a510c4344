"""The text of places in files of any encoding."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

from ck3parse.tree import source_text

MOST_BYTES = 400
"""Bytes of a line to show on each side of a place."""

_UTF_16 = (BOM_UTF16_LE, BOM_UTF16_BE)


def text_of(data: bytes, start: int, end: int) -> str:
    """Return the text of a place, such as a definition.

    Args:
        data: the bytes of its file.
        start: its first byte.
        end: the byte after its last one.
    """
    encoding = None
    if not data.startswith(_UTF_16) and not _is_utf8(data[start:end]):
        encoding = "cp1252"
    return source_text(data, (start, end), encoding)


def line_of(data: bytes, start: int, line: int) -> str:
    """Return the line of a place, without the blanks around it.

    Args:
        data: the bytes of its file.
        start: its first byte.
        line: its line, from 1.

    Returns:
        The line; of a long one, the part around the place.
    """
    if data.startswith(_UTF_16):
        lines = source_text(data, (0, len(data))).splitlines()
        return lines[line - 1].strip()[: 2 * MOST_BYTES] if line <= len(lines) else ""
    earliest, latest = max(0, start - MOST_BYTES), min(len(data), start + MOST_BYTES)
    first = data.rfind(b"\n", earliest, start) + 1 or earliest
    if first == 0 and data.startswith(BOM_UTF8):
        first = len(BOM_UTF8)
    end = data.find(b"\n", start, latest)
    return text_of(data, first, end if end >= 0 else latest).strip()


def column_of(data: bytes, start: int) -> int:
    """Return the column of a place in a file in UTF-8, in code points from 1.

    Args:
        data: the bytes of the file.
        start: the first byte of the place.
    """
    line = max(data.rfind(end, 0, start) for end in (b"\n", b"\r")) + 1
    before = data[line:start].removeprefix(BOM_UTF8)
    return len(before.decode("utf-8", "replace")) + 1


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
