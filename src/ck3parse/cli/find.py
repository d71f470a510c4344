"""`ck3parse find`: shows where a name is defined, and which definition the game uses."""

import sys
from collections.abc import Sequence
from itertools import groupby

import click

from ck3parse.cli import streams
from ck3parse.cli.index_options import Asked, playset_options
from ck3parse.errors import ExitCode
from ck3parse.index.answers import OUTCOMES, TEXT_KIND, Definition, Text
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
  ck3parse find trait_brave               the texts of a key, in every language
  ck3parse find 'trait_*' --language german           texts in one language
  ck3parse find brave --json | jq '.definitions[] | select(.wins).path'

\b
`*` before a place marks the definition or text that the game uses.

\b
Exit codes: 0 found, 1 not found, 2 wrong usage, 3 no broker or worker, 4 the output cannot
be written, 130 interrupted, 141 the program that reads the output is gone.""",
)
@click.argument("name")
@playset_options
@click.option(
    "--kind",
    metavar="KIND",
    help="Only definitions of this kind, such as trait; localization: only texts.",
)
@click.option("--language", metavar="LANGUAGE", help="Only texts in this language, such as german.")
@click.option("--json", "as_json", is_flag=True, help="Print definitions and texts as JSON.")
def command(name: str, kind: str | None, language: str | None, as_json: bool, asked: Asked) -> None:
    """Show where NAME is defined, and which definition the game uses.

    If it is a key of localization, its texts in every language, too. NAME may be a pattern: *
    stands for any text, ? for a character, [ab] for one of some. Keys match a pattern with
    --kind localization or --language only.
    """
    if language and kind not in (None, TEXT_KIND):
        raise click.UsageError("--language is about texts: leave out --kind")
    kind = TEXT_KIND if language else kind
    with asked.opened() as index:
        names = [name]
        is_pattern = bool(_PATTERN.intersection(name))
        if is_pattern:
            names = index.names(name, kind)
        definitions = [each for found in names for each in index.definitions(found, kind)]
        texts: list[Text] = []
        if kind == TEXT_KIND or (kind is None and not is_pattern):
            texts = [each for found in names for each in index.texts(found, language)]
        similar = [] if definitions or texts else index.similar(name)
        if as_json:
            asked.write_json(
                {"name": name, "definitions": definitions, "texts": texts, "similar": similar}
            )
        else:
            _show(definitions)
            _show_texts(texts)
            if len(names) == MANY_NAMES:
                streams.note(f"these are the first {MANY_NAMES:,} names; --kind shows fewer")
        if not definitions and not texts:
            streams.say(_not_found(name, kind, similar, index))
            sys.exit(ExitCode.SOME_FAILED)


def _not_found(name: str, kind: str | None, similar: Sequence[str], index: Index) -> str:
    if kind:
        texts = index.texts(name)
        if kind == TEXT_KIND and texts:
            languages = dict.fromkeys(each.language for each in texts)
            return printable(f"{name!r} has a text in {', '.join(languages)} only")
        other = sorted({each.kind for each in index.definitions(name)})
        other += [TEXT_KIND] if texts else []
        if other:
            return printable(f"{name!r} is no {kind}, but {' and '.join(other)}")
    elif _PATTERN.intersection(name) and index.names(name, TEXT_KIND, limit=1):
        return printable(f"no name matches {name!r}, but keys do: see --kind {TEXT_KIND}")
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


def _show_texts(texts: Sequence[Text]) -> None:
    for key, group in groupby(texts, lambda each: each.key):
        of_key = list(group)
        live = [each for each in of_key if each.in_effect]
        several = len(live) > len({each.language for each in live})
        how = OUTCOMES["replace" if any(each.in_replace for each in live) else "first"]
        rule = f": {how} (rule {TEXT_KIND}, certainty high)" if several else ""
        streams.write(f"{streams.bold(printable(key))} ({TEXT_KIND}){rule}")
        places = [printable(f"{relative_path(each.path)}:{each.line}") for each in of_key]
        columns = [max(map(len, places)), max(len(each.language) for each in of_key)]
        for each, place in zip(of_key, places, strict=True):
            note = "" if each.in_effect else "  (not read: its file is replaced)"
            language = printable(each.language) or "-"
            line = (
                f"  {'*' if each.wins else ' '} {language:{columns[1]}}  {place:{columns[0]}}"
                f'  {printable(each.source)}: "{printable(each.text)}"{note}'
            )
            streams.write(line if each.wins else streams.dim(line))


def _decision(group: Sequence[Definition]) -> str:
    """Return how the winner of several definitions was found."""
    if sum(each.in_effect for each in group) < 2:
        return ""
    first = group[0]
    return f": {OUTCOMES[first.how]} (rule {first.rule}, certainty {first.certainty})"
