"""Settings for all tests.

With CK3PARSE_WRITE_DOCS=1 in the environment, the table of faults in `docs/reliability.md` is
written at the end. Lines of tests that did not run are kept.
"""

import os
import platform
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from ck3parse.config.cpus import usable_cpus
from reliability import PROPERTY, Case, write_table

# A busy machine is no failure.
hypothesis.settings.register_profile("ck3parse", deadline=None)
hypothesis.settings.load_profile("ck3parse")

# Show the values of failed assertions in these helper modules, too.
pytest.register_assert_rewrite("bridging", "embedded", "servers", "services", "trial")

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
_cases: list[tuple[tuple[str, int], Case]] = []
"""Each with the file and line of its test, to sort by."""

_WITH_PROCESSES = ("resilience", "integration")
"""Folders of tests that start servers and workers, in the order in which they run."""

_PYTHONS_OWN = {getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)}
"""Signals that Python itself ignores, which `subprocess` undoes."""

collect_ignore_glob: list[str] = []
if sys.platform != "linux":
    # These measure memory as Linux counts and limits it.
    collect_ignore_glob += ["unit/test_malloc.py", "unit/test_handler.py"]
if sys.platform == "win32":
    # Workers and embedded servers do not run there, and the last few need pipes, ttys or links.
    collect_ignore_glob += [f"{folder}/*" for folder in (*_WITH_PROCESSES, "containers")]
    with_posix = "celery_compat cpus excerpt prefork reading show supervisor walk"
    collect_ignore_glob += [f"unit/test_{name}.py" for name in with_posix.split()]


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> Iterator[None]:
    """Give the children of tests the default action of each signal.

    Issue 19, line 41: programs started by `nohup` inherit that SIGHUP is ignored, and those that a
    shell starts in the background inherit that SIGINT is ignored. Handlers are not inherited, so
    that a handler that does nothing replaces these for this process.
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


@pytest.hookimpl(tryfirst=True)  # before items are selected by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark all but the first case of slow tests as `thorough`, and sort tests that run in parallel.

    Each case of a test that starts processes takes seconds; `make test` runs the first one. Tests
    that wait most come first, so that the others fill the gaps.
    """
    seen: set[tuple[Path, str]] = set()
    for item in items:
        if item.path.parent.name in _WITH_PROCESSES and isinstance(item, pytest.Function):
            test = (item.path, item.originalname)
            if test in seen:
                item.add_marker(pytest.mark.thorough)
            seen.add(test)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [item.path.parent.name != folder for folder in _WITH_PROCESSES])


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
        machine = f"{usable_cpus()} cores, {platform.system()}, Python {platform.python_version()}"
        in_order = [case for _, case in sorted(_cases, key=lambda located: located[0])]
        write_table(DOCUMENT, in_order, now, machine)
