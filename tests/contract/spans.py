"""Check the spans of dialect `ck3` on files and on mutated snippets.

    python tests/contract/spans.py [FOLDER...] --count N --seed S --parser native

Checks each `*.txt` file under each FOLDER, and N inputs as `differential.py` makes them, of the
same files. In all of them, each node must be inside its parent and after its sibling. A *sound*
input, in UTF-8 and with nothing to report, must also have these properties: the bytes of each
node's span parse to the same node; keys, operators, values, braces and comments together cover
every byte that is not white space; and a list of comments changes nothing else. The first input
without a property ends the run.
"""

import argparse
import importlib
import itertools
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import msgspec

from ck3parse.parser import ParseOutcome

sys.path.append(str(Path(__file__).resolve().parents[1]))

from contract.differential import FIXTURES, Inputs, real_lines

OPERATOR = re.compile(rb"[<>!=?]+")
REPORT_EVERY = 100_000

Span = tuple[int, int]


class Bare(msgspec.Struct, frozen=True, gc=False, rename={"type": "_type"}):
    """A node without its place. The decoder skips what it does not name."""

    type: str
    key: str | None = None
    key_kind: str | None = None
    key_params: tuple[str, ...] = ()
    op: str | None = None
    tag: str | None = None
    value: str | None = None
    kind: str | None = None
    params: tuple[str, ...] = ()
    word: str | None = None
    children: "tuple[Bare, ...]" = ()


class Placed(msgspec.Struct, frozen=True, gc=False, rename={"type": "_type"}):
    """The parts of a node that its place is made of."""

    type: str
    span: Span = (0, 0)
    key_span: Span | None = None
    value_span: Span | None = None
    tag: str | None = None
    word: str | None = None
    children: "tuple[Placed, ...] | None" = None
    comments: list[Span] = []


decode_bare = msgspec.json.Decoder(Bare).decode
decode_placed = msgspec.json.Decoder(Placed).decode


class Checked(NamedTuple):
    """What was checked: whether all properties could be, and how many nodes were parsed again."""

    sound: bool
    nodes: int


def check(parser: ModuleType, data: bytes, name: str = "", parses: int | None = None) -> Checked:
    """Check the spans of a file.

    Args:
        parser: the parser.
        data: the content of the file.
        name: its path.
        parses: how many nodes are parsed again. Default: all.
    """
    outcome: ParseOutcome = parser.parse_bytes(data, name, dialect="ck3")
    root = decode_placed(outcome.ast_json or b"")
    check_order(root, len(data))
    if outcome.diagnostics or b'"encoding":"utf-8' not in (outcome.ast_json or b"")[:40]:
        return Checked(False, 0)
    end = data.find(b"\x1a")
    if end >= 0 and not is_in(root, end) and not is_in_comment(parser, data, end):
        data = data[:end]  # the rest is no part of the tree
    listed = parser.parse_bytes(data, name, dialect="ck3", comments=True).ast_json
    with_comments = decode_placed(listed)
    assert with_comments.children == root.children
    left = uncovered(data, with_comments)
    assert left[3 if data.startswith(b"\xef\xbb\xbf") else 0 :].strip(b" \t\r\n") == b"", left
    nodes = 0
    for start, stop, node in itertools.islice(nodes_of(root, decode_bare(listed)), parses):
        again = parser.parse_bytes(data[start:stop], "", dialect="ck3")
        assert decode_bare(again.ast_json).children == (node,), data[start:stop]
        nodes += 1
    return Checked(True, nodes)


def is_in(root: Placed, offset: int) -> bool:
    """Return whether an offset is inside a node."""
    return any(child.span[0] <= offset < child.span[1] for child in root.children or ())


def is_in_comment(parser: ModuleType, data: bytes, offset: int) -> bool:
    """Return whether an offset is inside a comment."""
    listed = parser.parse_bytes(data, "", dialect="ck3", comments=True).ast_json
    return any(start <= offset < end for start, end in decode_placed(listed).comments)


def check_order(root: Placed, length: int) -> None:
    """Check that each node is inside its parent, and after the sibling before it."""
    pending = [(root, 0, length)]
    while pending:
        node, at, end = pending.pop()
        for child in node.children or ():
            first, last = child.span
            assert at <= first < last <= end
            pending.append((child, first, last))
            at = last


