"""File names that are not valid Unicode."""

import os

NOT_UTF8 = "its name is not UTF-8: rename it"
"""The error of a file with such a name."""


def is_utf8(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8, which a lone surrogate cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable_name(name: str) -> str:
    r"""Return a file name or path as valid Unicode, with bytes that are not UTF-8 as `\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
