"""`ck3parse uses`: shows every place where a name stands."""

import sys

import click

from ck3parse.cli import streams
from ck3parse.cli.index_options import Asked, playset_options
from ck3parse.errors import ExitCode
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.plurals import counted


@click.command(
    name="uses",
    epilog="""\b
Examples:
  ck3parse uses brave                     in the playset of the last run
  ck3parse uses my_effect game/ mods/*    bring the index of these up to date first
  ck3parse uses brave --no-definitions | cut -d: -f1 | sort -u     the files that use it

\b
The places are read again from the files: a key (my_effect = yes), a value (has_trait =
brave), or a part of a longer word (culture:norse); in localization files a key, or its name
in another text ($brave$). Each is `file:line:column: text`.

\b
Exit codes: 0 found, 1 not found, 2 wrong usage, 3 no broker or worker, 4 the output cannot
be written, 130 interrupted, 141 the program that reads the output is gone.""",
)
@click.argument("name")
@playset_options
@click.option("--no-definitions", is_flag=True, help="Leave out where the name is defined.")
@click.option("--json", "as_json", is_flag=True, help="Print the places as JSON.")
def command(name: str, no_definitions: bool, as_json: bool, asked: Asked) -> None:
    """Show every place of the playset's files where NAME stands, as a key, a value or a part."""
    with asked.opened() as index:
        found = index.uses(name, max_bytes=asked.max_file_bytes)
        if no_definitions:
            found = [each for each in found if not each.definition]
        if as_json:
            asked.write_json({"name": name, "uses": found})
        for each in () if as_json else found:
            place = f"{relative_path(each.path)}:{each.line}:{each.column}"
            mark = streams.dim("  [definition]") if each.definition else ""
            streams.write(f"{streams.dim(printable(place) + ':')} {printable(each.text)}{mark}")
        if not found:
            similar = index.similar(name)
            hint = f": did you mean {', '.join(similar)}?" if similar else ""
            streams.say(printable(f"nothing uses {name!r} in this playset{hint}"))
            sys.exit(ExitCode.SOME_FAILED)
    files = len({each.path for each in found})
    streams.note(f"{counted(len(found), 'place')} in {counted(files, 'file')}")