def nodes_of(root: Placed, bare: Bare) -> Iterator[tuple[int, int, Bare]]:
    """Yield the start and the end of each node below the root, and the node."""
    pending = [(root, bare)]
    while pending:
        placed, node = pending.pop()
        for child, its_node in zip(placed.children or (), node.children, strict=True):
            yield (*child.span, its_node)
            if child.children:
                pending.append((child, its_node))


def uncovered(data: bytes, root: Placed) -> bytes:
    """Return the file with a space for each byte of a key, operator, value, brace or comment.

    The parts of a node must be in order, each within the node.
    """
    rest = bytearray(data)

    def take(start: int, end: int) -> None:
        assert start <= end
        rest[start:end] = b" " * (end - start)

    def take_signs(start: int, end: int) -> None:
        for match in OPERATOR.finditer(bytes(rest[start:end])):
            take(start + match.start(), start + match.end())

    for start, end in root.comments:
        take(start, end)
    pending = [root]
    while pending:
        node = pending.pop()
        at, end = node.span
        if node.type == "value":
            take(at, end)
            continue
        if node.word is not None:
            word = node.word.encode()
            assert data.startswith(word, at)
            take(at, at + len(word))
            at += len(word)
        for span in (node.key_span, node.value_span):
            if span:
                assert at <= span[0] < span[1] <= end
                take_signs(at, span[0])
                take(*span)
                at = span[1]
        if node.children is None:
            assert at == end
            continue
        if node is not root:
            brace = rest.index(b"{", at, end)
            take_signs(at, brace)
            if node.tag is not None:
                tag = node.tag.encode()
                place = rest.index(tag, at, brace)
                take(place, place + len(tag))
            take(brace, brace + 1)
            assert data[end - 1 : end] == b"}"
            take(end - 1, end)
        pending += node.children
    return bytes(rest)


class Tally:
    """How much was checked, which is printed at the end."""

    def __init__(self) -> None:
        self.inputs = self.sound = self.nodes = 0

    def add(self, checked: Checked) -> None:
        """Add an input."""
        self.inputs += 1
        self.sound += checked.sound
        self.nodes += checked.nodes

    def show(self, what: str, start: float) -> None:
        """Print what was checked since a time."""
        sys.stdout.write(
            f"{self.inputs:,} {what}, {self.sound:,} of them sound, {self.nodes:,} nodes parsed"
            f" again, in {time.monotonic() - start:.0f} s\n"
        )
        sys.stdout.flush()


def main() -> int:
    """Check, and return 1 at an input without a property, else 0."""
    options = argparse.ArgumentParser(description="Check the spans of dialect ck3.")
    options.add_argument("folders", nargs="*", type=Path, help="holds real script files")
    options.add_argument("--count", type=int, default=100_000, help="number of mutated snippets")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--parser", choices=["native", "python"], default="native")
    given = options.parse_args()
    name = "ck3parse.parser.native" if given.parser == "native" else "ck3parse.parser.reference"
    parser = importlib.import_module(name)

    def checked(tally: Tally, data: bytes, name: str) -> bool:
        try:
            tally.add(check(parser, data, name))
        except AssertionError as error:
            sys.stdout.write(f"{name}: {error}\n{data[:2000]!r}\n")
            return False
        return True

    start = time.monotonic()
    tally = Tally()
    for path in (path for folder in given.folders for path in sorted(folder.rglob("*.txt"))):
        if path.is_file() and not checked(tally, path.read_bytes(), path.as_posix()):
            return 1
    tally.show("files", start)
    start = time.monotonic()
    tally = Tally()
    inputs = Inputs(str(given.seed), real_lines([FIXTURES, *given.folders], given.seed), "ck3")
    for case in itertools.islice(inputs, given.count):
        source = case.source
        data = source if isinstance(source, bytes) else source.encode("utf-8", "replace")
        if not checked(tally, data, case.name):
            return 1
        if tally.inputs % REPORT_EVERY == 0:
            tally.show(f"inputs of seed {given.seed}", start)
    if tally.inputs % REPORT_EVERY:
        tally.show(f"inputs of seed {given.seed}", start)
    return 0


if __name__ == "__main__":
    sys.exit(main())
