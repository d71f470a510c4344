"""What recovery reports about files with one planted error, and how much of them it keeps.

    python benchmarks/recovery.py FOLDER [--count N] [--seed S] [--parser native|python]

Diagnostics are those of `check`: the parser's errors, and missing operators (W007).

In each script file under FOLDER that parses and has at least ten lines, one character is removed or
doubled. For each dialect and kind of damage it prints in how many files something is reported (a
damaged file may still parse, with another meaning), in how many of these a diagnostic is within one
line of the damage, the median number of diagnostics, and how many of the top-level elements outside
the damage are unchanged in the tree.
"""

import argparse
import importlib
import json
import random
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from ck3parse.lint.file_check import find_all
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.rule import Source
from ck3parse.messages import Diagnostic, DialectName
from ck3parse.parser import ParseOutcome

MIN_LINES = 10
DIALECTS = get_args(DialectName)
SPANS = ("span", "key_span", "value_span")
TOKEN = re.compile(r"\#[^\n]*|\"(?:[^\"\\]|\\.)*\"|[{}=]", re.DOTALL)


class Spot(NamedTuple):
    """A character that can be damaged: its offset and the character."""

    offset: int
    character: str
    ends_block: bool = False
    """Whether it is a closing brace on its own line, after content that is indented deeper."""


class Damage(NamedTuple):
    """A kind of damage: which characters it applies to, and what replaces them."""

    name: str
    fits: Callable[[Spot], bool]
    becomes: Callable[[str], str]


DAMAGES = (
    Damage("} removed at the end of an indented block", lambda s: s.ends_block, lambda _: ""),
    Damage("any } removed", lambda s: s.character == "}", lambda _: ""),
    Damage("{ removed", lambda s: s.character == "{", lambda _: ""),
    Damage("quote removed", lambda s: s.character == '"', lambda _: ""),
    Damage("= removed", lambda s: s.character == "=", lambda _: ""),
    Damage("{ doubled", lambda s: s.character == "{", lambda c: c * 2),
    Damage("} doubled", lambda s: s.character == "}", lambda c: c * 2),
)


class Tally:
    """The results for one kind of damage."""

    def __init__(self) -> None:
        self.files = self.wrong = self.pointed = 0
        self.diagnostics: list[int] = []
        self.untouched = self.kept = 0


def spots_of(text: str) -> list[Spot]:
    """Return the characters of a valid text that can be damaged."""
    spots = []
    indents: list[int] = []
    for match in TOKEN.finditer(text):
        mark = match[0]
        if mark[0] == "#":
            continue
        if mark[0] == '"':
            spots += [Spot(match.start(), '"'), Spot(match.end() - 1, '"')]
            continue
        start = text.rfind("\n", 0, match.start()) + 1
        line = text[start : match.start()]
        indent = len(line) - len(line.lstrip(" \t"))
        ends_block = False
        if mark == "{":
            indents.append(indent)
        elif mark == "}" and indents:
            above = text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : max(start - 1, 0)]
            deeper = len(above) - len(above.lstrip(" \t")) > indent
            ends_block = not line.strip(" \t") and indents.pop() == indent and deeper
        spots.append(Spot(match.start(), mark, ends_block))
    return spots


def children_of(ast_json: bytes) -> Iterator[Any]:
    """Yield the top-level elements without spans, which change behind a damaged place."""
    for child in json.loads(ast_json)["children"]:
        pending = [child]
        while pending:
            node = pending.pop()
            for span in SPANS:
                node.pop(span, None)
            pending += node.get("children", [])
        yield child


def ranges_of(ast_json: bytes, last_line: int) -> list[tuple[int, int, Any]]:
    """Return each top-level element with its range of lines."""
    children = list(children_of(ast_json))
    starts = [child["line"] for child in children] + [last_line + 1]
    return [
        (first, max(first, after - 1), child)
        for child, first, after in zip(children, starts, starts[1:], strict=False)
    ]


def look(
    tally: Tally,
    damaged: ParseOutcome,
    said: Sequence[Diagnostic],
    damage_line: int,
    sound: Sequence[tuple[int, int, Any]],
) -> None:
    """Count what is reported about a damaged file."""
    tally.files += 1
    if said:
        tally.wrong += 1
        tally.diagnostics.append(len(said))
        tally.pointed += any(abs(diagnostic.line - damage_line) <= 1 for diagnostic in said)
    assert damaged.ast_json is not None
    kept = {json.dumps(child) for child in children_of(damaged.ast_json)}
    untouched = [child for first, last, child in sound if not first <= damage_line <= last]
    tally.untouched += len(untouched)
    tally.kept += sum(json.dumps(child) in kept for child in untouched)


def main() -> int:
    """Plant errors, and print a table."""
    options = argparse.ArgumentParser(description="Measure recovery from planted errors.")
    options.add_argument("folder", type=Path, help="folder with real script files")
    options.add_argument("--count", type=int, default=5000, help="number of damaged files")
    options.add_argument("--seed", type=int, default=8)
    options.add_argument("--parser", choices=["native", "python"], default="python")
    options.add_argument("--missed", type=int, default=0, help="how many to name where none points")
    given = options.parse_args()

    module = importlib.import_module(
        "ck3parse.parser.native" if given.parser == "native" else "ck3parse.parser.reference"
    )
    choose = random.Random(given.seed)
    paths = sorted(path for path in given.folder.rglob("*.txt") if path.is_file())
    tallies = {(dialect, damage.name): Tally() for dialect in DIALECTS for damage in DAMAGES}
    missed = 0
    planted = 0
    while planted < given.count:
        damage = DAMAGES[planted % len(DAMAGES)]
        path = choose.choice(paths)
        text = path.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n")
        if text.count("\n") < MIN_LINES:
            continue
        outcomes = [(each, module.parse_text(text, "", dialect=each)) for each in DIALECTS]
        if not all(outcome.success for _, outcome in outcomes):
            continue
        spots = [spot for spot in spots_of(text) if damage.fits(spot)]
        if not spots:
            continue
        at, character, _ = choose.choice(spots)
        broken = text[:at] + damage.becomes(character) + text[at + 1 :]
        line = text.count("\n", 0, at) + 1
        for dialect, outcome in outcomes:
            recovered = module.parse_text(broken, "", mode="recover", dialect=dialect)
            missing_operators = find_all([RULES["CK3-W007"]], Source(broken.encode(), recovered))
            said = [*recovered.diagnostics, *missing_operators]
            tally = tallies[dialect, damage.name]
            before = tally.wrong - tally.pointed
            look(tally, recovered, said, line, ranges_of(outcome.ast_json, text.count("\n") + 1))
            if tally.wrong - tally.pointed > before and missed < given.missed:
                missed += 1
                words = [f"{d.line}:{d.column} {d.message}" for d in said[:3]]
                where = f"{path.relative_to(given.folder)}:{line} {dialect}"
                print(f"{where} {damage.name}: {words}")
        planted += 1
    print("| dialect | damage | files | something said | of these pointed at | median | kept |")
    print("|---|---|---|---|---|---|---|")
    for (dialect, name), tally in tallies.items():
        print(
            f"| {dialect} | {name} | {tally.files:,} | {tally.wrong / tally.files:.1%}"
            f" | {tally.pointed / max(tally.wrong, 1):.1%}"
            f" | {statistics.median(tally.diagnostics or [0]):g}"
            f" | {tally.kept / max(tally.untouched, 1):.2%} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
