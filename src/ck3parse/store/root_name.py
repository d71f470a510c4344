"""Replaces the file name in the root node of an AST, for files that have the same content."""

import json
import re

import zstandard

from ck3parse.messages import ZSTD_LEVEL

_HEAD = b'{"_type":"root","filename":'
_ROOT_NAME = re.compile(re.escape(_HEAD) + rb'"(?:[^"\\]|\\.)*"')


def with_root_name(ast_json: bytes, name: str) -> bytes:
    """Return an AST with another file name in its root node.

    Args:
        ast_json: the AST as JSON.
        name: the name.

    Returns:
        The AST with that name; unchanged if it has no root node with a file name.
    """
    # The contract escapes DEL, which json does not.
    head = _HEAD + json.dumps(name).replace("\x7f", "\\u007f").encode("ascii")
    if ast_json.startswith(head):
        return ast_json
    match = _ROOT_NAME.match(ast_json)
    return ast_json if match is None else head + ast_json[match.end() :]


def frame_with_root_name(frame: bytes, name: str) -> bytes:
    """Return the zstd frame of an AST with another file name in its root node.

    Args:
        frame: the zstd frame of the AST's JSON.
        name: the name.

    Returns:
        The frame of the AST with that name.
    """
    return zstandard.compress(with_root_name(zstandard.decompress(frame), name), ZSTD_LEVEL)
