"""Answers to remote control commands that Celery does not have."""

from typing import Any

import msgspec
from celery.worker.control import inspect_command

from ck3parse.worker.identity import identity

failed = 0
"""How many tasks of this worker crashed, ran out of time or raised since it started."""


@inspect_command()
def ck3parse_counts(state: Any) -> dict[str, int]:
    """How many tasks failed since the worker started."""
    del state
    return {"failed": failed}


@inspect_command()
def ck3parse_version(state: Any) -> dict[str, Any]:
    """Version, code, parser and limits of the worker; see `ck3parse.worker.identity`."""
    del state
    answer: dict[str, Any] = msgspec.to_builtins(identity())
    return answer
