"""`ck3parse playset`: shows what is understood of a playset."""

from collections.abc import Sequence
from pathlib import Path

import click

from ck3parse.cli import streams
from ck3parse.cli.playset_options import mods_option
from ck3parse.errors import ExitCode
from ck3parse.index.playset import Playset, read_playset


@click.command(
    name="playset",
    epilog="""\b
Examples:
  ck3parse playset dlc_load.json
  ck3parse playset exported.json --mods workshop/content/1158310
  ck3parse playset folders.txt --json

\b
Exit codes: 0 all of it is there, 1 a mod is missing, 2 wrong usage, or nothing of it is
there, 4 the output cannot be written, 141 the program that reads the output is gone.""",
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@mods_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, mods: Sequence[str], as_json: bool) -> None:
    """Show what is understood of a playset: its mods in load order, and what is wrong with it.

    FILE is the launcher's dlc_load.json, a playset that it exported, or a text file with a folder
    in each line, where # starts a comment. `ck3parse run --playset FILE` parses it.
    """
    playset = read_playset(file, mods=mods)
    if as_json:
        streams.write_json(playset)
    else:
        for line in _lines(playset):
            streams.write(line)
    raise SystemExit(ExitCode.SOME_FAILED if playset.missing else ExitCode.OK)


def _lines(playset: Playset) -> list[str]:
    lines = []
    for number, source in enumerate(playset.sources, 1):
        lines.append(f"{number:3}  {source.name}")
        lines.append(f"     {source.kind} in {source.path}")
        if source.replace_paths:
            lines.append(f"     replaces {', '.join(source.replace_paths)}")
        if source.dependencies:
            lines.append(f"     needs {', '.join(source.dependencies)}")
    lines += [f"missing: {each.name} {each.reason}" for each in playset.missing]
    lines += [f"warning: {each}" for each in playset.warnings]
    return lines
