"""Finds the script files under the paths a user gives.

A file is script if its name ends in `.txt`, in any case, and `rules` does not know it as something
else: licences, read-mes, changelogs, credits, `checksum_manifest.txt`, hidden files, and all that
is in folders named `gfx`, `map_data` or `fonts` or in hidden folders. What the user says stands
above that, the first of these that applies:

1. An exclude pattern that matches a file, or a folder above it, skips it.
2. A path that is given itself is taken: a file whatever its name, a folder named `gfx` too.
3. An include pattern that matches a file takes it, whatever its name and wherever it is: `*.gui`.
4. An include pattern that matches a folder makes it one like others: `gfx/` brings back the `*.txt`
   files in it, without its read-mes and its pictures.

Of several exclude patterns the last that matches counts, and one that starts with `!` reverses
those before it; but nothing brings back what is in an excluded folder.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from ck3parse.errors import ErrorType, UsageError
from ck3parse.files.names import NOT_UTF8, is_utf8, printable_name
from ck3parse.files.patterns import SCRIPT_SUFFIX, Patterns, why_no_script, why_no_script_in
from ck3parse.files.reading import failure_of

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})


class Found(NamedTuple):
    """A script file.

    Attributes:
        root: absolute path of the folder that was given, or of the given file's folder.
        name: path relative to the root, with `/`.
        path: absolute path.
        size: length in bytes.
        mtime_ns: time of the last change, in nanoseconds since 1970.
    """

    root: str
    name: str
    path: str
    size: int
    mtime_ns: int


class Skipped(NamedTuple):
    """What is not parsed, and need not be.

    Attributes:
        root: as in `Found`.
        name: as in `Found`; it ends in `/` if it is a folder that was not looked into. What is not
            UTF-8 in it stands as `\\xff`.
        reason: a few words.
    """

    root: str
    name: str
    reason: str


class Problem(NamedTuple):
    """A file that should be parsed and cannot be, or a folder that cannot be read.

    Attributes:
        root: as in `Found`.
        name: as in `Skipped`; `./` for the root itself.
        path: absolute path. What is not UTF-8 in it stands as `\\xff`.
        error_type: one of `ck3parse.errors.ErrorType`.
        message: one sentence, without the name.
    """

    root: str
    name: str
    path: str
    error_type: ErrorType
    message: str


def walk(
    paths: Sequence[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[Found | Skipped | Problem]:
    """Find the script files under the given paths, each once, in an order that is always the same.

    A path inside another is found as part of that one. Symbolic links to folders are followed, but
    no folder is read twice, and one that is reached without a link is read there. Files that are
    not `*.txt` are passed over in silence unless a pattern matches them. Nothing is opened.

    Args:
        paths: folders and files, absolute or relative to the current folder.
        include: patterns in `.gitignore` syntax of what to take beyond the default.
        exclude: patterns in `.gitignore` syntax of what to skip.

    Returns:
        An iterator over files and what stands in their way. Files that were given come first; then
        each folder's files by name, then its folders by name; then what only links lead to.

    Raises:
        UsageError: at once, before anything is read: a path does not exist, cannot be read or is
            neither file nor folder, or a pattern cannot be used.
    """
    patterns = Patterns(include, exclude)
    roots, files, inner = _sorted_out([_checked(path) for path in paths])
    return _Walk(patterns, inner).run(roots, files)


def roots_of(paths: Iterable[str]) -> list[str]:
    """Return the folders that all of `walk` is found beneath: given ones, and given files' own.

    Args:
        paths: folders and files, absolute or relative to the current folder.
    """
    absolute = map(os.path.abspath, paths)
    return sorted({path if os.path.isdir(path) else os.path.dirname(path) for path in absolute})


class _Folder(NamedTuple):
    root: str
    path: str
    prefix: str
    """Relative name with `/` at its end; empty for the root."""
    shut: str
    """Why what is in it is no script by default, or `""`."""
    linked: bool
    """Whether a symbolic link led to it."""


class _Walk:
    def __init__(self, patterns: Patterns, inner: Sequence[str]) -> None:
        self._patterns = patterns
        self._given = {os.path.normcase(path) for path in inner}
        self._above_given = {above for path in self._given for above in _parents(path)}
        self._visited: set[tuple[int, int, bool]] = set()

    def run(self, roots: list[str], files: list[str]) -> Iterator[Found | Skipped | Problem]:
        for path in files:
            root, name = os.path.split(path)
            if self._patterns.excludes and self._patterns.excludes(name):
                yield Skipped(root, name, "excluded")
            else:
                yield _looked_at(root, name, path, partial(os.stat, path))
        stack: list[_Folder] = []
        # Links wait until all else is read, so that a folder's own place comes before them.
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
            # A folder that was shut where it was found first may be open where a link leads to it.
            identity = (status.st_dev, status.st_ino, bool(folder.shut))
            if folder.linked and identity in self._visited:
                return Skipped(folder.root, name, "links to a folder that is read already")
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
            # A link to nobody knows what: ours only if its name says so.
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
        key = os.path.normcase(entry.path)
        if key in self._given or (patterns.any_included and patterns.opens(prefix)):
            return _Folder(parent.root, entry.path, prefix, "", linked)
        shut = parent.shut or why_no_script_in(entry.name)
        hidden = entry.name.startswith(".")
        wanted = patterns.any_included and entry.name not in _VERSION_CONTROL
        if hidden and not wanted and key not in self._above_given:
            return Skipped(parent.root, printable_name(prefix), shut)
        return _Folder(parent.root, entry.path, prefix, shut, linked)

    def _file(self, folder: _Folder, entry: os.DirEntry[str]) -> Found | Skipped | Problem | None:
        patterns = self._patterns
        name = folder.prefix + entry.name
        if patterns.excludes and patterns.excludes(name):
            return Skipped(folder.root, printable_name(name), "excluded")
        taken = (patterns.any_included and patterns.includes(name, folder.prefix)) or (
            self._given and os.path.normcase(entry.path) in self._given
        )
        if not taken:
            if entry.name[-4:].lower() != SCRIPT_SUFFIX:
                return None
            if reason := folder.shut or why_no_script(entry.name):
                return Skipped(folder.root, printable_name(name), reason)
        return _looked_at(folder.root, name, entry.path, entry.stat)


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
    return Found(root, name, path, status.st_size, status.st_mtime_ns)


def _kind_of(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe, no file"
    if stat.S_ISSOCK(mode):
        return "a socket, no file"
    return "a device, no file"


def _checked(given: str) -> str:
    """Return a given path, absolute and normalised, once it is known to be one that can be read."""
    shown = printable_name(given)
    try:
        path = os.path.abspath(given)
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise UsageError(f"{shown!r} cannot be a path: {error}") from error
    except OSError as error:
        raise UsageError(f"{shown!r} cannot be read: {failure_of(error)[1]}") from error
    if not is_utf8(path):
        raise UsageError(f"{shown!r} cannot be used: its path is not UTF-8, rename it")
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise UsageError(f"{shown!r} is {_kind_of(mode)}: give a file or a folder")
    if not os.access(path, os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK):
        raise UsageError(f"{shown!r} may not be read: permission denied")
    return path


def _sorted_out(paths: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Divide checked paths into folders, files outside them, and what is inside them; each once."""
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
