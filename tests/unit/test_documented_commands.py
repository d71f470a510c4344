"""The commands in README.md, docs/ and help have options that exist. Issue 25, line 13.

`tests/integration/test_documented_runs.py` runs them.
"""

import ast
import re

import click
import pytest

from ck3parse.cli import group
from documented import PAGES, REPOSITORY, Command, commands, examples, in_text
from every_command import every_command

COMMANDS = [
    *commands(),
    *in_text("the help of ck3parse", (group.epilog or "").replace("\b", "")),
    *(
        command
        for words, each in every_command()
        for command in in_text(f"the help of {words}", (each.epilog or "").replace("\b", ""))
    ),
]
_PROGRAM = re.compile(
    r"^ {4}(?:sudo |CK3PARSE\w+=\S+ )*(?:\S*python|python3) (\S+\.py)(.*)$", re.MULTILINE
)


def parsed(command: click.Command, context: click.Context, words: list[str]) -> None:
    """Parse the arguments of a command, without looking at the files that they name."""
    if isinstance(command, click.Group):
        name, inner, rest = command.resolve_command(context, words)
        if inner is None:
            return
        parsed(inner, click.Context(inner, info_name=name, parent=context), rest)
        return
    values, _, order = command.make_parser(context).parse_args(args=list(words))
    for param in order:
        given = values.get(param.name or "")
        if isinstance(param.type, click.Choice):
            for value in given if isinstance(given, (list, tuple)) else [given]:
                param.type.convert(value, param, context)


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 120
    assert {command.page for command in COMMANDS} >= {"README.md", "docs/check.md"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.page}:{command.line}")
def test_the_options_of_a_documented_command_exist(command: Command) -> None:
    words = command.words
    if words[:1] in (["--version"], ["--help"], []):
        return
    parsed(group, click.Context(group, info_name="ck3parse"), words)


def test_commands_in_help_fit_a_narrow_terminal() -> None:
    """Such as one of 80 columns: else it breaks them, and they cannot be copied."""
    of_help = [command for command in COMMANDS if command.page.startswith("the help of")]
    assert len(of_help) > 60
    assert [command.text for command in of_help if len(command.text) > 74] == []


@pytest.mark.parametrize("text", ["check --excluud x", "run --transport pigeon", "chek"])
def test_a_command_with_a_mistake_is_found(text: str) -> None:
    words = Command("a page", 1, f"ck3parse {text}").words
    with pytest.raises(click.UsageError):
        parsed(group, click.Context(group, info_name="ck3parse"), words)


def test_documented_examples_are_python() -> None:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    found = list(examples())
    assert len(found) > 10
    for example in found:
        if example.text.rstrip().endswith("("):  # lines of another program
            continue
        compile(example.text, f"{example.page}:{example.line}", "exec", flags)


def test_documented_programs_of_the_repository_exist() -> None:
    found = [
        (page, program, options)
        for page in PAGES
        for program, options in _PROGRAM.findall(page.read_text("utf-8"))
    ]
    assert len(found) > 8
    for page, program, options in found:
        source = (REPOSITORY / program).read_text("utf-8")
        for option in re.findall(r"--[a-z-]+", options):
            assert option in source, (page.name, program, option)
