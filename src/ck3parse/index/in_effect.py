"""Which files of a playset the game reads, and in which order.

- Of the files with one path, relative to their mod, that of the last source counts; the others are
  not read. Upper and lower case do not count.
- A `replace_path` of a source drops the files that earlier sources have directly in that folder.
- What is left is read by path. Whether the files of a folder come before those of its subfolders is
  not settled; `ReadingOrder` says which is assumed.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

ReadingOrder = Literal["paths", "files-first"]
"""`paths`: by the whole path, as text. `files-first`: those of a folder, then its subfolders."""


class PlacedFile(msgspec.Struct, frozen=True, gc=False):
    """A file of a playset.

    Attributes:
        position: the position of its source.
        relpath: its path relative to its mod, with `/`.
    """

    position: int
    relpath: str


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a file.

    Attributes:
        read_order: when it is read, from 0; `None` if it is not.
        replaced_by: the index of the file that replaces it, or `None`.
        dropped_by: the position of the source that drops it, or `None`.
    """

    read_order: int | None = None
    replaced_by: int | None = None
    dropped_by: int | None = None


def files_in_effect(
    files: Sequence[PlacedFile],
    replaced: Sequence[Sequence[str]],
    reading_order: ReadingOrder = "paths",
) -> list[Effect]:
    """Return what becomes of each file.

    Args:
        files: the files of the playset.
        replaced: by position of a source, the folders of its `replace_path` lines, in lower case.
        reading_order: in which order files are read.
    """
    droppers: dict[str, int] = {}
    for position, folders in enumerate(replaced):
        for folder in folders:
            droppers[folder] = position  # the last one
    keys = [file.relpath.lower() for file in files]
    last: dict[str, int] = {}
    effects = [Effect()] * len(files)
    unread: list[int] = []
    for at, (file, key) in enumerate(zip(files, keys, strict=True)):
        dropper = droppers.get(key.rpartition("/")[0], -1) if droppers else -1
        if dropper > file.position:
            effects[at] = Effect(dropped_by=dropper)
            unread.append(at)
            continue
        other = last.setdefault(key, at)
        if other == at:
            continue
        if (files[other].position, files[other].relpath) < (file.position, file.relpath):
            last[key] = at
            effects[other] = Effect(replaced_by=at)
            unread.append(other)
        else:
            effects[at] = Effect(replaced_by=other)
            unread.append(at)
    # A chain of files in one place ends in the one that is read.
    for at in unread:
        winner = last.get(keys[at], at)
        if files[winner].position >= files[at].position and winner != at:
            effects[at] = Effect(replaced_by=winner)
    sort_key = str if reading_order == "paths" else _files_first
    for read_order, key in enumerate(sorted(last, key=sort_key)):
        effects[last[key]] = Effect(read_order)
    return effects


def _files_first(path: str) -> list[tuple[bool, str]]:
    *folders, name = path.split("/")
    return [*((True, folder) for folder in folders), (False, name)]


def case_twins(files: Sequence[PlacedFile]) -> list[tuple[str, str]]:
    """Return pairs of paths of one source that differ in upper and lower case only.

    Args:
        files: the files of the playset.
    """
    seen: dict[tuple[int, str], str] = {}
    twins = []
    for file in files:
        key = file.position, file.relpath.lower()
        other = seen.setdefault(key, file.relpath)
        if other != file.relpath:
            twins.append((other, file.relpath))
    return twins
