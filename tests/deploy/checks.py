"""What the tests of `deploy/` share: programs and packages that may be missing, and lost fields."""

import importlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
MONITORING = DEPLOY / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "ck3parse.json"
_NEEDED = bool(os.environ.get("DEPLOY_TESTS"))
"""Whether what is missing fails the tests, as in CI, instead of leaving them out."""


def program(name: str) -> str:
    """Return the path of a program of Prometheus', or skip the test."""
    return shutil.which(name) or _without(f"there is no {name}: apt-get install prometheus")


def package(module: str) -> Any:
    """Import a module of the extra `deploy-test`, or skip the test."""
    try:
        return importlib.import_module(module)
    except ImportError:
        _without(f"{module} is not installed: pip install '.[deploy-test]'")


def _without(reason: str) -> NoReturn:
    if _NEEDED:
        pytest.fail(reason)
    pytest.skip(reason)


def lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of fields that a typed object did not keep, as its type has none of the name.

    Args:
        given: decoded JSON.
        kept: the same, after it was read as an object and encoded again.
        path: where these are.
    """
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from lost(value, kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (value, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(value, other, f"{path}[{number}]")
    elif given != kept:
        yield path
