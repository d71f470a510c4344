"""Builds of large queues with all kinds of items leave what item by item leaves.

Issue 21: 3,000 files of real mods, with broken, missing, duplicate, priority, lookup and crashing
items. `CK3PARSE_GOLDEN` names a folder that has them in `corpus/`; without it there are generated
files only.
"""

import os
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bridging import bridge
from ck3parse.bridge.engine import SWITCH
from ck3parse.qbuilder.installed import Qbuilder
from command import FAULTY
from qbuilder_database import SCHEMAS, connect, differences
from qbuilder_queue import make_queue, make_queued_database, write_scripts
from qbuilder_worker import Worker
from stand_in_qbuilder import build

NATIVE: dict[str, str] = {}
FILES = 3_000
GIVEN = os.environ.get("CK3PARSE_GOLDEN")
CORPUS = Path(GIVEN).absolute() / "corpus" if GIVEN else None
LIMIT_S = 3_600
PATIENT_S = 120
"""The time limit of a file: with a process for each, one of 4,000 took more than 30 s to start on a
busy machine."""


def build_both_ways(
    root: Path,
    relpaths: Sequence[str],
    qbuilder: Qbuilder,
    switch: str,
    env: Mapping[str, str],
    schema: int,
) -> None:
    """Build a queue of these files at once and item by item, and compare the databases."""
    queue = make_queue(root, relpaths, crashing=env is FAULTY)
    paths = [root.parent / "single.db", root.parent / "bulk.db"]
    make_queued_database(paths[0], root, queue, schema).close()
    shutil.copy(*paths)
    single, bulk = map(connect, paths)
    # Item by item through the pipeline, too, which is faster and leaves the same.
    with bridge({**env, SWITCH: "1", "CK3PARSE_WORKERS": "2"}):
        expected = Worker(single, qbuilder, PATIENT_S).run()
    with bridge({**env, SWITCH: switch, "CK3PARSE_WORKERS": "2"}):
        done = build(bulk, qbuilder, timeout_ms=PATIENT_S * 1000)
    assert differences(bulk, single) == []
    assert done == expected
    assert done["items_processed"] > len(relpaths)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(
    ("files", "switch", "env"),
    [(300, "1", FAULTY), (60, "0", FAULTY), (400, "1", NATIVE)],
    ids=["faulty", "off", "native"],
)
def test_generated_files(
    tmp_path: Path,
    qbuilder: Qbuilder,
    files: int,
    switch: str,
    env: Mapping[str, str],
    schema: int,
) -> None:
    relpaths = write_scripts(tmp_path / "mod", files)
    build_both_ways(tmp_path / "mod", relpaths, qbuilder, switch, env, schema)


if CORPUS:

    @pytest.mark.thorough
    @pytest.mark.timeout(LIMIT_S)
    @pytest.mark.parametrize(
        ("switch", "env"),
        [("1", NATIVE), ("1", FAULTY), pytest.param("0", FAULTY, marks=pytest.mark.soak)],
        ids=["native", "faulty", "off"],
    )
    def test_files_of_real_mods(
        tmp_path: Path, qbuilder: Qbuilder, switch: str, env: Mapping[str, str]
    ) -> None:
        assert CORPUS
        files = [path for path in CORPUS.rglob("*.txt") if path.is_file()]
        relpaths = sorted(f"mods/{path.relative_to(CORPUS)}" for path in files)
        random.Random(21).shuffle(relpaths)
        (tmp_path / "mod").mkdir()
        (tmp_path / "mod" / "mods").symlink_to(CORPUS)
        build_both_ways(tmp_path / "mod", relpaths[:FILES], qbuilder, switch, env, 7)
