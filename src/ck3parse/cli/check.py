"""`ck3parse check`: reports what is wrong with script files."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import click

from ck3parse.cli import streams
from ck3parse.cli.check_extra import Extra
from ck3parse.cli.output_format import chosen_format
from ck3parse.cli.progress import DelayedProgress
from ck3parse.errors import ExitCode, OutputError, UsageError
from ck3parse.files.walk import Found, walk
from ck3parse.jobs.check import CheckJob
from ck3parse.jobs.paths import how_read, nothing_in
from ck3parse.lint.cache import open_cache
from ck3parse.lint.formats import FORMATS, fixable, statistics, summary, text
from ck3parse.messages import DialectName

_STDIN = "-"
_WATCHED_FORMATS = ("text", "concise")


def _codes(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> list[str]:
    del ctx, param
    return [code for each in given for code in each.split(",") if code.strip()]


@click.command(
    name="check",
    epilog="""\b
Examples:
  ck3parse check ~/mods/my_mod
  ck3parse check . --select E                      errors only
  ck3parse check . --extend-select W006 --ignore W001
  ck3parse check . --format sarif --output-file ck3parse.sarif
  ck3parse check . --fix                           mend what is certain
  ck3parse check . --baseline known.json           report only what is new
  ck3parse check . --tiger tiger.json              with what ck3-tiger has found
  ck3parse check . --watch                         again whenever a file is saved
  ck3parse check --stdin-filename events/feast.txt - < feast.txt
  ck3parse explain E008

\b
Configuration: a `ck3parse.toml`, or a [tool.ck3parse] table in a pyproject.toml, in the
folder of PATH or above can set select, extend-select, ignore, include, exclude, game
and baseline.

\b
`# ck3parse: ignore[E008]` at the end of a line silences a code on that line.

\b
Colours: NO_COLOR turns them off, FORCE_COLOR on.

