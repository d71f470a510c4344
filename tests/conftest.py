"""What holds for all tests.

With CK3PARSE_WRITE_DOCS=1 in the environment the table of faults in `docs/reliability.md` is
written at the end; what did not run keeps its line.
"""

import os
import platform
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reliability import PROPERTY, Case, write_table

# What checks on behalf of tests says as much as they do when it fails.
pytest.register_assert_rewrite("bridging", "embedded", "servers", "services", "trial")

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
_cases: list[tuple[tuple[str, int], Case]] = []
"""With the file and line of the test, by which they are sorted."""

_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
"""What Python itself ignores; `subprocess` undoes that."""


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> Iterator[None]:
    """Have what tests start begin with each signal's default action, however tests are started.

    Issue 19, line 41: programs inherit from `nohup` that SIGHUP is ignored, and from a shell that
    starts something in the background that SIGINT is. A handler is not inherited: with one that
    does nothing, this process still ignores what it was told to.
    """
    ignored = [
        number
        for number in signal.valid_signals() - _PYTHONS_OWN
        if signal.getsignal(number) == signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, _do_nothing)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def _do_nothing(*_: object) -> None:
    pass


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run side by side, begin with those that wait most, as the rest fills any gap."""
    if hasattr(config, "workerinput"):
        order = ("resilience", "integration")
        items.sort(key=lambda item: [item.path.parent.name != folder for folder in order])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        file, line, _ = report.location
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, dict):
                _cases.append(((file, line or 0), Case(**value)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    # A process of pytest-xdist has some of them only.
    if hasattr(session.config, "workerinput") or os.environ.get("CK3PARSE_WRITE_DOCS") != "1":
        return
    if _cases:
        now = datetime.now(UTC).strftime("%Y-%m-%d")
        machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        in_order = [case for _, case in sorted(_cases, key=lambda located: located[0])]
        write_table(DOCUMENT, in_order, now, machine)
