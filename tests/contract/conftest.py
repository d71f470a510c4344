"""Run each test of the contract with each parser that is installed."""

import os
from importlib import import_module
from types import ModuleType

import pytest

from ck3parse.parser import reference


def both(reference: ModuleType) -> dict[str, ModuleType]:
    """Return a parser in Python, and the native one beside it if that is installed."""
    parsers = {"python": reference}
    try:
        native = import_module(f"{reference.__package__}.native")
    except ModuleNotFoundError as error:
        # Where the native parser is asked for, that it was not built is an error, not a skip.
        if error.name != "ck3parse.parser._native" or os.environ.get("CK3PARSE_NATIVE") == "1":
            raise
    else:
        parsers["native"] = native
    return parsers


PARSERS = both(reference)


@pytest.fixture(params=PARSERS, scope="session")
def parser(request: pytest.FixtureRequest) -> ModuleType:
    """A parser: a module with `parse_bytes` and `parse_text`."""
    return PARSERS[request.param]


@pytest.fixture(params=PARSERS, scope="session")
def parser_name(request: pytest.FixtureRequest) -> str:
    """The name of an installed parser."""
    name: str = request.param
    return name
