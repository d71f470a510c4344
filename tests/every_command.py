"""The commands of `ck3parse`, also those of its groups."""

from collections.abc import Iterator

import click

from ck3parse.cli import COMMANDS, group


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its words, also those of groups."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            for inner, each in command.commands.items():
                yield f"{name} {inner}", each
        else:
            yield name, command
