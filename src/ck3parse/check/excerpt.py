"""The offending line of a file with a caret beneath, and text made safe to show in a terminal."""

import io
import os
import stat
from collections.abc import Sequence
from typing import BinaryIO

from rich.cells import cell_len

WIDTH = 100
"""Columns of a terminal that an excerpt may take."""

_TAB = "    "
_CHUNK = 1 << 16


def printable(text: str) -> str:
    r"""Return text in which nothing can steer a terminal: each unprintable character is spelt out.

    Control characters become their pictures (U+241B for ESC), tabs four spaces, and others, odd
    spaces and bidirectional marks among them, escapes such as `\xa0`.
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
    """Return a file's line and, beneath it, a caret under one of its columns.

    The content is taken as the parser takes it: UTF-8 with replacements, no byte order mark, CR LF
    and CR as line ends. Of a long line only what is around the column is read into memory.

    Args:
        source: the content, or the path of a file that holds it.
        line: from 1.
        column: in code points from 1; past the line's end it means that end.
        width: columns of a terminal to stay within, at least 20; what is cut off is shown as `…`.

    Returns:
        Two lines without line ends, safe to print; none if there is no such line any more, or the
        file cannot be read.
    """
    return excerpts(source, [(line, column)], width=width)[0]


def excerpts(
    source: bytes | str | os.PathLike[str], places: Sequence[tuple[int, int]], *, width: int = WIDTH
) -> list[list[str]]:
    """Return an excerpt for each of some places of a file, which is read once.

    Args:
        source: the content, or the path of a file that holds it.
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
    except (OSError, ValueError):  # the second: a path that no file can have
        found += [[]] * (len(places) - len(found))
    return found


def _opened(source: bytes | str | os.PathLike[str]) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    # What was a file when it was parsed may be a named pipe now, which would never end.
    if not stat.S_ISREG(os.stat(source).st_mode):
        raise OSError
    return open(source, "rb")


class _Content:
    """The content of a file, which is gone through once."""

    def __init__(self, file: BinaryIO) -> None:
        self._content = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=None)
        self._text = self._content.read(_CHUNK)
        """What was read, from a character on that windows to come may show."""
        self._line = 1
        self._index = 0
        """Where in its line that character is."""
        self._ended = not self._text

    def window(self, line: int, index: int, width: int) -> tuple[str, int, bool] | None:
        """Return the text around an index of a line, that index in it, and if it was cut before.

        Lines, and indices in one line, never go back from one call to the next.
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
            # A line of megabytes passes by; its last columns are enough.
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
    shown = [_shown(character) for character in text]
    cells = [cell_len(piece) for piece in shown]
    start, end = 0, len(shown)
    if cut or sum(cells) > width:
        room = width - 2
        start, end = index, min(index + 1, end)
        used = sum(cells[start:end])
        # Two thirds before the column, the rest after it, and what the rest leaves before it again.
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
