"""An AST's JSON with another file's name in its root, for files that share a content."""

import json
import re

import zstandard

from ck3parse.messages import ZSTD_LEVEL

_ROOT_NAME = re.compile(rb'\{"_type":"root","filename":"(?:[^"\\]|\\.)*"')


def renamed(ast_json: bytes, name: str) -> bytes:
    """Return an AST with another name in its root."""
    # json escapes as the contract does, but for DEL.
    written = json.dumps(name).replace("\x7f", "\\u007f").encode("ascii")
    head = b'{"_type":"root","filename":' + written
    if ast_json.startswith(head):
        return ast_json
    match = _ROOT_NAME.match(ast_json)
    return ast_json if match is None else head + ast_json[match.end() :]


def renamed_frame(frame: bytes, name: str) -> bytes:
    """Return a zstd frame of an AST with another name in its root."""
    return zstandard.compress(renamed(zstandard.decompress(frame), name), ZSTD_LEVEL)
