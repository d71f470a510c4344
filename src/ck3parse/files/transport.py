"""How workers get files: by the same path, by their own path, or as bytes."""

import os
from collections.abc import Callable
from typing import Literal

import msgspec

from ck3parse.files.path_map import PathMap
from ck3parse.files.reading import read_script
from ck3parse.messages import ParseRequest

Give = Callable[[ParseRequest], ParseRequest]
"""Turns a request with the path of a file into the request to send; returns others unchanged.

It raises `CannotReadError` if it has to read the file and cannot.
"""


def by_name(request: ParseRequest) -> ParseRequest:
    """Return a request with an absolute path, for workers that have the same files.

    Args:
        request: a request with a path of this process.

    Returns:
        The request to send.
    """
    if request.path is None or os.path.isabs(request.path):
        return request
    return msgspec.structs.replace(request, path=os.path.join(os.getcwd(), request.path))


def giver(transport: Literal["path", "content"], path_map: str, max_bytes: int) -> Give:
    """Return the function that gives files to workers.

    Args:
        transport: `path` sends paths, `content` sends bytes.
        path_map: where workers find files, see `PathMap.parse`; empty: at the same paths.
        max_bytes: size in bytes of the largest file to read.

    Returns:
        A function that turns a request into the request to send.

    Raises:
        UsageError: the path map is invalid.
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
