"""Result files of the embedded worker are lost, or cannot be written."""

import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ck3parse.parser import parse_bytes
from embedded import broker_directory
from polling import wait_until
from reliability import Case
from trial import Mod, Trial, assert_right, written

pytestmark = pytest.mark.thorough

FILES = 400
RUN_LIMIT_S = 60.0
START_LIMIT_S = 30.0


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Mod:
    """Files that take a second and compress badly, so that their batch has a large result."""
    numbers = random.Random(0)
    texts = {
        f"f{count:04}.txt": "fault = slow\n"
        + "\n".join(
            f"key_{numbers.getrandbits(64):x} = {numbers.getrandbits(64)}" for _ in range(500)
        )
        for count in range(FILES)
    }
    with written(tmp_path_factory.mktemp("large") / "mod", texts) as folder:
        asts = {name: parse_bytes(text.encode(), name).ast_json for name, text in texts.items()}
        return Mod(folder, {name: ast for name, ast in asts.items() if ast})


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def trial(large: Mod, journal: Path, tmp_path: Path) -> Iterator[Trial]:
    """A run whose worker has started its first batch."""
    with Trial(tmp_path, large.folder, env={"FAULTY_JOURNAL": str(journal)}) as trial:
        wait_until(journal.exists, START_LIMIT_S, "a file is parsed")
        yield trial


def test_lost_files_are_made_again(trial: Trial, large: Mod, journal: Path, case: Case) -> None:
    case.of("spool", "files of results are removed while the client stands still")
    trial.process.send_signal(signal.SIGSTOP)
    results = results_of(trial)
    wait_until(lambda: any(results.iterdir()), START_LIMIT_S, "a result is a file")
    for file in results.iterdir():
        file.unlink()
    trial.process.send_signal(signal.SIGCONT)
    report = trial.end(RUN_LIMIT_S)
    assert_right(report, trial.store, large)
    again = len(journal.read_text().splitlines()) - FILES
    assert again > 0
    case.did(report, trial.seconds, f"{again} files were parsed again")


def test_without_their_folder_results_go_through_the_server(
    trial: Trial, large: Mod, journal: Path, case: Case
) -> None:
    case.of("spool", "the folder of results is removed")
    shutil.rmtree(results_of(trial))
    report = trial.end(RUN_LIMIT_S)
    assert_right(report, trial.store, large)
    assert len(journal.read_text().splitlines()) == FILES
    case.did(report, trial.seconds)


def results_of(trial: Trial) -> Path:
    return broker_directory(trial.process.pid) / "results"
