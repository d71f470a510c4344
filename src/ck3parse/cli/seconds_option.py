"""The type of command line options that take seconds."""

import math
from typing import Any

import click


class Seconds(click.FloatRange):
    """A positive number of seconds.

    Args:
        longest: the largest value allowed.
    """

    def __init__(self, longest: float) -> None:
        super().__init__(0, longest, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number of seconds.

        Raises:
            click.BadParameter: the value is not a number, or out of range.
        """
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):  # click accepts it in any range
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds
