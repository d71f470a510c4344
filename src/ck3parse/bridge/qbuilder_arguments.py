"""Arguments of the calls that qbuilder makes today; they accept more than the fast calls do."""

import re

from ck3parse.bridge.results import ParseTimeoutError
from ck3parse.config import read_settings
from ck3parse.messages import DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS

DEFAULT_PARSE_TIMEOUT = 30
"""Default time limit of one file, in seconds."""

MAX_PARSE_TIMEOUT = 120
"""Longest time limit of one file, in seconds; longer ones are cut to it."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def limit_ms(source: str, timeout_s: float | None) -> int:
    """Return a time limit in milliseconds, cut to what a request may have.

    Args:
        source: the file's path, or the text's name.
        timeout_s: the time limit in seconds; `None`: `MAX_PARSE_TIMEOUT`.

    Raises:
        ParseTimeoutError: the limit is zero, negative or not a number.
        UsageError: a setting cannot be used.
    """
    if timeout_s is None:
        timeout_s = MAX_PARSE_TIMEOUT
    if not timeout_s > 0:  # also true for NaN
        raise ParseTimeoutError(source, timeout_s)
    limit = max(MIN_TIMEOUT_MS, round(min(timeout_s, MAX_PARSE_TIMEOUT) * 1000))
    return min(limit, read_settings().max_timeout_ms) if limit > DEFAULT_TIMEOUT_MS else limit


def sendable(text: str) -> str:
    """Return a text with U+FFFD for each lone surrogate, as for bytes that are not UTF-8."""
    if not isinstance(text, str) or text.isascii():
        return text  # anything that is not a str is refused later
    return _LONE_SURROGATE.sub("\ufffd", text)