\b
Exit codes: 0 nothing found, 1 something found, 2 wrong usage, 4 the output cannot be
written, 130 --watch was interrupted, 141 the program that reads the output is gone.""",
)
@click.argument("paths", metavar="PATH...", nargs=-1, type=click.Path())
@click.option(
    "--select",
    metavar="CODES",
    multiple=True,
    callback=_codes,
    help="Report these codes instead of the default ones. E stands for all errors, W001 for one"
    " code, ALL for all codes.",
)
@click.option(
    "--extend-select",
    metavar="CODES",
    multiple=True,
    callback=_codes,
    help="Report these codes in addition.",
)
@click.option(
    "--ignore", metavar="CODES", multiple=True, callback=_codes, help="Do not report these codes."
)
@click.option("--exclude", metavar="PATTERN", multiple=True, help="Skip matching files, as in run.")
@click.option(
    "--include", metavar="PATTERN", multiple=True, help="Check matching files, as in run."
)
@click.option(
    "--dialect",
    type=click.Choice(get_args(DialectName)),
    help="How to read the files: script as the game reads it, or what qbuilder uses.  [default:"
    " CK3PARSE_DIALECT, or ck3]",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(list(FORMATS)),
    help="Output format. text and concise are for people, the others for programs.  [default:"
    " text]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--output-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to FILE instead of standard output.",
)
@click.option(
    "--statistics",
    "counted",
    is_flag=True,
    help="Only count how often each code occurs.",
)
@click.option(
    "--stdin-filename",
    metavar="NAME",
    help="Check standard input as the content of the file NAME. For editors.",
)
@click.option(
    "--cache",
    "cache_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where results of unchanged files are kept.  [default: in the user's cache folder]",
)
@click.option(
    "--game",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False),
    help="The folder of the game: report each $key$ in a text that neither it nor the mod defines.",
)
@click.option("--no-cache", is_flag=True, help="Check every file, and keep no results.")
@click.option(
    "--force-exclude",
    is_flag=True,
    help="Skip files that are given, too, if a check of the current folder would skip them.",
)
@click.option("--fix", is_flag=True, help="Mend what is marked with [*], and report the rest.")
@click.option(
    "--diff", "as_diff", is_flag=True, help="Print what --fix would change, and change nothing."
)
@click.option(
    "--baseline",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Report only what is not in FILE.  [default: that of the configuration, if any]",
)
@click.option(
    "--no-baseline", is_flag=True, help="Report what is in the baseline of the configuration, too."
)
@click.option(
    "--write-baseline",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything that is found into FILE, for --baseline, and report nothing.",
)
@click.option(
    "--tiger",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Report what ck3-tiger has found, too: FILE is its report, made with its option --json.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if something is found.")
@click.option(
    "--watch",
    "watched",
    is_flag=True,
    help="Then check each file again when it is saved, until Ctrl-C.",
)
def command(
    paths: Sequence[str],
    select: list[str],
    extend_select: list[str],
    ignore: list[str],
    exclude: Sequence[str],
    include: Sequence[str],
    dialect: DialectName | None,
    output: str | None,
    as_json: bool,
    output_file: Path | None,
    counted: bool,
    stdin_filename: str | None,
    cache_file: Path | None,
    game: str | None,
    no_cache: bool,
    force_exclude: bool,
    fix: bool,
    as_diff: bool,
    baseline: Path | None,
    no_baseline: bool,
    write_baseline: Path | None,
    tiger: Path | None,
    exit_zero: bool,
    watched: bool,
) -> None:
    """Report errors and likely mistakes in every script file under PATH..., without the game.

    Localization files (*.yml under localization/) are checked too, those of a mod together.

    Each error is shown with its line and the likely fix. Checking continues after an error, so one
    check reports all of them. Files that did not change since the last check are not read again.
    """
    output = chosen_format(output, json=as_json) or "text"
    from_stdin = stdin_filename is not None or list(paths) == [_STDIN]
    if not paths and not from_stdin:
        raise click.UsageError("give at least one PATH, or --stdin-filename")
    if from_stdin and [path for path in paths if path != _STDIN]:
        raise click.UsageError("--stdin-filename checks standard input only: give no PATH")
    if watched and (from_stdin or output_file or counted or output not in _WATCHED_FORMATS):
        raise click.UsageError(
            "--watch reports to the terminal, as --format text or concise: leave out --output-file,"
            " --statistics and --stdin-filename"
        )
    if (fix or as_diff or write_baseline or tiger) and (watched or from_stdin):
        raise click.UsageError(
            "--fix, --diff, --write-baseline and --tiger are for files, and not for --watch: leave"
            " out --watch and --stdin-filename"
        )
    if baseline and no_baseline:
        raise click.UsageError("give --baseline or --no-baseline, not both")
    name = stdin_filename or "<stdin>"
    job = CheckJob.of(
        [name] if from_stdin else paths,
        select=select,
        extend_select=extend_select,
        ignore=ignore,
        include=include,
        exclude=exclude,
        dialect=dialect,
        game=game,
        # What is written is everything, unless it is asked for otherwise.
        baseline=baseline or not (no_baseline or write_baseline),
    )
    check = job.check
    form = FORMATS[output]
    if output == "text" and not output_file:
        form = partial(text, coloured=streams.has_colour(), columns=streams.columns())
    extra = Extra(check, paths, baseline=job.baseline, tiger=tiger)
    data = b""
    fixed = 0
    if from_stdin:
        data = streams.read(check.max_file_bytes)
        if len(data) > check.max_file_bytes:
            raise UsageError(f"standard input has more than {check.max_file_bytes:,} bytes")
        checked = extra.applied([check.check_bytes(data, name)], data)
    else:
        include, exclude = job.include, job.exclude
        given = paths
        if force_exclude:
            paths = _not_excluded(paths, include, exclude)
        else:
            for sentence in how_read(paths):
                streams.note(f"ck3parse: {sentence}")
        with open_cache(
            cache_file, check.stored_version, wanted=not no_cache, say=streams.note_waiting
        ) as store:
            check_all = partial(
                check.check_paths, paths, include=include, exclude=exclude, store=store
            )
            if watched:
                from ck3parse.cli.check_watch import watch_files

                check_some = partial(check.check_changed, paths, include=include, exclude=exclude)
                watch_files(
                    paths,
                    lambda: extra.applied(check_all()),
                    lambda changed: extra.applied(check_some(changed)),
                    form,
                )
            with DelayedProgress("checking") as progress:
                checked = check_all(on_batch=progress.show)
            checked = extra.applied(checked)
            if write_baseline:
                extra.write_baseline(checked, write_baseline)
                return
            if as_diff:
                _exit(has_changes=extra.print_diff(checked), exit_zero=exit_zero)
                return
            fixed = extra.fix(checked) if fix else 0
            if fixed:
                checked = extra.applied(check_all())
        if not checked:
            streams.say(f"ck3parse: {nothing_in(given)}")
    if counted:
        shown = statistics(checked)
    else:
        shown = form(checked, lambda path: data if from_stdin else path)
    _write(shown, output_file, output if not counted else "text")
    if fix and not from_stdin:
        streams.note(f"{fixed:,} fixed")
    streams.note(summary(checked))
    if extra.known:
        streams.note(f"{extra.known:,} of the baseline left out")
    if not fix and not from_stdin and (sentence := fixable(checked, str)):
        streams.note(sentence)
    _exit(has_changes=any(each.diagnostics for each in checked), exit_zero=exit_zero)


def _exit(*, has_changes: bool, exit_zero: bool) -> None:
    if has_changes and not exit_zero:
        sys.exit(ExitCode.SOME_FAILED)


def _not_excluded(
    paths: Sequence[str], include: Sequence[str], exclude: Sequence[str]
) -> Sequence[str]:
    """Return the given files that a check of the current folder takes, and all given folders."""
    absolute = {os.path.abspath(path): path for path in paths}
    files = [path for path in absolute if not os.path.isdir(path)]
    inside = [path for path in files if path.startswith(os.path.join(os.getcwd(), ""))]
    taken = {
        found.path
        for found in walk(
            [os.curdir], include=include, exclude=exclude, only=inside, localization=True
        )
        if isinstance(found, Found)
    }
    left_out = set(inside) - taken
    return [given for path, given in absolute.items() if path not in left_out]


def _write(shown: str, output_file: Path | None, form: str) -> None:
    if output_file:
        try:
            output_file.write_text(shown, "utf-8", newline="\n")
        except OSError as error:
            raise OutputError(f"{output_file} cannot be written: {error.strerror}") from error
    elif form in ("json", "sarif", "gitlab"):
        streams.write_bytes(streams.ascii_json(shown))
    elif form == "github":  # GitHub reads UTF-8, whatever the system's encoding is
        streams.write_bytes(shown.encode("utf-8", "backslashreplace"))
    else:
        sys.stdout.write(shown)
