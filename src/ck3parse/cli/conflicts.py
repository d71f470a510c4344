"""`ck3parse conflicts`: shows what the mods of a playset define twice, and who wins."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from ck3parse.cli import streams
from ck3parse.cli.index_options import Asked, playset_options
from ck3parse.cli.output_format import chosen_format
from ck3parse.errors import ExitCode, OutputError
from ck3parse.extractors import ck3
from ck3parse.index.answers import OUTCOMES, TEXT_KIND, Conflict, Place, Wins
from ck3parse.index.index import Index
from ck3parse.lint.excerpt import printable, relative_path
from ck3parse.lint.sarif import sarif_location, sarif_log
from ck3parse.plurals import counted

_COUNTED: dict[Wins, str] = {
    "last": "overridden",
    "first": "kept from the first",
    "priority": "decided by priority",
    "merge": "merged",
    "error": "an error",
    "file": "not overridden",
    "replaced": "replaced as whole files",
    "replace": "replaced by a text in replace/",
}


_MOST_LANGUAGES = 3
"""Languages that are named at a key. For one more, its name takes no more place than its count."""


@click.command(
    name="conflicts",
    epilog="""\b
Examples:
  ck3parse conflicts game/ mods/*                 what these mods, in this order, define twice
  ck3parse conflicts --playset dlc_load.json      the launcher's playset
  ck3parse conflicts --mod 'My mod' --kind trait  of the playset of the last run
  ck3parse conflicts --html conflicts.html        a page to search
  ck3parse conflicts --log 'logs/database_conflicts.log'   compare with the game

\b
Definitions with equal contents are only counted, and lists that the game merges are not
shown: --all shows both, and what the game's own files define twice.

\b
Exit codes: 0 no conflict, or none that differs from the game's log, 1 some, 2 wrong usage,
3 no broker or worker, 4 the output cannot be written, 130 interrupted, 141 the program that
reads the output is gone.""",
)
@playset_options
@click.option("--mod", metavar="MOD", help="Only conflicts of this mod, by its name.")
@click.option(
    "--kind",
    metavar="KIND",
    help="Only this kind, such as trait; file: whole files; localization: texts.",
)
@click.option("--all", "everything", is_flag=True, help="Also equal and merging definitions.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "sarif"]),
    help="Output format.  [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--sarif", "as_sarif", is_flag=True, help="The same as --format sarif (2.1.0).")
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the conflicts as a page that can be searched, which needs no network.",
)
@click.option(
    "--log",
    "log_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Compare the winners with database_conflicts.log, which the game wrote.",
)
def command(
    mod: str | None,
    kind: str | None,
    everything: bool,
    output: str | None,
    as_json: bool,
    as_sarif: bool,
    html_file: Path | None,
    log_file: Path | None,
    asked: Asked,
) -> None:
    """Show what the mods of a playset define twice, who wins, and by which rule."""
    output = chosen_format(output, json=as_json, sarif=as_sarif)
    if log_file and output == "sarif":
        raise click.UsageError("--sarif and --log: give one, or --log with --json")
    if log_file:
        if mod or kind or everything or html_file:
            raise click.UsageError("--log compares all winners: leave out the other options")
        with asked.opened() as index:
            _compare_with_log(index, log_file, asked, as_json=output == "json")
        return
    index, found = asked.answered(lambda index: index.conflicts(mod, kind, all=everything))
    with index:
        shown = [each for each in found if everything or not each.equal]
        equal = sum(each.equal for each in found)
        if html_file:
            _write_html(html_file, found, index)
        if output == "json":
            asked.write_json({"conflicts": shown, "equal": equal})
        elif output == "sarif":
            streams.write_bytes(streams.ascii_json(_sarif(shown)))
        elif not html_file:
            _show(shown)
    streams.note(_summary(shown, 0 if everything else equal))
    if html_file:
        streams.note(f"written to {html_file}")
    if shown:
        sys.exit(ExitCode.SOME_FAILED)


def _show(conflicts: Sequence[Conflict]) -> None:
    for (winner, loser), pair in groupby(conflicts, lambda c: (c.winner.source, c.loser.source)):
        of_pair = list(pair)
        head = f"twice in {winner}" if winner == loser else f"{winner} over {loser}"
        streams.write(f"{streams.bold(printable(head))} ({len(of_pair):,})")
        for _, group in groupby(sorted(of_pair, key=_rule), _rule):
            of_rule = list(group)
            first = of_rule[0]
            certainty = f"rule {first.rule}, certainty {first.certainty}"
            streams.write(f"  {first.kind}: {OUTCOMES[first.how]} ({certainty})")
            width = min(40, max(len(each.name) for each in of_rule))
            for each in of_rule:
                between = "over" if each.decided else "and"
                places = f"  {_place(each.winner)} {between} {_place(each.loser)}"
                name = printable(each.name)
                line = f"    {name}" if each.kind == "file" else f"    {name:{width}}"
                line += "" if each.kind == "file" else streams.dim(printable(places))
                line += f"  ({_languages(each)})" if each.languages else ""
                streams.write(line + ("  (equal)" if each.equal else ""))
        streams.write("")


def _languages(conflict: Conflict) -> str:
    names = [name or "no language" for name in conflict.languages]
    most = names[:_MOST_LANGUAGES] if len(names) > _MOST_LANGUAGES + 1 else names
    more = len(names) - len(most)
    return printable(", ".join(most)) + (f" and {more} more" if more else "")


def _rule(conflict: Conflict) -> tuple[str, str, str]:
    return conflict.kind, conflict.rule, conflict.how if conflict.languages else ""


def _place(place: Place) -> str:
    return f"{place.file}:{place.line}"


def _summary(shown: Sequence[Conflict], equal_left_out: int) -> str:
    more = f"; {equal_left_out:,} with equal contents (--all shows them)" if equal_left_out else ""
    if not shown:
        return f"no conflicts{more}"
    # Two that have the same priority, or none, are an error.
    hows: Counter[Wins] = Counter(
        "error" if each.how == "priority" and not each.decided else each.how for each in shown
    )
    parts = ", ".join(f"{count:,} {_COUNTED[how]}" for how, count in hows.most_common())
    return f"{counted(len(shown), 'conflict')}: {parts}{more}"


def _sarif(conflicts: Sequence[Conflict]) -> str:
    rules: dict[str, dict[str, Any]] = {}
    results = []
    for each in conflicts:
        rules.setdefault(
            each.rule,
            {
                "id": each.rule,
                "shortDescription": {"text": f"{each.kind}: {OUTCOMES[each.how]}"},
                "properties": {"certainty": each.certainty},
                "defaultConfiguration": {"level": _level(each)},
            },
        )
        between = "overrides" if each.decided else "is defined again beside"
        if each.how == "replaced":
            text = f"{each.winner.source} replaces the file {each.name} of {each.loser.source}"
        else:
            mods = f"{each.winner.source} {between} that of {each.loser.source}"
            text = f"{each.kind} {each.name} of {mods}"
            text += f" in {_languages(each)}" if each.languages else ""
        text += f": {OUTCOMES[each.how]}"
        here, there = _location(each.winner), _location(each.loser)
        result: dict[str, Any] = {"ruleId": each.rule, "level": _level(each)}
        result["message"] = {"text": text}
        result["locations"] = [here or there]
        if here and there:
            result["relatedLocations"] = [{**there, "message": {"text": str(each.loser)}}]
        results.append(result)
    return sarif_log(list(rules.values()), results)


def _level(conflict: Conflict) -> str:
    return "note" if conflict.decided or conflict.how == "merge" else "warning"


def _location(place: Place) -> dict[str, Any]:
    if not place.path:
        return {}
    path = relative_path(place.path).replace(os.sep, "/")
    return sarif_location(path, {"startLine": place.line} if place.line else None)


def _write_html(path: Path, conflicts: Sequence[Conflict], index: Index) -> None:
    from ck3parse.index.html_report import RuleText, html_report

    sources = [source.name for source in index.sources()]
    today = date.today()  # noqa: DTZ011  (the day where the user is)
    page = html_report(
        conflicts,
        title=f"Conflicts of {counted(len(sources), 'mod')}",
        about=f"Made by ck3parse on {today.day} {today:%B %Y} from"
        f" {counted(index.file_count(), 'file')} of {', '.join(sources)}.",
        sources=sources,
        rules=[RuleText(rule.id, rule.certainty, rule.source, rule.note) for rule in ck3.rules()],
    )
    try:
        path.write_text(page, "utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def _compare_with_log(index: Index, log: Path, asked: Asked, *, as_json: bool) -> None:
    from ck3parse.index.game_log import Overridden, compare, read_log

    entries = read_log(log)
    decided = [
        each
        for each in index.conflicts(all=True)
        if each.decided and each.how not in ("replaced", "merge") and each.kind != TEXT_KIND
    ]
    mine = {
        Overridden(each.name, each.kind, each.rule, each.winner.file, each.winner.line): None
        for each in decided
    }
    compared = compare(entries, list(mine), index.relpaths())
    counts: dict[str, Counter[str]] = {}
    for each in compared:
        counts.setdefault(each.rule, Counter())[each.verdict] += 1
    differences = [each for each in compared if each.verdict != "agrees"]
    if as_json:
        asked.write_json({"rules": counts, "differences": differences})
    else:
        for rule, verdicts in sorted(counts.items()):
            told = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items()))
            streams.write(f"{streams.bold(printable(rule))}: {told}")
            for each in differences:
                if each.rule == rule:
                    streams.write(
                        printable(f"    {each.name}: {_told(each.in_log, each.in_index)}")
                    )
    agreed = len(compared) - len(differences)
    streams.note(
        f"{counted(agreed, 'agrees', 'agree')} with the game's log,"
        f" {counted(len(differences), 'differs', 'differ')}"
    )
    if differences:
        sys.exit(ExitCode.SOME_FAILED)


def _told(in_log: tuple[str, int] | None, in_index: tuple[str, int] | None) -> str:
    logged = f"{in_log[0]}:{in_log[1]}" if in_log else "nothing"
    mine = f"{in_index[0]}:{in_index[1]}" if in_index else "nothing"
    return f"the log has {logged}, the index {mine}"
