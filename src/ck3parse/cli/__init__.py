"""The `ck3parse` command. Each subcommand is a module, imported when it is called."""

import importlib
import os
import sys
from typing import NoReturn

import click

from ck3parse import __version__
from ck3parse.cli import streams
from ck3parse.cli.help_format import HelpContext
from ck3parse.config import unknown_variables
from ck3parse.errors import Ck3parseError, ExitCode, ReaderGoneError

COMMANDS = {
    "run": "Parse script files and store each syntax tree in an SQLite file.",
    "merge": "Make one store of those that the shards of a run wrote.",
    "playset": "Show what is understood of a playset: its mods, their order, what is missing.",
    "check": "Report errors and likely mistakes in script files.",
    "explain": "Explain a code that check reports.",
    "find": "Show where a name is defined, and which definition the game uses.",
    "uses": "Show every place where a name stands.",
    "conflicts": "Show what the mods of a playset define twice, and who wins.",
    "diff": "Compare two definitions of a name by their syntax trees.",
    "loc": "Show, export and import the texts that a mod lacks in a language.",
    "show": "Show the syntax tree of one file.",
    "serve": "Keep a broker and a worker running for other commands.",
    "qbuilder": "Check a database of qbuilder's, or run its build.",
    "status": "Show the queues and workers of a broker.",
    "metrics": "Serve metrics of a broker and its workers to Prometheus.",
    "bench": "Compare three ways to parse on this machine.",
    "completion": "Print what completes commands and options in a shell.",
    "diagnose": "Find out what is wrong with a setup, and where time goes.",
}
"""The subcommands and what they do. With it, `--help` does not import all of them."""


class _Commands(click.Group):
    context_class = HelpContext

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # only for a mistake

            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            if not close:
                raise
            message = f"No such command {args[0]!r}. Did you mean {close[0]!r}?"
            raise click.UsageError(message, ctx) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"ck3parse.cli.{cmd_name}").command
        _adopt(command)
        return command


def _adopt(command: click.Command) -> None:
    """Give a command, or those of a group, what all of them have: `--quiet`, and our help."""
    command.context_class = HelpContext
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _adopt(each)
    elif not any(param.name == "quiet" for param in command.params):
        command.params.append(
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=lambda _, __, wanted: streams.be_quiet(wanted),
                help="Print the report only, without progress and notes. Warnings and errors stay.",
            )
        )


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from ck3parse.parser import parser_in_use

        parser = parser_in_use()
        python = ".".join(map(str, sys.version_info[:3]))
        streams.write(
            f"ck3parse {__version__} (parser: {parser.name}, {parser.version}; Python {python})"
        )
        ctx.exit()


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  ck3parse run ~/mods/my_mod              parse a whole mod into ck3parse.sqlite
  ck3parse check ~/mods/my_mod            report what is wrong with it
  ck3parse show events/my_events.txt      show the syntax tree of one file
  ck3parse run --help                     show the help of one command

\b
Exit codes: 0 success, 1 some file failed or something was found, 2 wrong usage, 3 no
broker or worker, 4 the output cannot be written, 130 interrupted, 141 the program that
reads the output is gone.""",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and the parser in use, and exit.",
)
def group() -> None:
    """Crusader Kings III script to syntax trees: whole playsets, in seconds."""


def main() -> NoReturn:
    """Run the command line and exit with one of the codes in `ExitCode`."""
    streams.set_up()
    for sentence in unknown_variables(os.environ):
        streams.say(f"ck3parse: warning: {sentence}")
    try:
        code = group.main(prog_name="ck3parse", standalone_mode=False) or ExitCode.OK
    except click.Abort:
        streams.say("ck3parse: interrupted")
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ReaderGoneError as error:
        code = error.exit_code
    except Ck3parseError as error:
        streams.say(f"ck3parse: {error}")
        code = error.exit_code
    sys.exit(code)
