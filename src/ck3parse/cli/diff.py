"""`ck3parse diff`: compares two definitions of a name by their syntax trees."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.cells import set_cell_size

from ck3parse.cli import streams
from ck3parse.cli.diff_texts import Pair, pairs_of, show
from ck3parse.cli.index_options import Asked, playset_options
from ck3parse.errors import ExitCode, UsageError
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.index.answers import TEXT_KIND, Definition
from ck3parse.index.file_text import text_of
from ck3parse.index.index import Index
from ck3parse.index.tree_diff import Change, Difference, Row, Side, compare, rows
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.plurals import counted
from ck3parse.tree import TreeError

_MARKS: dict[Change, str] = {
    "equal": " ",
    "changed": "|",
    "removed": "<",
    "added": ">",
    "moved": "~",
}
_COLOURS = {"changed": "yellow", "removed": "red", "added": "green", "moved": "cyan"}
_LEAST_WIDTH, _PIPE_WIDTH = 60, 160


@click.command(
    name="diff",
    epilog="""\b
Examples:
  ck3parse diff brave                          what the winner changed
  ck3parse diff brave --mod 'Other mod'        Other mod's definition, and the winner's
  ck3parse diff brave --mod A --mod B          the definitions of two mods
  ck3parse diff brave --kind trait --context 0
  ck3parse diff trait_brave                    the texts of a key, in every language
  ck3parse diff brave --json | jq '.changes[].path'

\b
Between the sides: `|` another value, `<` only on the left, `>` only on the right, `~` the
same elsewhere in its block. Comments, blanks and order of files do not count.

