"""Write the man page, from the help of the commands: `python docs/make_man.py FILE`.

`make man` writes build/man/ck3parse.1.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ck3parse import __version__
from ck3parse.cli import COMMANDS, group
from ck3parse.cli.help_format import HelpContext


def page() -> str:
    """Return the page in the macros of man(7)."""
    root = HelpContext(group, info_name="ck3parse")
    lines = [
        f'.TH CK3PARSE 1 "" "ck3parse {__version__}" "ck3parse"',
        ".nh",
        ".SH NAME",
        f"ck3parse \\- {_text(_first_sentence(group))}",
        ".SH SYNOPSIS",
        ".B ck3parse",
        "[OPTIONS] COMMAND [ARGS]...",
        ".SH DESCRIPTION",
        *_paragraphs(group.help or ""),
        *_options(group, root),
        *_paragraphs(group.epilog or ""),
        ".SH COMMANDS",
    ]
    for name in COMMANDS:
        command = group.get_command(root, name)
        if command is not None:
            lines += _command(command, HelpContext(command, info_name=name, parent=root))
    lines += [
        ".SH ENVIRONMENT",
        "Each setting is read from a variable that starts with",
        ".BR CK3PARSE_ ;",
        "the documentation lists them.",
        ".SH FILES",
        ".TP",
        ".I ck3parse.toml",
        "The configuration of",
        '.BR "ck3parse check" .',
    ]
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{_text(context.command_path)} {_text(usage)}"'
    yield from _paragraphs(command.help or "")
    yield from _options(command, context)
    yield from _paragraphs(command.epilog or "")
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _command(each, HelpContext(each, info_name=name, parent=context))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record and isinstance(param, click.Option):
            term, description = record
            yield ".TP"
            yield f".B {_text(term)}"
            yield _text(" ".join(description.split()))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n[ \t]*\n", text.strip()):
        is_kept = paragraph.lstrip().startswith("\b")
        lines = paragraph.replace("\b", "").strip("\n").splitlines()
        yield ".PP"
        if is_kept and any(line.startswith(" ") for line in lines):
            yield ".nf"
            yield from map(_text, lines)
            yield ".fi"
        else:
            yield _text(" ".join(line.strip() for line in lines))


def _first_sentence(command: click.Command) -> str:
    return (command.help or "").strip().partition("\n")[0].rstrip(".")


def _text(text: str) -> str:
    """Return a line of text that man shows as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    escaped = escaped.replace("'", "\\(aq").replace("`", "\\(ga").replace("~", "\\(ti")
    escaped = escaped.replace("^", "\\(ha")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page(), "utf-8")
