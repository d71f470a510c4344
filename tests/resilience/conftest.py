"""Healthy mods, and the table of faults in `docs/reliability.md`.

Each case of the table tells what it did through the fixture `case`; `tests/conftest.py` writes it.
"""

from collections.abc import Generator, Iterator
from dataclasses import asdict
from time import monotonic

import pytest

from reliability import FAILED, PROPERTY, Case
from trial import Mod

_CASE = pytest.StashKey[Case]()


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Mod:
    """Many files that take no time; a batch has 512 of them."""
    return Mod.made(tmp_path_factory.mktemp("quick") / "mod", 600)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Mod:
    """More such files, to use with 20 bad ones."""
    return Mod.made(tmp_path_factory.mktemp("many") / "mod", 1980)


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Mod:
    """Files in twenty batches, for which two processes need three seconds."""
    return Mod.made(tmp_path_factory.mktemp("slow") / "mod", 1000, size=20_000, slow=True)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """A line of the table, which the test fills in."""
    made = Case()
    began = monotonic()
    request.node.stash[_CASE] = made
    yield made
    made.seconds = made.seconds or monotonic() - began
    if made.fault:
        request.node.user_properties.append((PROPERTY, asdict(made)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed and _CASE in item.stash:
        failed = item.stash[_CASE]
        failed.results, failed.notes = FAILED, ""
    return report
