"""Calls of scripted effects, triggers and others, marked by hand: `places` finds them.

`scripted-calls.jsonl` has the file, line, column and name of calls in real mods.
"""

import json
import os
import re
from pathlib import Path

import pytest

from ck3parse.extractors.ck3 import decode
from ck3parse.extractors.places import places
from ck3parse.extractors.stage import index_rows

HERE = Path(__file__).parent
MARK = re.compile("⟦([^⟧]+)⟧")
MADE_UP = sorted((HERE / "scripted_calls").iterdir())
REAL = [
    tuple(json.loads(line))
    for line in (HERE / "scripted-calls.jsonl").read_text("ascii").splitlines()
]
FOLDERS = [Path(folder) for folder in [os.environ.get("CK3PARSE_GOLDEN")] if folder]


@pytest.mark.parametrize("path", MADE_UP, ids=lambda path: path.name)
def test_made_up_script(parser_name: str, path: Path) -> None:
    native = parser_name == "native"
    pieces = MARK.split(path.read_text("utf-8"))
    marked: dict[str, list[int]] = {}
    source = b""
    for index, piece in enumerate(pieces):
        if index % 2:
            marked.setdefault(piece, []).append(len(source))
        source += piece.encode()
    rows = decode(index_rows(source, path.name, native=native))

    assert sum(map(len, marked.values())) >= 5
    for name, starts in marked.items():
        assert name in rows.words
        found = places(source, name, path.name, native=native)
        assert [source[place.start : place.end] for place in found] == [name.encode()] * len(found)
        assert [place.start for place in found] == starts


def test_a_name_that_seems_to_begin_in_an_expression_before_it_is_found(parser_name: str) -> None:
    found = places(b"a = @[b]]] ]]", "]]", native=parser_name == "native")
    assert [(place.start, place.end) for place in found] == [(8, 10), (11, 13)]


def test_there_are_a_hundred_calls_of_three_mods() -> None:
    assert len(set(REAL)) == 100
    assert len({str(path).split("/")[0] for path, *_ in REAL}) == 3


if FOLDERS:

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_calls_in_real_mods(parser_name: str, folder: Path) -> None:
        missing = []
        for path, line, column, name in REAL:
            data = (folder / "corpus" / path).read_bytes()
            found = places(data, name, native=parser_name == "native")
            if (line, column) not in {(place.line, place.column) for place in found}:
                missing.append((path, line, column, name))
            words = decode(index_rows(data, "a.txt", native=parser_name == "native")).words
            assert name in words

        assert len(missing) <= 1, missing
