"""SIGKILL of a build, its worker and its broker: run on, and the database is the same.

Issue 21: at 20 random instants each; the first few of them are in `make test`.
"""

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from command import start
from embedded import Family, broker_directory, wait_until_gone
from qbuilder_database import Queued, connect, content, make_database
from qbuilder_worker import Worker
from stand_in_qbuilder import STAND_IN, installed

FILES = 400
LIMIT_S = 120
LONGEST_S = 2.5
"""Seconds after which the last kill comes: about as long as a build takes on a quiet machine."""


def text_of(number: int) -> str:
    if number % 50 == 7:
        return f"broken_{number} = {{"
    number -= number % 10 == 3  # the same content as the file before
    return "".join(
        f"effect_{number}_{part} = {{ add_trait = trait_{part} has_culture = c{number} }}\n"
        for part in range(number % 60)
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mod") / "common" / "scripted_effects"
    root.mkdir(parents=True)
    for number in range(FILES):
        (root / f"{number}.txt").write_text(text_of(number))
    return root.parents[1]


def items() -> list[Queued]:
    scripts = [Queued(f"common/scripted_effects/{number}.txt") for number in range(FILES)]
    lookups = [
        Queued(f"common/scripted_effects/{number}.txt", "E_LOOKUP_PROVINCES")
        for number in range(0, FILES, 40)
    ]
    return [*scripts, *lookups, Queued("gone.txt")]


@pytest.fixture(scope="module")
def expected(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[Any, ...]]]:
    """What a build that nothing disturbs leaves."""
    db = make_database(tmp_path_factory.mktemp("expected") / "q.db", root, items())
    with installed() as qbuilder, bridge({SWITCH: "1"}):
        Worker(db, qbuilder).run()
    found = content(db)
    db.close()
    return found


def run_build(path: Path, kill_after_s: float | None, role: str = "") -> int:
    """Run a build, kill one of its processes after a time, and return its exit code."""
    process = start(*("qbuilder", "build", "--db", path, "--qbuilder", STAND_IN), cwd=path.parent)
    directory = None
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        with contextlib.suppress(AssertionError, OSError, ValueError):  # it may be over
            directory = broker_directory(process.pid)
            if role != "build":
                family = Family(directory)
                os.kill({"worker": family.worker, "broker": family.server}[role], signal.SIGKILL)
        if role == "build":
            process.kill()
            # What the stand-in's lock file stands for goes with its process.
            path.with_name(f"{path.name}.writer.lock").unlink(missing_ok=True)
    process.communicate(timeout=LIMIT_S)
    if directory:
        wait_until_gone(directory, 30)
    return process.returncode


@pytest.mark.parametrize("role", ["build", "worker", "broker"])
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.thorough) for part in range(1, 5))]
)
def test_the_database_is_the_same_after_a_kill(
    root: Path,
    tmp_path: Path,
    expected: dict[str, list[tuple[Any, ...]]],
    role: str,
    part: int,
) -> None:
    instants = random.Random(f"{role} {part}")
    path = tmp_path / "q.db"
    make_database(path, root, items()).close()
    for _ in range(4):
        run_build(path, instants.uniform(0.3, LONGEST_S), role)
    assert run_build(path, None) in (0, 1)
    db = connect(path)
    # A lookup in hand when its build was killed may have killed it: it counts, as qbuilder's do.
    db.execute("UPDATE build_queue SET reclaim_count = 0 WHERE envelope LIKE 'E_LOOKUP_%'")
    found = content(db)
    db.close()
    for table in expected:
        assert found[table] == expected[table], table
