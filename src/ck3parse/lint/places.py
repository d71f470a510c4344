"""Where files are in their mods."""

import os
from collections.abc import Sequence

from ck3parse.files.mod_root import ModRoots, top_for_file
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

    def of(self, path: str) -> Place:
        """Return where a file is.

        Args:
            path: absolute path of the file.
        """
        top = self._top_of(path)
        is_of_ck2 = self._roots.is_of_ck2(self._roots.of(path, top))
        return Place(self._roots.relative(path, top), is_of_ck2)

    def root_of(self, path: str) -> tuple[str, str]:
        """Return the root of a file's mod, and the path of the file relative to it.

        Args:
            path: absolute path of the file.
        """
        top = self._top_of(path)
        return self._roots.of(path, top), self._roots.relative(path, top)

    def _top_of(self, path: str) -> str:
        top = next((each for each in self._tops if path.startswith(each)), None)
        return os.path.dirname(top) if top else top_for_file(path)
