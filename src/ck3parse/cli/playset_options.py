"""The options that name a playset."""

from pathlib import Path

import click

playset_option = click.option(
    "--playset",
    "playset_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read the mods after PATH... from the launcher's dlc_load.json, a playset that it"
    " exported, or a list of folders. `ck3parse playset` shows what is understood of it.",
)
mods_option = click.option(
    "--mods",
    metavar="FOLDER",
    multiple=True,
    help="Look here for the mods of an exported playset: a folder with *.mod files, or with a"
    " folder for each mod. May be repeated.  [default: the folder of the playset, and mod/ in it]",
)
