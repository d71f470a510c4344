"""Translates paths of the client to paths on the workers."""

import re
from collections.abc import Iterable

from ck3parse.errors import UsageError

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""The start of a Windows path: a drive letter or a server."""


class PathMap:
    """Replaces the client's folder at the start of a path by the workers' folder.

    Args:
        entries: pairs of a folder on the client and the same folder on the workers. The longest
            client folder that contains a path applies. Windows folders match regardless of case
            and kind of slash.
    """

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        self._entries = sorted(
            (
                (_comparable(client.rstrip("\\/"), _is_windows(client)), worker.rstrip("/"))
                for client, worker in entries
            ),
            key=lambda entry: len(entry[0]),
            reverse=True,
        )

    @classmethod
    def parse(cls, text: str) -> "PathMap":
        r"""Return a path map for text such as `/home/me/mods=/mods,C:\mods=/mods`.

        Args:
            text: entries separated by commas, each the client's folder, `=` and the workers'
                folder. For a folder with a comma in its name, give its parent folder.

        Returns:
            The path map.

        Raises:
            UsageError: an entry is not a pair of absolute folders.
        """
        entries = []
        for entry in filter(None, map(str.strip, text.split(","))):
            client, _, worker = entry.rpartition("=")
            if not worker.startswith("/") or not (client.startswith("/") or _is_windows(client)):
                raise UsageError(
                    f"CK3PARSE_PATH_MAP cannot be used: {entry!r} is not a pair of absolute"
                    " folders, as in /home/me/mods=/mods or C:\\mods=/mods"
                )
            entries.append((client, worker))
        return cls(entries)

    def __call__(self, path: str) -> str:
        """Return the path of a file on the workers.

        Args:
            path: the absolute path of the file on the client.

        Returns:
            The path on the workers, with `/`; the given path if no client folder contains it.
        """
        windows = _is_windows(path)
        for client, worker in self._entries:
            length = len(client)
            if _comparable(path[:length], windows) == client and path[length : length + 1] in _ENDS:
                rest = path[length:]
                return (worker + (rest.replace("\\", "/") if windows else rest)) or "/"
        return path


_ENDS = ("/", "\\", "")


def _is_windows(path: str) -> bool:
    return _WINDOWS.match(path) is not None


def _comparable(path: str, windows: bool) -> str:
    return path.replace("\\", "/").lower() if windows else path
