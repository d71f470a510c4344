"""Runs of characters in the bytes of a line."""

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

from ck3parse.localization.tables import BLANKS, KEY_SIGNS
from ck3parse.parser.unicode_tables import ALNUM_RANGES

_KEY_RUN = re.compile(rb"[A-Za-z0-9%s]*" % re.escape(KEY_SIGNS.encode()))
_BLANK_RUN = re.compile(rb"[\t\x0b\x0c ]*")
_ASCII_END = 0x80


def key_end(line: bytes, start: int, end: int) -> int:
    """Return where a run of letters and digits of any script, and the signs of keys, ends.

    Args:
        line: the bytes of a line.
        start: where to begin.
        end: where the line ends.
    """
    return _run(_KEY_RUN, _is_in_key, line, start, end)


def blank_end(line: bytes, start: int, end: int) -> int:
    """Return where a run of white space ends. The arguments are those of `key_end`."""
    return _run(_BLANK_RUN, _is_blank, line, start, end)


def _run(
    ascii_run: re.Pattern[bytes],
    is_part: Callable[[bytes], bool],
    line: bytes,
    start: int,
    end: int,
) -> int:
    while True:
        match = ascii_run.match(line, start, end)
        start = match.end() if match else start
        if start >= end or line[start] < _ASCII_END:
            return start
        character = line[start : min(start + _length(line[start]), end)]
        if not is_part(character):
            return start
        start += len(character)


def _length(first_byte: int) -> int:
    return 2 if first_byte < 0xE0 else 3 if first_byte < 0xF0 else 4


@lru_cache(4096)
def _is_in_key(character: bytes) -> bool:
    return _is_in(ALNUM_RANGES, character)


@lru_cache(64)
def _is_blank(character: bytes) -> bool:
    return _is_in(BLANKS, character)


def _is_in(ranges: tuple[tuple[int, int], ...], character: bytes) -> bool:
    """Return whether bytes are one character, and in one of the ranges."""
    try:
        (code,) = map(ord, character.decode())
    except ValueError:
        return False
    after = bisect_right(ranges, (code, code))
    return any(first <= code <= last for first, last in ranges[max(after - 1, 0) : after + 1])
