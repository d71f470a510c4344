"""What logs and events say about the result of a task."""

from collections.abc import Callable
from typing import Any

from celery.app import trace
from celery.utils.saferepr import saferepr


def describe_results(describe: Callable[[Any], str | None]) -> None:
    """Have logs and events show a description of a result instead of its beginning.

    Call it in a worker before its processes start. What the client receives stays as it is.

    Assumes:
        The function that runs a task looks up `saferepr` in `celery.app.trace` for each result, and
        calls it with the result and the most characters. What it returns is the field `result` of
        the event `task-succeeded`.
    Read in:
        celery 5.7.0.
    Otherwise:
        Logs and Flower show the beginning of the result.
    Public way:
        None: `resultrepr_maxsize` sets the length alone.

    Args:
        describe: returns the description, or `None` for a result of another task.
    """

    def text_of(result: Any, *args: Any, **options: Any) -> str:
        text = describe(result)
        return saferepr(result, *args, **options) if text is None else text

    trace.saferepr = text_of
