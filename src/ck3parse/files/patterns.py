"""Which files are script: what is never so by its name, and the patterns a user gives."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ck3parse.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SCRIPT_SUFFIX = ".txt"

_FOLDERS = {
    "gfx": "in gfx/: graphics, no script",
    "map_data": "in map_data/: the map, no script",
    "fonts": "in fonts/: no script",
}

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
_OTHER_REASONS = {
    "licence": "a licence, no script",
    "readme": "a read-me, no script",
    "changelog": "a changelog, no script",
    "credits": "credits, no script",
    "checksums": "a list of checksums, no script",
    "hidden": "a hidden file",
}


def why_no_script_in(folder_name: str) -> str:
    """Return why a folder of this name holds no script by default, or `""` if it may hold some."""
    if folder_name.startswith("."):
        return "a hidden folder"
    return _FOLDERS.get(folder_name.lower(), "")


def why_no_script(file_name: str) -> str:
    """Return why a `*.txt` file of this name is no script by default, or `""` if it is one."""
    match = _OTHER_FILES.fullmatch(file_name)
    return _OTHER_REASONS[match.lastgroup] if match and match.lastgroup else ""


class Patterns:
    """The `--include` and `--exclude` patterns of one run, matched against relative names.

    Attributes:
        excludes: whether a name is excluded, a folder's name ending in `/`; `None` without
            exclude patterns.
        any_included: whether there are include patterns.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        """Compile patterns in `.gitignore` syntax.

        Raises:
            UsageError: one of them is not a pattern, or could never match anything.
        """
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
        """Return whether an include pattern matches a folder, whose name ends in `/`."""
        return any(spec.match_file(folder) for spec in self._includes)

    def includes(self, name: str, folder: str) -> bool:
        """Return whether an include pattern matches a file itself, not only the folder it is in.

        Args:
            name: the file's relative name.
            folder: its folder's relative name, ending in `/`, or `""` at the top.
        """
        return any(spec.match_file(name) and not spec.match_file(folder) for spec in self._includes)


def _compiled(patterns: Sequence[str], option: str) -> "GitIgnoreSpec":
    # Only here: most runs have no patterns, and the import costs them time.
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
