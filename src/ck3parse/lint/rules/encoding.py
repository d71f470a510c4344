"""Rules about a file's encoding. Each reports a file once."""

from collections.abc import Iterator

from ck3parse.lint.rules.rule import BOM, Finding, Place, Rule, Source
from ck3parse.parser.ck3.source import is_windows_1252
from ck3parse.plurals import counted

_BOM_FOLDERS = ("common/", "events/")
_NO_BOM_FOLDERS = (
    "common/bookmark_portraits/",
    "common/coat_of_arms/",
    "common/named_colors/",
    "common/province_terrain/",
)
"""What the game reads without a warning if it has no byte order mark."""


def wants_bom(place: Place) -> bool:
    """Return whether the game expects a byte order mark in a file, judging by its folders."""
    path = place.path.lower()
    return (
        path.startswith(_BOM_FOLDERS) and not path.startswith(_NO_BOM_FOLDERS) and not place.of_ck2
    )


def is_read_as_utf_8(place: Place) -> bool:
    """Return whether the game reads a file as UTF-8, and never as Windows-1252."""
    return not place.of_ck2 and not is_windows_1252(place.path)


def _missing_bom(source: Source) -> Iterator[Finding]:
    if source.data and not source.is_utf_16 and not source.data.startswith(BOM):
        yield Finding(1, 1, 0, "the file has no byte order mark")


def _invalid_utf_8(source: Source) -> Iterator[Finding]:
    if source.is_utf_16:
        yield Finding(1, 1, 0, "the file is UTF-16, not UTF-8")
        return
    invalid = source.invalid
    if invalid.outside and not _may_be_windows_1252(source.data):
        likely = bytes([invalid.byte]).decode("cp1252", "replace")
        hint = f", in Windows-1252 `{likely}`" if likely.isprintable() else ""
        message = (
            f"{_places(invalid.outside)} not UTF-8 as the rest of the file is; the first is"
            f" 0x{invalid.byte:02X}{hint}"
        )
        yield Finding(invalid.line, invalid.column, 1, message)


def _windows_1252(source: Source) -> Iterator[Finding]:
    invalid = source.invalid
    if invalid.outside and _may_be_windows_1252(source.data):
        message = (
            f"the text is probably Windows-1252: {_places(invalid.outside)} not UTF-8; the first"
            f" is 0x{invalid.byte:02X}, `{bytes([invalid.byte]).decode('cp1252')}`"
        )
        yield Finding(invalid.line, invalid.column, 1, message)


def _in_comments(source: Source) -> Iterator[Finding]:
    invalid = source.invalid
    if invalid.inside and not invalid.outside:
        message = f"{_places(invalid.inside)} not UTF-8, only in comments"
        yield Finding(invalid.line, invalid.column, 1, message)


def _mixed_line_ends(source: Source) -> Iterator[Finding]:
    windows = source.data.count(b"\r\n")
    returns = source.data.count(b"\r") - windows
    others = source.data.count(b"\n") - windows
    if not source.is_utf_16 and (windows > 0) + (returns > 0) + (others > 0) > 1:
        counts = {"CR LF": windows, "LF": others, "CR": returns}
        shown = " and ".join(f"{count:,} with {end}" for end, count in counts.items() if count)
        yield Finding(1, 1, 0, f"lines end in different ways: {shown}")


def _places(count: int) -> str:
    return counted(count, "place is", "places are")


def _may_be_windows_1252(data: bytes) -> bool:
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
        why="In common/ and events/ the game expects UTF-8 with a byte order mark. For each file"
        " without one it writes `should be in utf8-bom encoding` into its error.log. It does not"
        " for history/, nor for bookmark_portraits, coat_of_arms, named_colors and"
        " province_terrain in common/.",
        find=_missing_bom,
        applies_to=wants_bom,
        fixable=True,
        replacement="\ufeff",
    ),
    Rule(
        "CK3-W002",
        "warning",
        "invalid-utf-8",
        help="save the file as UTF-8",
        why="Some bytes outside of comments are not valid UTF-8, and are read as wrong characters."
        " It is reported once in a file, at the first of them.",
        find=_invalid_utf_8,
        applies_to=is_read_as_utf_8,
    ),
    Rule(
        "CK3-W003",
        "warning",
        "windows-1252",
        help="convert the file from Windows-1252 to UTF-8",
        why="The file is not UTF-8, but it is valid Windows-1252, which older editors call ANSI."
        " Its accented letters are lost. Nothing is reported in history/ and"
        " common/province_terrain/, which the game reads so.",
        find=_windows_1252,
        applies_to=is_read_as_utf_8,
        fixable=True,
    ),
    Rule(
        "CK3-W008",
        "warning",
        "invalid-utf-8-in-comments",
        help="save the file as UTF-8",
        why="Some bytes in comments are not valid UTF-8. The game does not read comments, but an"
        " editor may not show them, or change them.",
        find=_in_comments,
        on=False,
    ),
    Rule(
        "CK3-W012",
        "warning",
        "mixed-line-ends",
        help="save the file with one kind of line end",
        why="Some lines end with CR LF, as on Windows, and others with LF or CR. The game reads"
        " both, but version control and diffs show lines as changed that are not.",
        find=_mixed_line_ends,
        on=False,
        fixable=True,
    ),
)
