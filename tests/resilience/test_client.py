"""The client is ended in the middle of a run, and runs again."""

import json
import signal
from pathlib import Path

import pytest

from command import FAULTY, run_json, start
from embedded import broker_directory, processes_of, wait_until_gone
from polling import wait_until
from trial import recorded

FILES = 3000
END_LIMIT_S = 3.0
START_LIMIT_S = 30.0
STORE = "out.sqlite"


@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_what_was_done_is_kept_and_nothing_stays_behind(
    tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    mod = tmp_path / "mod"
    mod.mkdir()
    for number in range(FILES):
        # Batches of one size each, so that some are done long before the last.
        text = f"fault = slow\n# {number}\n".ljust(100 + number // 20 * 10)
        (mod / f"f{number:04}.txt").write_text(text)
    journal = tmp_path / "journal"
    env = {**FAULTY, "FAULTY_JOURNAL": str(journal)}
    args = ("run", mod, "--out", STORE, "--json", "--workers", "2")
    process = start(*args, cwd=tmp_path, env=env)
    wait_until(lambda: recorded(tmp_path / STORE), START_LIMIT_S, "a batch is in the store")
    directory = broker_directory(process.pid)
    assert processes_of(directory)
    process.send_signal(signum)
    wait_until(lambda: process.poll() is not None, END_LIMIT_S, "the run has ended")
    wait_until_gone(directory)
    out, err = process.communicate()
    assert process.returncode == code, err
    done = recorded(tmp_path / STORE)
    assert 0 < done < FILES
    if code == 130:
        report = json.loads(out)
        assert report["interrupted"] is True
        assert report["parsed"] == done
        assert b"Traceback" not in err

    journal.unlink()
    report = run_json(mod, "--out", STORE, cwd=tmp_path, env=env)
    assert (report["parsed"], report["unchanged"]) == (FILES - done, done)
    assert len(journal.read_text().splitlines()) == FILES - done
