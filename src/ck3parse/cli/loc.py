"""`ck3parse loc`: the texts of a mod by language, and what translators need."""

import os
import sys
from pathlib import Path

import click

from ck3parse.cli import streams
from ck3parse.cli.help_format import HelpGroup
from ck3parse.config import read_settings
from ck3parse.errors import ExitCode
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.localization.translation import (
    Mod,
    add_texts,
    check_language,
    missing,
    read_mod,
    read_table,
    table_of,
    write_table,
)
from ck3parse.plurals import counted

_MOD = click.argument("mod", type=click.Path(exists=True, file_okay=False))
_LANGUAGE = click.option(
    "--language", metavar="LANGUAGE", required=True, help="The language to translate into: german."
)
_SOURCE = click.option(
    "--from",
    "source",
    metavar="NAME",
    default="english",
    show_default=True,
    help="The language that has the texts.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    name="loc",
    cls=HelpGroup,
    epilog="""\b
A translation takes three steps:
  ck3parse loc export ~/mods/my_mod --language german german.po
  (translate german.po, in Poedit or any other editor; or german.csv in a spreadsheet)
  ck3parse loc import ~/mods/my_mod german.po""",
)
def command() -> None:
    """Show which texts a mod has in which language, and export and import what is missing.

    Texts are the *.yml files under localization/ in the folder MOD. The name of a file says its
    language: salt_l_english.yml.
    """


@command.command(
    name="stats",
    epilog="""\b
Examples:
  ck3parse loc stats ~/mods/my_mod
  ck3parse loc stats ~/mods/my_mod --json

\b
Exit codes: 0 shown, 2 wrong usage, 4 the output cannot be written.""",
)
@_MOD
@_JSON
def stats(mod: str, as_json: bool) -> None:
    """Show a table of the languages of MOD.

    `texts` are the keys that have a text in the language, `missing` those that another language
    has, and `repeated` definitions of a key beyond the one that the game uses.
    """
    found = _read(mod)
    keys = set(found.texts.all_keys())
    table = [
        {
            "language": name,
            "files": sum(file.language == name for file, _ in found.files),
            "texts": len(found.texts.used[name]),
            "missing": len(keys.difference(found.texts.used[name])),
            "repeated": sum(lost.file.language == name for lost, _ in found.texts.unused),
        }
        for name in found.texts.languages
    ]
    if as_json:
        streams.write_json(table)
        return
    streams.write(f"{'language':16}{'files':>8}{'texts':>10}{'missing':>10}{'repeated':>10}")
    for row in table:
        streams.write(
            f"{printable(str(row['language'])):16}{row['files']:>8,}{row['texts']:>10,}"
            f"{row['missing']:>10,}{row['repeated']:>10,}"
        )


@command.command(
    name="missing",
    epilog="""\b
Examples:
  ck3parse loc missing ~/mods/my_mod --language german
  ck3parse loc missing ~/mods/my_mod --language polish --from german --json

\b
Exit codes: 0 nothing is missing, 1 something is, 2 wrong usage, 4 the output cannot be
written.""",
)
@_MOD
@_LANGUAGE
@_SOURCE
@_JSON
def missing_texts(mod: str, language: str, source: str, as_json: bool) -> None:
    """List the texts of MOD that a language lacks: the file and line, the key, and the text."""
    found = _read(mod)
    check_language(language, found)
    check_language(source, found)
    lacking = missing(found, language, source)
    if as_json:
        streams.write_json(
            [
                {"key": e.key, "text": e.text, "file": file.relpath, "line": e.line}
                for file, e in lacking
            ]
        )
    else:
        for file, entry in lacking:
            place = f"{file.relpath}:{entry.line}"
            streams.write(f"{printable(place)}: {printable(entry.key)} {printable(entry.text)}")
        streams.note(f"{counted(len(lacking), 'text is', 'texts are')} missing in {language}")
    sys.exit(ExitCode.SOME_FAILED if lacking else ExitCode.OK)


@command.command(
    name="export",
    epilog="""\b
Examples:
  ck3parse loc export ~/mods/my_mod --language german german.po
  ck3parse loc export ~/mods/my_mod --language german german.csv

\b
Exit codes: 0 written, 2 wrong usage, 4 FILE cannot be written.""",
)
@_MOD
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_LANGUAGE
@_SOURCE
def export_texts(mod: str, file: Path, language: str, source: str) -> None:
    r"""Write the texts of MOD that a language lacks to FILE, for translators.

    FILE ends in .csv, for spreadsheets, or in .po, for editors of translations. Texts stand in it
    as in the mod, with \n for a line end; leave [...], $...$, #... and @...! as they are.
    """
    found = _read(mod)
    check_language(language, found)
    check_language(source, found)
    table = table_of(found, language, source)
    write_table(table, file)
    streams.note(f"{counted(len(table.rows), 'text')} to translate into {language}: see {file}")


@command.command(
    name="import",
    epilog="""\b
Examples:
  ck3parse loc import ~/mods/my_mod german.po

\b
Exit codes: 0 done, 2 wrong usage or FILE is no such table, 4 a file cannot be written.""",
)
@_MOD
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_texts(mod: str, file: Path) -> None:
    """Add the translations in FILE, which `loc export` wrote, to MOD.

    A text from english/salt_l_english.yml goes to the end of german/salt_l_german.yml, which is
    made with its byte order mark if need be. Rows without a translation are left out, and texts
    that the language has already stay as they are.
    """
    found = _read(mod)
    table = read_table(file)
    check_language(table.language, found)
    added, already = add_texts(found, table)
    for target, count in sorted(added.items()):
        streams.write(f"{printable(target)}: {counted(count, 'text')} added")
    without = sum(not row.text for row in table.rows)
    streams.note(
        f"{counted(sum(added.values()), 'text')} added, {already:,} there already,"
        f" {without:,} not translated"
    )


def _read(folder: str) -> Mod:
    found = read_mod(folder, max_bytes=read_settings().max_file_bytes)
    for path, reason in found.unreadable:
        streams.say(f"ck3parse: {printable(path)} is left out: {reason}")
    if not found.files:
        where = printable(relative_path(os.path.join(folder, "localization", "")))
        streams.say(f"ck3parse: warning: no localization files under {where}")
    return found
