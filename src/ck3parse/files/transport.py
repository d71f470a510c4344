"""How files are given to workers: by name, by what workers call them, or by their bytes."""

import os
from collections.abc import Callable
from typing import Literal

import msgspec

from ck3parse.files.path_map import PathMap
from ck3parse.files.reading import read_script
from ck3parse.messages import ParseRequest

Give = Callable[[ParseRequest], ParseRequest]
"""Turns a request that names a file here into the one to send, and leaves others as they are.

It raises `CannotReadError` where it reads the file.
"""


def by_name(request: ParseRequest) -> ParseRequest:
    """Give a file by its name, to workers that see it where it is but may run elsewhere."""
    if request.path is None or os.path.isabs(request.path):
        return request
    return msgspec.structs.replace(request, path=os.path.join(os.getcwd(), request.path))


def giver(transport: Literal["path", "content"], path_map: str, max_bytes: int) -> Give:
    """Return how files are given by these settings.

    Args:
        transport: `path` names files, `content` sends their bytes.
        path_map: where workers see files, as `PathMap.parse` reads it; empty: where they are.
        max_bytes: larger files are not read.

    Raises:
        UsageError: the path map cannot be used.
    """
    if transport == "content":
        return _by_content(max_bytes)
    return _by_path_map(PathMap.parse(path_map)) if path_map else by_name


def _by_content(max_bytes: int) -> Give:
    def give(request: ParseRequest) -> ParseRequest:
        if request.path is None:
            return request
        content = read_script(request.path, max_bytes=max_bytes)
        return msgspec.structs.replace(request, path=None, content=content)

    return give


def _by_path_map(worker_path: PathMap) -> Give:
    def give(request: ParseRequest) -> ParseRequest:
        if request.path is None:
            return request
        return msgspec.structs.replace(request, path=worker_path(os.path.abspath(request.path)))

    return give
