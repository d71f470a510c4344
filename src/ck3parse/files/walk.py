"""Finds the script files in the paths that a user gives.

A file is script if its name ends in `.txt`, in upper or lower case, unless `files.patterns` knows
it as something else: licences, read-mes, changelogs, credits, `checksum_manifest.txt`, hidden
files, and everything in hidden folders and in folders named `fonts`. In a mod, which
`files.mod_root` recognises by its folders, only files in folders that the game reads are script:
not those at its root, and not those in `tools/`. Elsewhere, files named like notes and prompts are
none, either. The user can override this; the first rule that applies counts:

1. An exclude pattern that matches a file, or a folder that contains it, skips the file.
2. A path that is given itself is taken: a file with any name, and also a folder named `fonts`.
3. An include pattern that matches a file takes it, with any name and in any folder: `*.gui`.
4. An include pattern that matches a folder makes it an ordinary folder: `tools/` takes the
   `*.txt` files in it, but not its read-mes and pictures.

For the index, `*.gui` files in folders named `gui` are script, too.

The last exclude pattern that matches counts. A pattern that starts with `!` takes files back that
an earlier one excludes, except for files in an excluded folder.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from ck3parse.errors import ErrorType, UsageError
from ck3parse.files.mod_root import GAME_FOLDERS, is_mod_root
from ck3parse.files.names import NOT_UTF8, is_utf8, printable_name
from ck3parse.files.patterns import (
    GUI_SUFFIX,
    NOT_OF_THE_GAME,
    SCRIPT_SUFFIX,
    Patterns,
    is_localization,
    why_no_script,
    why_no_script_in,
)
from ck3parse.files.reading import failure_of

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})


class Found(msgspec.Struct, frozen=True, gc=False):
    """A script file, or a localization file.

    Attributes:
        root: absolute path of the given folder, or of the folder of a given file.
        name: path relative to the root, with `/`.
        size: length in bytes.
        mtime_ns: time of the last change, in nanoseconds since 1970.
    """

    root: str
    name: str
    size: int
    mtime_ns: int

    @property
    def path(self) -> str:
        """Absolute path, made at each use: a run has many files, and needs few paths at once."""
        name = self.name if os.sep == "/" else self.name.replace("/", os.sep)
        return f"{self.root}{name}" if self.root.endswith(os.sep) else f"{self.root}{os.sep}{name}"


class Skipped(NamedTuple):
    r"""A file or folder that is skipped on purpose.

    Attributes:
        root: as in `Found`.
        name: as in `Found`; it ends in `/` for a folder that was not searched. Bytes that are not
            UTF-8 are written as `\xff`.
        reason: the reason in a few words.
    """

    root: str
    name: str
    reason: str


class Problem(NamedTuple):
    r"""A script file or a folder that cannot be read.

    Attributes:
        root: as in `Found`.
        name: as in `Skipped`; `./` for the root itself.
        path: absolute path. Bytes that are not UTF-8 are written as `\xff`.
        error_type: the type of the error.
        message: the reason in one sentence, without the name.
    """

    root: str
    name: str
    path: str
    error_type: ErrorType
    message: str


def walk(
    paths: Sequence[str],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    only: Collection[str] | None = None,
    gui: bool = False,
    localization: bool = False,
) -> Iterator[Found | Skipped | Problem]:
    """Find the script files in some paths, each once and always in the same order.

    A path inside another one is found as part of it. Symbolic links to folders are followed, but
    no folder is searched twice, and a folder that can be reached without a link is found there.
    Files other than `*.txt` are ignored unless a pattern matches them. No file is opened.

    Args:
        paths: folders and files, absolute or relative to the current folder.
        include: patterns in `.gitignore` syntax of what to take in addition.
        exclude: patterns in `.gitignore` syntax of what to skip.
        only: absolute paths of files and folders; default: all. Nothing else is looked at but the
            folders above them, so that a few of many files are found quickly.
        gui: whether to find the `*.gui` files in folders named `gui`, too.
        localization: whether to find localization files, too.

    Returns:
        An iterator over the files found, skipped, and not readable. Given files come first; then
        the files of each folder by name, followed by its folders by name; then what is only
        reached by links.

    Raises:
        UsageError: a path does not exist, cannot be read, or is neither a file nor a folder, or a
            pattern is invalid. This is raised at once, before the iteration.
    """
    patterns = Patterns(include, exclude)
    roots, files, inner = _sorted_out([checked_path(path) for path in paths])
    found = _Walk(patterns, inner, only, gui=gui, localization=localization)
    return found.run(roots, files)


def roots_of(paths: Iterable[str]) -> list[str]:
    """Return the roots of what `walk` finds: given folders, and the folders of given files.

    Args:
        paths: folders and files, absolute or relative to the current folder.

    Returns:
        Absolute paths, each once, sorted.
    """
    absolute = map(os.path.abspath, paths)
    return sorted({path if os.path.isdir(path) else os.path.dirname(path) for path in absolute})


class _Folder(NamedTuple):
    root: str
    path: str
    prefix: str
    """Its relative name, ending in `/`; empty for the root."""
    shut: str
    """Why files in it are not script by default, or `""`."""
    linked: bool
    """Whether it is reached by a symbolic link."""
    of_game: bool = False
    """Whether it is in a mod, in a folder that the game reads."""
    is_mod: bool = False
    """Whether it is the root of a mod."""


class _Walk:
    def __init__(
        self,
        patterns: Patterns,
        inner: Sequence[str],
        only: Collection[str] | None,
        *,
        gui: bool,
        localization: bool,
    ) -> None:
        self._patterns = patterns
        self._localization = localization
        self._only = None if only is None else _Only(only)
        self._gui = gui
        self._given = {os.path.normcase(path) for path in inner}
        self._above_given = {above for path in self._given for above in _parents(path)}
        self._visited: set[tuple[int, int, bool]] = set()

    def run(self, roots: list[str], files: list[str]) -> Iterator[Found | Skipped | Problem]:
        for path in files:
            if self._only and not self._only.takes(path):
                continue
            root, name = os.path.split(path)
            if self._patterns.excludes and self._patterns.excludes(name):
                yield Skipped(root, name, "excluded")
            else:
                yield _looked_at(root, name, path, partial(os.stat, path))
        stack: list[_Folder] = []
        # Links are followed last, so that a folder is found at its own place first.
        links: deque[_Folder] = deque()
        for root in roots:
            if os.path.realpath(root) == root:
                stack.insert(0, _Folder(root, root, "", "", False))
            else:
                links.append(_Folder(root, root, "", "", True))
        while stack or links:
            folder = stack.pop() if stack else links.popleft()
            entries = self._read(folder)
            if not isinstance(entries, list):
                yield entries
                continue
            folders: list[_Folder] = []
            if not folder.of_game and is_mod_root(entry.name for entry in entries):
                shut = "" if folder.shut == NOT_OF_THE_GAME else folder.shut
                folder = folder._replace(is_mod=True, shut=shut)
            if self._only:
                entries = self._only.wanted(folder.path, entries)
            for entry in entries:
                found = self._entry(folder, entry)
                if found is None:
                    continue
                if not isinstance(found, _Folder):
                    yield found
                elif entry.is_symlink():
                    links.append(found)
                else:
                    folders.append(found)
            stack.extend(reversed(folders))

    def _read(self, folder: _Folder) -> list[os.DirEntry[str]] | Skipped | Problem:
        name = printable_name(folder.prefix) or "./"
        try:
            status = os.stat(folder.path)
            # A folder that is shut at its own place may be open where a link leads to it.
            identity = (status.st_dev, status.st_ino, bool(folder.shut))
            if folder.linked and identity in self._visited:
                return Skipped(folder.root, name, "links to a folder that is searched already")
            self._visited.add(identity)
            with os.scandir(folder.path) as scanned:
                return sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            if folder.shut:
                return Skipped(folder.root, name, folder.shut)
            return Problem(folder.root, name, printable_name(folder.path), *failure_of(error))

    def _entry(
        self, folder: _Folder, entry: os.DirEntry[str]
    ) -> Found | Skipped | Problem | _Folder | None:
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            # A broken link: a script file only if its name says so.
            reason = f"cannot be followed: {failure_of(error)[1]}"
            skipped = Skipped(folder.root, printable_name(folder.prefix + entry.name), reason)
            return self._file(folder, entry) or skipped
        return self._folder(folder, entry) if is_folder else self._file(folder, entry)

    def _folder(self, parent: _Folder, entry: os.DirEntry[str]) -> _Folder | Skipped:
        patterns = self._patterns
        prefix = f"{parent.prefix}{entry.name}/"
        if patterns.excludes and patterns.excludes(prefix):
            return Skipped(parent.root, printable_name(prefix), "excluded")
        linked = parent.linked or entry.is_symlink()
        of_game = parent.of_game or (parent.is_mod and entry.name.lower() in GAME_FOLDERS)
        key = os.path.normcase(entry.path)
        if key in self._given or (patterns.any_included and patterns.opens(prefix)):
            return _Folder(parent.root, entry.path, prefix, "", linked, of_game)
        shut = parent.shut or why_no_script_in(entry.name)
        if parent.is_mod and not of_game:
            shut = shut or NOT_OF_THE_GAME
        hidden = entry.name.startswith(".")
        wanted = patterns.any_included and entry.name not in _VERSION_CONTROL
        if hidden and not wanted and key not in self._above_given:
            return Skipped(parent.root, printable_name(prefix), shut)
        return _Folder(parent.root, entry.path, prefix, shut, linked, of_game)

    def _file(self, folder: _Folder, entry: os.DirEntry[str]) -> Found | Skipped | Problem | None:
        patterns = self._patterns
        name = folder.prefix + entry.name
        if patterns.excludes and patterns.excludes(name):
            return Skipped(folder.root, printable_name(name), "excluded")
        taken = (patterns.any_included and patterns.includes(name, folder.prefix)) or (
            self._given and os.path.normcase(entry.path) in self._given
        )
        if not taken:
            suffix = entry.name[-4:].lower()
            if (
                suffix != SCRIPT_SUFFIX
                and not (self._gui and _is_gui(suffix, folder))
                and not (self._localization and is_localization(entry.path))
            ):
                return None
            reason = folder.shut or why_no_script(entry.name, in_game_folder=folder.of_game)
            if reason or folder.is_mod:
                reason = reason or NOT_OF_THE_GAME
                return Skipped(folder.root, printable_name(name), reason)
        return _looked_at(folder.root, name, entry.path, entry.stat)


class _Only:
    """The paths that a walk is limited to.

    Args:
        paths: absolute paths of files and folders.
    """

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = frozenset(paths)
        self._above = frozenset(above for path in paths for above in _parents(path))

    def takes(self, path: str) -> bool:
        """Return whether a path is one of them, inside of one, or a folder above one."""
        return path in self._above or self._holds(path)

    def wanted(self, folder: str, entries: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
        """Return what to look at in a folder."""
        if self._holds(folder):
            return entries
        return [each for each in entries if each.path in self._paths or each.path in self._above]

    def _holds(self, path: str) -> bool:
        return path in self._paths or not self._paths.isdisjoint(_parents(path))


def _is_gui(suffix: str, folder: _Folder) -> bool:
    return suffix == GUI_SUFFIX and "gui" in folder.prefix.lower().split("/")


def _looked_at(
    root: str, name: str, path: str, get_status: Callable[[], os.stat_result]
) -> Found | Skipped | Problem:
    if not is_utf8(name):
        shown = printable_name(name), printable_name(path)
        return Problem(root, *shown, ErrorType.PATH_NOT_ALLOWED, NOT_UTF8)
    try:
        status = get_status()
    except OSError as error:
        return Problem(root, name, path, *failure_of(error))
    if not stat.S_ISREG(status.st_mode):
        return Skipped(root, name, _kind_of(status.st_mode))
    return Found(root, name, status.st_size, status.st_mtime_ns)


def _kind_of(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe, not a file"
    if stat.S_ISSOCK(mode):
        return "a socket, not a file"
    return "a device, not a file"


def checked_path(given: str) -> str:
    """Return a given path as an absolute path, after checking that it can be read.

    Raises:
        UsageError: it does not exist, cannot be read, is not UTF-8, or is no file and no folder.
    """
    shown = printable_name(given)
    try:
        path = os.path.abspath(given)
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise UsageError(f"{shown!r} is not a valid path: {error}") from error
    except OSError as error:
        reason = failure_of(error)[1].removeprefix("it cannot be read: ")
        raise UsageError(f"{shown!r} cannot be read: {reason}") from error
    if not is_utf8(path):
        raise UsageError(f"{shown!r} cannot be used: its path is not UTF-8, rename it")
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise UsageError(f"{shown!r} is {_kind_of(mode)}: give a file or a folder")
    if not os.access(path, os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK):
        raise UsageError(f"{shown!r} cannot be read: permission denied")
    return path


def _sorted_out(paths: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Divide paths into folders, files outside of these, and paths inside of them; each once."""
    unique: dict[str, str] = {}
    for path in paths:
        unique.setdefault(os.path.normcase(path), path)
    folders = {key for key, path in unique.items() if os.path.isdir(path)}
    roots: list[str] = []
    files: list[str] = []
    inner: list[str] = []
    for key, path in unique.items():
        if not folders.isdisjoint(_parents(key)):
            inner.append(path)
        else:
            (roots if key in folders else files).append(path)
    return roots, files, inner


def _parents(path: str) -> Iterator[str]:
    while (above := os.path.dirname(path)) != path:
        yield above
        path = above
