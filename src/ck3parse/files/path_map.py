"""Paths as the workers see them, where that is elsewhere than the client does."""

import re
from collections.abc import Iterable

from ck3parse.errors import UsageError

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""How a path of Windows begins: a drive's letter or a server."""


class PathMap:
    """Puts the workers' folder in the place of the client's at the beginning of paths.

    Args:
        entries: pairs of a client's folder and what workers call it. The longest that a path lies
            beneath counts. Folders of Windows match in either case and with either slash.
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
        r"""Read entries such as `/home/me/mods=/mods,C:\mods=/mods`.

        Args:
            text: entries joined by commas, each a client's folder, `=`, and the workers'. A folder
                whose name holds a comma cannot be named; the one above it can.

        Raises:
            UsageError: an entry is not two absolute folders.
        """
        entries = []
        for entry in filter(None, map(str.strip, text.split(","))):
            client, _, worker = entry.rpartition("=")
            if not worker.startswith("/") or not (client.startswith("/") or _is_windows(client)):
                raise UsageError(
                    f"CK3PARSE_PATH_MAP cannot be used: {entry!r} is not two absolute folders, as"
                    " in /home/me/mods=/mods or C:\\mods=/mods"
                )
            entries.append((client, worker))
        return cls(entries)

    def __call__(self, path: str) -> str:
        """Return what workers call a file of the client's.

        Args:
            path: an absolute path.

        Returns:
            The path with its beginning replaced and `/` throughout; as it is if it lies beneath no
            client's folder.
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
