"""`ck3parse find`: shows where a name is defined, and which definition the game uses."""

import sys
from collections.abc import Sequence

import click

from ck3parse.cli import streams
from ck3parse.cli.index_options import Asked, playset_options
from ck3parse.errors import ExitCode
from ck3parse.index.answers import OUTCOMES, Definition
from ck3parse.index.index import MANY_NAMES, Index
from ck3parse.lint.excerpt import printable, relative_path

_PATTERN = frozenset("*?[")


@click.command(
    name="find",
    epilog="""\b
Examples:
  ck3parse find brave                     in the playset of the last run
  ck3parse find brave game/ mods/*        bring the index of these up to date first
  ck3parse find 'brave*' --kind trait     all traits whose names start so
  ck3parse find 'NGame|START_DATE'        a define
  ck3parse find brave --json | jq -r '.definitions[] | select(.wins) | .path'

\b
`*` before a place marks the definition that the game uses.

\b
Exit codes: 0 found, 1 not found, 2 wrong usage, 3 no broker or worker, 4 the output cannot
be written, 130 interrupted, 141 the program that reads the output is gone.""",
)
@click.argument("name")
@playset_options
@click.option("--kind", metavar="KIND", help="Only definitions of this kind, such as trait.")
@click.option("--json", "as_json", is_flag=True, help="Print the definitions as JSON.")
def command(name: str, kind: str | None, as_json: bool, asked: Asked) -> None:
    """Show where NAME is defined, and which definition the game uses.

    NAME may be a pattern: * stands for any text, ? for a character, [ab] for one of some.
    """
    with asked.opened() as index:
        names = [name]
        if _PATTERN.intersection(name):
            names = index.names(name, kind)
        definitions = [each for found in names for each in index.definitions(found, kind)]
        similar = [] if definitions else index.similar(name)
        if as_json:
            streams.write_json({"name": name, "definitions": definitions, "similar": similar})
        else:
            _show(definitions)
            if len(names) == MANY_NAMES:
                streams.note(f"these are the first {MANY_NAMES:,} names; --kind shows fewer")
        if not definitions:
            streams.say(_not_found(name, kind, similar, index))
            sys.exit(ExitCode.SOME_FAILED)


def _not_found(name: str, kind: str | None, similar: Sequence[str], index: Index) -> str:
    other = sorted({each.kind for each in index.definitions(name)}) if kind else []
    if other:
        return printable(f"{name!r} is no {kind}, but {' and '.join(other)}")
    what = "no name matches" if _PATTERN.intersection(name) else "nothing defines"
    hint = f": did you mean {', '.join(similar)}?" if similar else ""
    return printable(f"{what} {name!r} in this playset{hint}")


def _show(definitions: Sequence[Definition]) -> None:
    groups: dict[tuple[str, str], list[Definition]] = {}
    for each in definitions:
        groups.setdefault((each.name, each.kind), []).append(each)
    for (name, kind), group in groups.items():
        streams.write(f"{streams.bold(printable(name))} ({kind}){_decision(group)}")
        places = [printable(f"{relative_path(each.path)}:{each.line}") for each in group]
        width = max(map(len, places))
        for each, place in zip(group, places, strict=True):
            note = "" if each.in_effect else "  (not read: its file is replaced)"
            line = f"  {'*' if each.wins else ' '} {place:{width}}  {printable(each.source)}{note}"
            streams.write(line if each.wins else streams.dim(line))


def _decision(group: Sequence[Definition]) -> str:
    """Return how the winner of several definitions was found."""
    if sum(each.in_effect for each in group) < 2:
        return ""
    first = group[0]
    return f": {OUTCOMES[first.how]} (rule {first.rule}, certainty {first.certainty})"
