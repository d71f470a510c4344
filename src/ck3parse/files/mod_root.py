"""Which folder is the root of the mod that a file belongs to.

The game knows a file by its path in its mod, such as `common/traits/00_traits.txt`. The evidence is
what folders hold, never how the folders above a mod are named.
"""

import os
from collections.abc import Iterable
from pathlib import Path

DESCRIPTOR = "descriptor.mod"
"""The file at the root of a mod that describes it to the launcher."""

GAME_FOLDERS = frozenset(
    {
        "common",
        "data_binding",
        "dlc",
        "dlc_metadata",
        "events",
        "fonts",
        "gfx",
        "gui",
        "history",
        "localization",
        "map_data",
        "music",
        "notifications",
        "sound",
    }
)
"""The folders at the root of a mod that the game reads, in lower case."""

_EVIDENCE = frozenset(
    {"common", "events", "gfx", "gui", "history", "localization", "localisation", "map_data"}
)
"""Folders that only the root of a mod holds. `localisation` is Crusader Kings II's."""

_OF_CK2 = frozenset({"localisation", "interface", "decisions"})
_OF_CK3 = frozenset({"localization", "gui", DESCRIPTOR, "map_data"})


_STRONG_EVIDENCE = frozenset({DESCRIPTOR, "common", "events", "history"})


def is_mod_root(names: Iterable[str]) -> bool:
    """Return whether a folder is the root of a mod, so that other folders in it are none of it.

    Args:
        names: the names of what is in the folder.
    """
    lower = {name.lower() for name in names}
    return not lower.isdisjoint(_STRONG_EVIDENCE) or len(lower & _EVIDENCE) > 1


def mod_root(path: Path, top: Path) -> Path:
    """Return the root of the mod that a file belongs to.

    Args:
        path: absolute path of the file, which need not exist.
        top: absolute path of the folder in which it was found.

    Returns:
        The nearest folder above the file, up to `top`, with a `descriptor.mod`; else the outermost
        of these with a folder such as `common` or `events`, because the folders of a mod can be
        named alike (`localization/english/events`). If none of them is the root of a mod: the
        nearest folder above `top` that has a `descriptor.mod` or at least two such folders, which
        is right if `top` is a part of a mod; else `top`.
    """
    return Path(ModRoots().of(str(path), str(top)))


def top_for_file(path: str) -> str:
    """Return the `top` for a file that was given itself, and not found in a folder.

    Args:
        path: absolute path of the file, which need not exist.

    Returns:
        The current folder if the file is inside of it, else the folder of the file.
    """
    current = os.getcwd()
    return current if path.startswith(os.path.join(current, "")) else os.path.dirname(path)


def relative_to(root: str, path: str) -> str:
    """Return the path of a file relative to the root of its mod, with `/`.

    Args:
        root: absolute path of the root.
        path: absolute path of the file.
    """
    return path[len(root) :].replace(os.sep, "/").lstrip("/")


class ModRoots:
    """Roots of mods, each folder looked at once."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}
        self._roots: dict[tuple[str, str], str] = {}

    def of(self, path: str, top: str) -> str:
        """Return the root of a file's mod, as `mod_root` does.

        Args:
            path: absolute path of the file, which need not exist.
            top: absolute path of the folder in which it was found.
        """
        folder = os.path.dirname(path)
        key = folder, top
        if key not in self._roots:
            self._roots[key] = self._found(folder, top)
        return self._roots[key]

    def relative(self, path: str, top: str) -> str:
        """Return the path of a file relative to the root of its mod, with `/`.

        Args:
            path: absolute path of the file, which need not exist.
            top: absolute path of the folder in which it was found.
        """
        return relative_to(self.of(path, top), path)

    def is_of_ck2(self, root: str) -> bool:
        """Return whether the mod with a root is one for Crusader Kings II.

        Args:
            root: absolute path of the root.
        """
        names = self._names_in(root)
        return not names.isdisjoint(_OF_CK2) and names.isdisjoint(_OF_CK3)

    def _found(self, folder: str, top: str) -> str:
        inner = [folder]
        while inner[-1] != top and (above := os.path.dirname(inner[-1])) != inner[-1]:
            inner.append(above)
        if inner[-1] != top:  # the file is not inside
            inner = [folder]
        for each in inner:
            if DESCRIPTOR in self._names_in(each):
                return each
        for each in reversed(inner):
            if not self._names_in(each).isdisjoint(_EVIDENCE):
                return each
        above = inner[-1]
        while (parent := os.path.dirname(above)) != above:
            above = parent
            names = self._names_in(above)
            if DESCRIPTOR in names or len(names & _EVIDENCE) > 1:
                return above
        return inner[-1]

    def _names_in(self, folder: str) -> frozenset[str]:
        if folder not in self._names:
            try:
                with os.scandir(folder) as entries:
                    found = frozenset(
                        entry.name.lower()
                        for entry in entries
                        if entry.name.lower() == DESCRIPTOR or entry.is_dir()
                    )
            except OSError:
                found = frozenset()
            self._names[folder] = found
        return self._names[folder]