\b
Exit codes: 0 both are equal, 1 they differ, 2 wrong usage or nothing to compare, 3 no broker
or worker, 4 the output cannot be written, 130 interrupted, 141 the program that reads the
output is gone.""",
)
@click.argument("name")
@playset_options
@click.option("--kind", metavar="KIND", help="The kind of the name, if it has several.")
@click.option(
    "--mod",
    "sides",
    metavar="MOD",
    multiple=True,
    help="Compare the definition of this mod. Given twice: the first is on the left.  [default:"
    " the winner, on the right, and the definition before it]",
)
@click.option(
    "--context",
    metavar="N",
    type=click.IntRange(0, 1_000_000),
    default=3,
    show_default=True,
    help="How many equal lines to show around a change.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def command(
    name: str,
    kind: str | None,
    sides: Sequence[str],
    context: int,
    as_json: bool,
    asked: Asked,
) -> None:
    """Compare two definitions of NAME side by side, by their syntax trees.

    If NAME is a key of localization, compare two texts of each language.
    """
    if len(sides) > 2:
        raise click.UsageError("--mod can be given twice: two definitions are compared")
    with asked.opened() as index:
        texts_of_key = index.texts(name) if kind in (None, TEXT_KIND) else []
        if texts_of_key and (kind == TEXT_KIND or not index.definitions(name)):
            _compare_texts(name, pairs_of(texts_of_key, sides), asked, as_json=as_json)
            return
        left, right = _chosen(name, kind, sides, index)
    texts = [_text(each, asked.max_file_bytes) for each in (left, right)]
    try:
        difference = compare(*texts, left_line=left.line, right_line=right.line)
    except TreeError as error:
        raise UsageError(str(error)) from error
    if as_json:
        asked.write_json(_as_builtins(left, right, difference))
    else:
        _show(left, right, rows(difference, context=context))
        count = sum(1 for _ in difference.changes())
        streams.note("they are equal" if not count else counted(count, "change"))
    if difference.change != "equal":
        sys.exit(ExitCode.SOME_FAILED)


def _compare_texts(name: str, pairs: Sequence[Pair], asked: Asked, *, as_json: bool) -> None:
    different = sum(not each.equal for each in pairs)
    if as_json:
        told = [
            {"language": each.right.language, "equal": each.equal, **each._asdict()}
            for each in pairs
        ]
        asked.write_json({"key": name, "equal": not different, "texts": told})
    else:
        show(pairs)
        languages = counted(len(pairs), "language")
        streams.note(f"differences in {different:,} of {languages}")
    if different:
        sys.exit(ExitCode.SOME_FAILED)


def _chosen(
    name: str, kind: str | None, mods: Sequence[str], index: Index
) -> tuple[Definition, Definition]:
    found = index.definitions(name, kind)
    if not found:
        similar = index.similar(name)
        hint = f": did you mean {', '.join(similar)}?" if similar else ""
        raise UsageError(printable(f"nothing defines {name!r} in this playset{hint}"))
    kinds = sorted({each.kind for each in found})
    several = [each for each in kinds if sum(one.kind == each for one in found) > 1]
    if len(kinds) > 1 and len(several) != 1:
        raise UsageError(
            printable(f"{name!r} has several kinds: give --kind {' or '.join(several or kinds)}")
        )
    if len(kinds) > 1:
        found = [each for each in found if each.kind == several[0]]
    # The order of loading: what the game does not read was replaced by what it reads.
    ordered = [each for each in found if not each.in_effect]
    ordered += [each for each in found if each.in_effect]
    right = next((each for each in reversed(ordered) if each.wins), ordered[-1])
    if len(mods) == 2:
        return _of(mods[0], ordered), _of(mods[1], ordered)
    if mods:
        return _of(mods[0], [each for each in ordered if each is not right] or ordered), right
    others = [each for each in ordered if each is not right]
    if not others:
        place = printable(f"{relative_path(right.path)}:{right.line}")
        raise UsageError(f"{name} is defined once, at {place}: there is nothing to compare")
    # The one before the winner, or if the first wins the one after it.
    at = ordered.index(right)
    return ordered[at - 1] if at else ordered[1], right


def _of(mod: str, found: Sequence[Definition]) -> Definition:
    """Return the definition of a mod; of several, the last one."""
    for each in reversed(found):
        if each.source.casefold() == mod.casefold():
            return each
    names = ", ".join(sorted({repr(each.source) for each in found}))
    raise UsageError(printable(f"the mod {mod!r} does not define {found[0].name}: {names} do"))


def _text(definition: Definition, max_bytes: int) -> str:
    try:
        data = read_script(definition.path, max_bytes=max_bytes)
    except CannotReadError as error:
        raise UsageError(printable(f"{definition.path}: {error.message}")) from error
    return text_of(data, definition.start, definition.end)


def _as_builtins(left: Definition, right: Definition, difference: Difference) -> dict[str, Any]:
    def side(of: Side | None) -> dict[str, Any] | None:
        return {"line": of.line, "text": of.inline or of.head} if of else None

    return {
        "left": left,
        "right": right,
        "equal": difference.change == "equal",
        "changes": [
            {
                "change": each.change,
                "path": each.path,
                "left": side(each.left),
                "right": side(each.right),
            }
            for each in difference.changes()
        ],
    }


def _show(left: Definition, right: Definition, found: Sequence[Row]) -> None:
    width = _PIPE_WIDTH
    if sys.stdout.isatty():
        width = max(_LEAST_WIDTH, shutil.get_terminal_size().columns)
    numbers = max(len(str(row.left_line or row.right_line or "")) for row in found)
    half = (width - 2 * numbers - 7) // 2

    def cell(line: int | None, text: str) -> str:
        shown = printable(text)
        sized = set_cell_size(shown, half)
        if sized.rstrip() != shown.rstrip():
            sized = set_cell_size(shown, half - 1) + "…"
        return f"{line or '':>{numbers}} {sized}"

    heads = [f"{each.source}: {relative_path(each.path)}" for each in (left, right)]
    streams.write(streams.bold(f"{cell(None, heads[0])}   {cell(None, heads[1])}".rstrip()))
    for row in found:
        sides = cell(row.left_line, row.left), cell(row.right_line, row.right)
        line = f"{sides[0]} {_MARKS[row.change]} {sides[1]}".rstrip()
        colour = _COLOURS.get(row.change)
        streams.write(streams.coloured(line, colour) if colour else line)
