"""Arguments of qbuilder's calls, which take more than the fast ones do."""

import re

from ck3parse.bridge.results import ParseTimeoutError
from ck3parse.config import read_settings
from ck3parse.messages import DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS

DEFAULT_PARSE_TIMEOUT = 30
"""Seconds that one file may take."""

MAX_PARSE_TIMEOUT = 120
"""Seconds that it may take at most, whatever was asked for."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def limit_ms(source: str, timeout_s: float | None) -> int:
    """Return a time limit in milliseconds, brought within what a request may have.

    Args:
        source: the file's path, or the text's name.
        timeout_s: seconds asked for; `None`: as many as there may be.

    Raises:
        ParseTimeoutError: there is no time at all.
        UsageError: a setting cannot be used.
    """
    if timeout_s is None:
        timeout_s = MAX_PARSE_TIMEOUT
    if not timeout_s > 0:  # or no number
        raise ParseTimeoutError(source, timeout_s)
    limit = max(MIN_TIMEOUT_MS, round(min(timeout_s, MAX_PARSE_TIMEOUT) * 1000))
    return min(limit, read_settings().max_timeout_ms) if limit > DEFAULT_TIMEOUT_MS else limit


def sendable(text: str) -> str:
    """Return a text with U+FFFD for each lone surrogate, as for a byte that is no UTF-8."""
    if not isinstance(text, str) or text.isascii():
        return text  # what is no text is refused later
    return _LONE_SURROGATE.sub("\ufffd", text)
