"""Compare both bodies of `qbuilder/1` and `ck3/1`: the native one, and Python's over the tree."""

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

from ck3parse.extractors import CK3, QBUILDER
from ck3parse.extractors.ck3 import Place, decode
from ck3parse.extractors.places import places
from ck3parse.extractors.stage import index_rows, parse_and_extract
from ck3parse.messages import DEFAULT_MAX_DEPTH, ParseRequest
from ck3parse.parser import ParseOutcome, _parser

Rows = tuple[ParseOutcome, bytes | None]
"""The outcome of a source, and its rows, if it parses."""


def rows_of(
    parser: str, source: bytes | str, name: str, relpath: str, max_depth: int = DEFAULT_MAX_DEPTH
) -> Rows:
    """Return the rows of a source.

    Args:
        parser: `native` or `python`, whose body of the extractor makes them.
        source: the content of a file, or a text.
        name: the `filename` of the root node.
        relpath: the path of the file relative to its mod.
        max_depth: how deep braces may nest.
    """
    request = ParseRequest("", name=name, extract=[QBUILDER], relpath=relpath)
    outcome, made = parse_and_extract(_parser(parser), source, request, max_depth)
    assert not made.errors
    return outcome, made.rows.get(QBUILDER)


def index_of(
    parser: str,
    source: bytes | str,
    name: str,
    relpath: str,
    max_depth: int = DEFAULT_MAX_DEPTH,
) -> tuple[ParseOutcome, list[bytes], list[Place]]:
    """Return what is made of a source for the index.

    Args:
        parser: `native` or `python`, whose body makes it.
        source: the content of a file, or a text.
        name: the `filename` of the root node.
        relpath: the path of the file relative to its mod.
        max_depth: how deep braces may nest.

    Returns:
        The outcome, the rows of `ck3/1` made with it and those made alone, and the places of one of
        the words.
    """
    request = ParseRequest("", name=name, extract=[CK3], relpath=relpath)
    outcome, made = parse_and_extract(_parser(parser), source, request, max_depth)
    native = parser == "native"
    alone = index_rows(source, relpath or name, native=native, max_depth=max_depth)
    words = decode(alone).words
    data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    word = words[len(data) % len(words)] if words else "a"
    found = places(data, word, relpath, native=native, max_depth=max_depth)
    return outcome, [made.rows[CK3], alone], found


def compare(folder: Path, parser: str) -> Iterator[str]:
    """Yield how the rows of each recorded file differ, or `""`.

    Args:
        folder: holds `golden/rows/` and `corpus/`.
        parser: `native` or `python`.
    """
    for recorded in sorted((folder / "golden" / "rows").glob("*.rows.jsonl.xz")):
        mod = folder / "corpus" / recorded.name.removesuffix(".rows.jsonl.xz")
        with lzma.open(recorded, "rt", encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                path = mod / line["path"]
                _, rows = rows_of(parser, path.read_bytes(), line["path"], line["path"])
                expected = {"symbols": line["symbols"], "refs": line["refs"]}
                wanted = json.dumps(expected, separators=(",", ":")).encode()
                yield "" if rows == wanted else f"{path}: {rows!r:.500} and not {wanted!r:.500}"
