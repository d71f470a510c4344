"""The client is killed during a run, and runs again."""

import json
import signal
from pathlib import Path

import pytest

from embedded import broker_directory, processes_of, wait_until_gone
from polling import wait_until
from reliability import Case
from trial import Mod, Trial, assert_right

END_LIMIT_S = 20.0
RUN_LIMIT_S = 60.0


@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_was_done_is_kept_and_nothing_stays_behind(
    signum: signal.Signals, code: int, slow: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("client", f"{signum.name} in mid-run, and again")
    journal = tmp_path / "journal"
    env = {"FAULTY_JOURNAL": str(journal)}
    with Trial(tmp_path, slow.folder, env=env) as trial:
        trial.wait_recorded()
        directory = broker_directory(trial.process.pid)
        assert processes_of(directory)
        trial.process.send_signal(signum)
        wait_until(lambda: trial.process.poll() is not None, END_LIMIT_S, "the run has ended")
        wait_until_gone(directory)
        out, err = trial.process.communicate()
    assert trial.process.returncode == code, err
    done = trial.recorded()
    assert 0 < done < len(slow.asts)
    if code == 130:
        report = json.loads(out)
        assert report["interrupted"] is True
        assert report["parsed"] == done
        assert b"Traceback" not in err

    journal.unlink()
    with Trial(tmp_path, slow.folder, env=env) as again:
        report = again.end(RUN_LIMIT_S)
    assert_right(report, again.store, slow)
    assert (report["parsed"], report["unchanged"]) == (len(slow.asts) - done, done)
    assert len(journal.read_text().splitlines()) == len(slow.asts) - done
    case.did(report, again.seconds, f"{done:,} were done before and not again")
