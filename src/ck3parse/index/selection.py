"""Which files an index is of: what a command was given, and what the store keeps of it."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import msgspec

from ck3parse.index.playset import Playset, given_playset
from ck3parse.messages import DialectName


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """The files that an index is of. A store keeps it, so that later commands need not repeat it.

    Attributes:
        paths: absolute paths of folders and files, in load order.
        playset_file: absolute path of a file that names mods that are loaded after them, or `""`.
        mods: absolute paths of folders in which the mods of an exported playset may be.
        include: patterns of files to read although they would be skipped.
        exclude: patterns of files to skip.
        dialect: of the syntax trees that are stored with it; `None`: the one in the settings.
    """

    paths: list[str] = []
    playset_file: str = ""
    mods: list[str] = []
    include: list[str] = []
    exclude: list[str] = []
    dialect: DialectName | None = None

    @classmethod
    def given(
        cls,
        paths: Sequence[str],
        playset_file: Path | None = None,
        mods: Sequence[str] = (),
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        dialect: DialectName | None = None,
    ) -> Self:
        """Return what a command was given, with absolute paths.

        Args:
            paths: as above.
            playset_file: as above, or `None`.
            mods: as above.
            include: as above.
            exclude: as above.
            dialect: as above.
        """
        return cls(
            [os.path.abspath(path) for path in paths],
            os.path.abspath(playset_file) if playset_file else "",
            [os.path.abspath(folder) for folder in mods],
            list(include),
            list(exclude),
            dialect,
        )

    @classmethod
    def of_json(cls, text: str) -> Self | None:
        """Return what `json` made a text of, or `None`.

        Args:
            text: JSON, or `""`.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:  # also of a later version
            return None

    def json(self) -> str:
        """Return it as JSON."""
        return msgspec.json.encode(self).decode()

    def playset(self) -> Playset:
        """Return the playset.

        Raises:
            UsageError: as for `given_playset`.
        """
        playset_file = Path(self.playset_file) if self.playset_file else None
        return given_playset(self.paths, playset_file, self.mods)


def are_inside(paths: Iterable[str], folders: Iterable[str]) -> bool:
    """Return whether each path is inside of a folder, and not the folder itself.

    Args:
        paths: absolute paths.
        folders: absolute paths.
    """
    known = set(folders)
    starts = tuple(os.path.join(folder, "") for folder in known)
    return all(path.startswith(starts) and path not in known for path in paths)
