"""Where files are in their mods."""

import os
from collections.abc import Sequence

from ck3parse.files.mod_root import ModRoots, relative_to, top_for_file
from ck3parse.lint.rules.rule import Place


class Places:
    """Where files are in their mods.

    Args:
        paths: the folders and files that were given.
    """

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._tops = [
            os.path.join(os.path.abspath(path), "") for path in paths if os.path.isdir(path)
        ]
        self._roots = ModRoots()
        self._folders: dict[str, tuple[str, bool]] = {}
        """The root of the mod of each folder's files, and whether it is for Crusader Kings II."""

    def of(self, path: str) -> Place:
        """Return where a file is.

        Args:
            path: absolute path of the file.
        """
        root, is_of_ck2 = self._folder_of(path)
        return Place(relative_to(root, path), is_of_ck2)

    def root_of(self, path: str) -> tuple[str, str]:
        """Return the root of a file's mod, and the path of the file relative to it.

        Args:
            path: absolute path of the file.
        """
        root, _ = self._folder_of(path)
        return root, relative_to(root, path)

    def _folder_of(self, path: str) -> tuple[str, bool]:
        folder = os.path.dirname(path)
        known = self._folders.get(folder)
        if known is None:
            root = self._roots.of(path, self._top_of(path))
            known = self._folders[folder] = root, self._roots.is_of_ck2(root)
        return known

    def _top_of(self, path: str) -> str:
        top = next((each for each in self._tops if path.startswith(each)), None)
        return os.path.dirname(top) if top else top_for_file(path)
