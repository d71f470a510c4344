"""An option that is a time in seconds."""

import math
from typing import Any

import click


class Seconds(click.FloatRange):
    """Takes more than 0 seconds, up to a bound.

    Args:
        longest: the bound.
    """

    def __init__(self, longest: float) -> None:
        super().__init__(0, longest, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number of seconds.

        Raises:
            click.BadParameter: it is none, or out of bounds.
        """
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):  # which is within all bounds for click
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds
