"""The option of commands that are about a broker, and that start none."""

import functools
from collections.abc import Callable
from typing import Any

import click

from ck3parse.config import read_settings
from ck3parse.errors import UsageError


def broker_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add the option `--broker` to a command.

    Args:
        function: the command. It gets the settings, which name a broker, as its argument
            `settings`.
    """

    @click.option(
        "--broker",
        metavar="URL",
        help="URL of the broker, as `ck3parse serve` prints it.  [default: CK3PARSE_BROKER_URL]",
    )
    @functools.wraps(function)
    def command(broker: str | None, **others: Any) -> None:
        settings = read_settings().given(broker_url=broker)
        if not settings.broker_url:
            raise UsageError(
                "no broker given: pass the URL that `ck3parse serve` prints with --broker or"
                " CK3PARSE_BROKER_URL"
            )
        function(settings=settings, **others)

    return command
