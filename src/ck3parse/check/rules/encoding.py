"""Rules about a file's encoding."""

import itertools
from collections.abc import Iterator

from ck3parse.check.rules.rule import BOM, Finding, Places, Rule, Source

_BOM_FOLDERS = ("common", "events")
_NO_BOM_FOLDER = ("common", "coat_of_arms")


def wants_bom(path: str) -> bool:
    """Return whether the game expects a byte order mark in a file, judging by its folders."""
    folders = path.replace("\\", "/").split("/")[:-1]
    pairs = itertools.pairwise([*folders, ""])
    return any(name in _BOM_FOLDERS and (name, after) != _NO_BOM_FOLDER for name, after in pairs)


def _missing_bom(source: Source) -> Iterator[Finding]:
    if source.data and not source.data.startswith(BOM):
        yield Finding(1, 1, 0, "the file has no byte order mark")


def _invalid_utf_8(source: Source) -> Iterator[Finding]:
    data, offsets = source.data, source.invalid_offsets
    if not offsets or _is_windows_1252(data):
        return
    is_utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for at, place in zip(offsets, _places_in_text(source, offsets), strict=True):
        likely = data[at : at + 1].decode("cp1252", "replace")
        hint = f"; in Windows-1252 it is `{likely}`" if likely.isprintable() else ""
        if is_utf_16:
            hint = "; the file is probably UTF-16"
        yield Finding(*place, 1, f"the byte 0x{data[at]:02X} is not valid UTF-8 here{hint}")


def _windows_1252(source: Source) -> Iterator[Finding]:
    data, offsets = source.data, source.invalid_offsets
    if not offsets or not _is_windows_1252(data):
        return
    byte = data[offsets[0] : offsets[0] + 1]
    message = (
        f"the text is Windows-1252, not UTF-8: the byte 0x{byte[0]:02X} is"
        f" `{byte.decode('cp1252')}` there"
    )
    yield Finding(*next(_places_in_text(source, offsets)), 1, message)


def _places_in_text(source: Source, offsets: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the line and column in the text for each offset of an invalid byte."""
    places = Places(source.text)
    before = len(BOM) if source.data.startswith(BOM) else 0
    length = 0
    for at in offsets:
        # An invalid byte cannot lie inside a line end, so each piece can be counted alone.
        text = source.data[before:at].decode("utf-8", "replace")
        length += len(text) - text.count("\r\n")
        before = at
        yield places.of(length)


def _is_windows_1252(data: bytes) -> bool:
    """Return whether each byte is valid Windows-1252 and no bytes form a UTF-8 character."""
    data = data.removeprefix(BOM)
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return data.decode("utf-8", "ignore").isascii() and b"\x00" not in data


RULES = (
    Rule(
        "CK3-W001",
        "warning",
        "missing-bom",
        help="save the file as UTF-8 with BOM",
        why="In common/ (except common/coat_of_arms/) and events/ the game expects UTF-8 with a"
        " byte order mark. For each file without one it writes `should be in utf8-bom encoding`"
        " into its error.log. It reads history/ without.",
        find=_missing_bom,
        applies_to=wants_bom,
    ),
    Rule(
        "CK3-W002",
        "warning",
        "invalid-utf-8",
        help="save the file as UTF-8",
        why="Some bytes are not valid UTF-8. They are read as replacement characters.",
        find=_invalid_utf_8,
    ),
    Rule(
        "CK3-W003",
        "warning",
        "windows-1252",
        help="convert the file from Windows-1252 to UTF-8",
        why="The file is not UTF-8, but it is valid Windows-1252, which older editors call ANSI."
        " Its accented letters are lost.",
        find=_windows_1252,
    ),
)
