"""Which files are script: rules for names, and the patterns that a user gives."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ck3parse.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SCRIPT_SUFFIX = ".txt"
GUI_SUFFIX = ".gui"
_SCRIPT_SUFFIXES = (".txt", ".gui", ".asset", ".mod", ".info", ".gfx", ".font", ".settings")
"""Endings of files that the game or its launcher reads as script, or that explain it."""

_TEXTS_SUFFIX = ".yml"
TEXTS_FOLDER = "localization"
"""The folder of a mod in which the game looks for localization files, in lower case."""
_NAMES_LANGUAGE = re.compile(r"(?:^|_)l_[a-z_]+\.yml")

_FOLDERS = {"fonts": "in fonts/: not script"}

NOT_OF_THE_GAME = "in no folder of a mod that the game reads"
"""Why files at the root of a mod, and in folders there such as `tools/`, are not script."""

_OTHER_FILES = re.compile(
    r"""
      (?P<licence>   (.*[ ])? licen[cs]es? \.txt | licen[cs]es? [ ._-].* \.txt
                     | copying ([ .-].*)? \.txt )
    | (?P<readme>    _? read[ _-]?me ([ ._-].*)? \.txt )
    | (?P<changelog> change[ _-]?logs? ([ ._-].*)? \.txt | changes ([ .-].*)? \.txt )
    | (?P<credits>   credits? \.txt )
    | (?P<checksums> checksum_manifest \.txt )
    | (?P<hidden>    \..* )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NOTES = re.compile(
    r"notes? ([ ._-].*)? \.txt | to[ _-]?do ([ ._-].*)? \.txt | (.*[ _-])? prompts? \.txt",
    re.IGNORECASE | re.VERBOSE,
)
_OTHER_REASONS = {
    "licence": "a licence, not script",
    "readme": "a read-me, not script",
    "changelog": "a changelog, not script",
    "credits": "credits, not script",
    "checksums": "a list of checksums, not script",
    "hidden": "a hidden file",
}


def is_script_name(path: str) -> bool:
    """Return whether a file has an ending of script.

    Args:
        path: the path of the file.
    """
    return path.lower().endswith(_SCRIPT_SUFFIXES)


def is_localization(path: str) -> bool:
    """Return whether a file holds texts: a `*.yml` under `localization`, or named for a language.

    Args:
        path: the path of the file, with any separators.
    """
    if path[-len(_TEXTS_SUFFIX) :].lower() != _TEXTS_SUFFIX:
        return False
    *folders, name = path.lower().replace("\\", "/").split("/")
    return TEXTS_FOLDER in folders or _NAMES_LANGUAGE.search(name) is not None


def why_no_script_in(folder_name: str) -> str:
    """Return why files in a folder are not script by default.

    Args:
        folder_name: the name of the folder, without a path.

    Returns:
        A few words; `""` if they may be script.
    """
    if folder_name.startswith("."):
        return "a hidden folder"
    return _FOLDERS.get(folder_name.lower(), "")


def why_no_script(file_name: str, *, in_game_folder: bool = False) -> str:
    """Return why a `*.txt` file is not script by default.

    Args:
        file_name: the name of the file, without a path.
        in_game_folder: whether it is in a folder that the game reads.

    Returns:
        A few words; `""` if it is script.
    """
    match = _OTHER_FILES.fullmatch(file_name)
    if not match and not in_game_folder and _NOTES.fullmatch(file_name):
        return "notes, not script"
    return _OTHER_REASONS[match.lastgroup] if match and match.lastgroup else ""


class Patterns:
    """The `--include` and `--exclude` patterns of a run, matched against relative names.

    Args:
        include: patterns in `.gitignore` syntax.
        exclude: patterns in `.gitignore` syntax.

    Attributes:
        excludes: returns whether a name is excluded; the name of a folder ends in `/`. `None`
            without exclude patterns.
        any_included: whether there are include patterns.

    Raises:
        UsageError: a pattern is invalid, or cannot match anything.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        for pattern in exclude:
            _compiled([pattern], "--exclude")
        self.excludes: Callable[[str], bool] | None = None
        if exclude:
            self.excludes = _compiled(exclude, "--exclude").match_file
        self._includes = [_compiled([pattern], "--include") for pattern in include]
        if any(not pattern.include for spec in self._includes for pattern in spec.patterns):
            raise UsageError("--include patterns may not start with `!`: use --exclude without it")
        self.any_included = bool(include)

    def opens(self, folder: str) -> bool:
        """Return whether an include pattern matches a folder.

        Args:
            folder: the relative name of the folder, ending in `/`.

        Returns:
            Whether the files in it count as script like those in other folders.
        """
        return any(spec.match_file(folder) for spec in self._includes)

    def includes(self, name: str, folder: str) -> bool:
        """Return whether an include pattern matches a file itself, and not only its folder.

        Args:
            name: the relative name of the file.
            folder: the relative name of its folder, ending in `/`; `""` for the root.

        Returns:
            Whether to take the file.
        """
        return any(spec.match_file(name) and not spec.match_file(folder) for spec in self._includes)


def _compiled(patterns: Sequence[str], option: str) -> "GitIgnoreSpec":
    # Imported here because most runs have no patterns, and the import takes time.
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError(
            f"{option} {patterns[0]!r} is not a pattern of .gitignore syntax"
        ) from error
    if all(pattern.include is None for pattern in spec.patterns):
        raise UsageError(f"{option} {patterns[0]!r} is a pattern that matches nothing")
    return spec
