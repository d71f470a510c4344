"""Whether it is certain that a text is Windows-1252."""

from ck3parse.lint.rules.rule import BOM

IF_CERTAIN = frozenset({"CK3-W003", "CK3-L016"})
"""The codes of findings that can be mended if `certain_text` is."""

_SIGNS = frozenset("‘’“”„‚«»‹›–—…·•°§©®™€")  # noqa: RUF001


def certain_text(data: bytes) -> str | None:
    """Return the text of a file if it is certain that it is Windows-1252.

    That is, if it is not UTF-8 anywhere, and each byte that is not ASCII is a letter or a common
    sign, and the same one in Windows-1250, with which Central Europe writes.

    Args:
        data: the content of the file, with or without a byte order mark.

    Returns:
        The text without a byte order mark, or `None` if it is not certain.
    """
    data = data.removeprefix(BOM)
    if not data.decode("utf-8", "ignore").isascii():
        return None
    try:
        western, central = data.decode("cp1252"), data.decode("cp1250")
    except UnicodeDecodeError:
        return None
    odd = {character for character in western if not character.isascii()}
    if western != central or not all(each.isalpha() or each in _SIGNS for each in odd):
        return None
    return western
