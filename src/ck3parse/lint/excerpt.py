"""Text for terminals: the line of an error with a caret below it, and safe text and paths."""

import io
import os
import stat
from collections.abc import Sequence
from typing import BinaryIO

WIDTH = 100
"""Default width of an excerpt, in columns of a terminal."""

_TAB = "    "
_CHUNK = 1 << 16


def printable(text: str) -> str:
    r"""Return text that cannot control a terminal, with unprintable characters replaced.

    Control characters become their pictures (U+241B for ESC), and tabs four spaces. Others, such as
    unusual spaces and bidirectional marks, become escapes such as `\xa0`.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def relative_path(path: str) -> str:
    """Return a path relative to the current folder if it is inside; otherwise unchanged."""
    return path.removeprefix(os.path.join(os.getcwd(), ""))


def excerpt(
    source: bytes | str | os.PathLike[str], line: int, column: int, *, width: int = WIDTH
) -> list[str]:
    """Return a line of a file, and below it a line with a caret under one column.

    The content is decoded as the parser does it: UTF-8 with replacements, without the byte order
    mark, with CR LF and CR as line ends. Of a long line, only the part around the column is read.

    Args:
        source: the content, or the path of a file.
        line: from 1.
        column: in code points, from 1; a column past the end of the line means its end.
        width: the largest width in columns of a terminal, at least 20. A `…` marks what is cut off.

    Returns:
        Two lines without line ends, safe to print. Empty if the file has no such line or cannot be
        read.
    """
    return excerpts(source, [(line, column)], width=width)[0]


def excerpts(
    source: bytes | str | os.PathLike[str], places: Sequence[tuple[int, int]], *, width: int = WIDTH
) -> list[list[str]]:
    """Return an excerpt for each of several places in a file, reading the file once.

    Args:
        source: the content, or the path of a file.
        places: lines and columns, in order.
        width: as for `excerpt`.
    """
    found: list[list[str]] = []
    try:
        with _opened(source) as file:
            content = _Content(file)
            for line, column in places:
                window = content.window(line, column - 1, width)
                found.append(_drawn(*window, width) if window else [])
    except (OSError, ValueError):  # ValueError: the path has a null character
        found += [[]] * (len(places) - len(found))
    return found


def _opened(source: bytes | str | os.PathLike[str]) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    # The file may have been replaced by a named pipe, which would block.
    if not stat.S_ISREG(os.stat(source).st_mode):
        raise OSError
    return open(source, "rb")


class _Content:
    """The content of a file, read once from start to end."""

    def __init__(self, file: BinaryIO) -> None:
        self._content = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=None)
        self._text = self._content.read(_CHUNK)
        """The part that was read and is still needed."""
        self._line = 1
        self._index = 0
        """The index in its line of the first character of `_text`."""
        self._ended = not self._text

    def window(self, line: int, index: int, width: int) -> tuple[str, int, bool] | None:
        """Return the text around an index of a line, the index in it, and whether it is cut before.

        Lines, and indices in the same line, must not decrease from one call to the next.
        """
        self._go_to(line)
        if self._ended:
            return None
        text = self._text
        index -= self._index
        while "\n" not in text and len(text) <= index + width:
            more = self._content.read(_CHUNK)
            if not more:
                break
            # Keep only the last columns of a line of megabytes.
            passed = max(0, min(index, len(text)) - width)
            text = text[passed:] + more
            index -= passed
            self._index += passed
        self._text = text
        text = text.split("\n", 1)[0]
        index = min(index, len(text))
        start = max(0, index - width)
        return text[start : index + width + 1], index - start, self._index + start > 0

    def _go_to(self, line: int) -> None:
        while self._line < line and not self._ended:
            line_ends = self._text.count("\n")
            if self._line + line_ends < line:
                self._line += line_ends
                self._text = self._content.read(_CHUNK)
                self._ended = not self._text
            else:
                self._text = self._text.split("\n", line - self._line)[-1]
                self._line = line
                self._index = 0


def _drawn(text: str, index: int, cut: bool, width: int) -> list[str]:
    from rich.cells import cell_len  # a twentieth of the time of a command that shows no excerpt

    shown = [_shown(character) for character in text]
    cells = [cell_len(piece) for piece in shown]
    start, end = 0, len(shown)
    if cut or sum(cells) > width:
        room = width - 2
        start, end = index, min(index + 1, end)
        used = sum(cells[start:end])
        # Two thirds go before the column, the rest after it, and what is left before it again.
        while start and used + cells[start - 1] <= room * 2 // 3:
            start -= 1
            used += cells[start]
        while end < len(cells) and used + cells[end] <= room:
            used += cells[end]
            end += 1
        while start and used + cells[start - 1] <= room:
            start -= 1
            used += cells[start]
    head = "…" if cut or start else ""
    tail = "…" if end < len(shown) else ""
    before = head + "".join(shown[start:index])
    return [before + "".join(shown[index:end]) + tail, " " * cell_len(before) + "^"]


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character == "\t":
        return _TAB
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return ascii(character)[1:-1]
