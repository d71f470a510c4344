"""The run of a shard is killed, and its store is merged."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from ck3parse.pipeline.shard import Shard
from command import FAULTY, ck3parse, start
from embedded import broker_directory, wait_until_gone
from polling import wait_until
from store_content import content_of
from trial import recorded

FILES = 24
SIZE = 600_000
"""Each file is a batch of its own."""
DEADLINE_S = 60.0
SHARDS = [Shard(1, 2), Shard(2, 2)]
NAMES = [f"common/traits/{number}.txt" for number in range(FILES)]
OF_FIRST = [name for name in NAMES if SHARDS[0].holds(name)]


def write(mod: Path, names: Sequence[str], head: str = "") -> None:
    for name in names:
        path = mod / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{head}\ntrait_{path.stem} = {{ a = yes }}\n".ljust(SIZE, "#"), "utf-8")


def up_to_date(store: Path, mod: Path) -> int:
    """Return how many files have a result for their content of now in a store."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            known = dict(db.execute("SELECT name, mtime_ns FROM files").fetchall())
    except sqlite3.OperationalError:  # not made yet
        return 0
    return sum(known.get(name) == (mod / name).stat().st_mtime_ns for name in OF_FIRST)


def shard_args(shard: Shard, *options: str) -> list[str]:
    return ["run", "mod", "--shard", str(shard), "--out", f"{shard.number}.sqlite",
            "--timeout-ms", "600000", "--workers", "2", *options]  # fmt: skip


def merged(folder: Path) -> subprocess.CompletedProcess[str]:
    return ck3parse("merge", "1.sqlite", "2.sqlite", "--out", "all.sqlite", cwd=folder)


@pytest.mark.parametrize("option", ["--index", "--no-index"])
@pytest.mark.parametrize("is_second", [False, True], ids=["first run", "second run"])
def test_a_store_that_is_half_written_is_refused(
    option: str, is_second: bool, tmp_path: Path
) -> None:
    mod = tmp_path / "mod"
    write(mod, NAMES)
    for shard in SHARDS if is_second else SHARDS[1:]:
        done = ck3parse(*shard_args(shard, option), cwd=tmp_path, env=FAULTY)
        assert done.returncode == 0, done.stderr
    # One process is busy with a file, while the other one goes on.
    write(mod, OF_FIRST[1:], "# changed")
    write(mod, OF_FIRST[:1], "fault = sleep 500")
    store = tmp_path / "1.sqlite"
    with start(*shard_args(SHARDS[0], option), cwd=tmp_path, env=FAULTY) as process:
        wait_until(lambda: up_to_date(store, mod) > 1, DEADLINE_S, "results are in the store")
        assert process.poll() is None
        directory = broker_directory(process.pid)
        refused = [merged(tmp_path)]
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    wait_until_gone(directory)
    refused.append(merged(tmp_path))
    for each in refused:
        assert (each.returncode, each.stdout) == (2, "")
        assert (
            "1.sqlite has only a part of shard 1/2, as the run that writes it has not ended, or was"
            " ended early: run shard 1/2 again with --out 1.sqlite, and merge then" in each.stderr
        )
    assert not (tmp_path / "all.sqlite").exists()

    write(mod, OF_FIRST[:1], "# changed")
    assert ck3parse(*shard_args(SHARDS[0], option), cwd=tmp_path, env=FAULTY).returncode == 0
    done = merged(tmp_path)
    assert done.returncode == 0, done.stderr
    ck3parse("run", "mod", "--out", "whole.sqlite", option, cwd=tmp_path, env=FAULTY)
    assert recorded(tmp_path / "whole.sqlite") == FILES
    assert content_of(tmp_path / "all.sqlite") == content_of(tmp_path / "whole.sqlite")
