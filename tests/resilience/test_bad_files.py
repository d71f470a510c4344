"""Files that crash their process, or block it forever."""

from pathlib import Path

import pytest

from ck3parse.pipeline.batch import MAX_FILES
from reliability import Case
from trial import Mod, Trial, assert_right, written

END_LIMIT_S = 60.0
CRASHES = {"segfault": "SIGSEGV", "kill": "SIGKILL", "abort": "SIGABRT", "exit": "exitcode 3"}
HANGS = {"hang": "in Python", "hang_in_c": "in native code that holds the GIL"}
PLACES = ["in a batch", "alone"]
A_BATCH = 1024 * 1024
"""Size in bytes of a file that fills a batch."""


def bad_file(fault: str, place: str) -> str:
    text = f"fault = {fault} \n"
    return text if place == "in a batch" else text.ljust(A_BATCH)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", CRASHES)
def test_a_crash_is_one_failure(
    fault: str, place: str, quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("crash", f"`{CRASHES[fault]}`, {place}")
    with (
        written(tmp_path / "bad", {"bad.txt": bad_file(fault, place)}) as bad,
        Trial(tmp_path, quick.folder, bad) as trial,
    ):
        report = trial.end(END_LIMIT_S, code=1)
    assert_right(report, trial.store, quick, {"bad.txt": "WorkerCrashed"})
    assert CRASHES[fault] in report["failures"][0]["error"]
    case.did(report, trial.seconds)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", HANGS)
def test_a_hang_is_one_failure(
    fault: str, place: str, quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("hang", f"{HANGS[fault]}, {place}, limit 1 s")
    with (
        written(tmp_path / "bad", {"bad.txt": bad_file(fault, place)}) as bad,
        Trial(tmp_path, quick.folder, bad, timeout_ms=1000) as trial,
    ):
        report = trial.end(END_LIMIT_S, code=1)
    assert_right(report, trial.store, quick, {"bad.txt": "ParseTimeout"})
    case.did(report, trial.seconds)


def twenty_bad_files() -> dict[str, tuple[str | bytes, str]]:
    """Return the content and the error type of each bad file, by its name."""
    kinds = [
        ("hang", "fault = hang", "ParseTimeout"),
        ("native_hang", "fault = hang_in_c", "ParseTimeout"),
        ("segfault", "fault = segfault", "WorkerCrashed"),
        ("kill", "fault = kill", "WorkerCrashed"),
        ("abort", "fault = abort", "WorkerCrashed"),
        ("exit", "fault = exit", "WorkerCrashed"),
        ("sys_exit", "fault = sys_exit", "WorkerCrashed"),
        ("bug", "fault = bug", "InternalError"),
        ("memory", "fault = memory", "MemoryError"),
        ("parse", "a = {", "ParseError"),
    ]
    files: dict[str, tuple[str | bytes, str]] = {"lexer.txt": (b"a = \xff", "LexerError")}
    for name, content, error_type in kinds:
        # One amidst the healthy ones, which all have about this size, and one before them.
        files[f"{name}_1.txt"] = (f"{content} # ".ljust(34, "1"), error_type)
        files[f"{name}_2.txt"] = (f"{content} # ".ljust(70, "2"), error_type)
    del files["parse_2.txt"]
    return files


@pytest.mark.parametrize(
    "round_", [0, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 21))]
)
def test_no_healthy_file_is_blamed(round_: int, many: Mod, tmp_path: Path, case: Case) -> None:
    case.of("twenty", "once" if round_ == 0 else "20 times over, seconds of the last time")
    wrong = twenty_bad_files()
    with (
        written(tmp_path / "bad", {name: content for name, (content, _) in wrong.items()}) as bad,
        Trial(tmp_path, many.folder, bad, timeout_ms=3000) as trial,
    ):
        report = trial.end(END_LIMIT_S, code=1)
    assert_right(report, trial.store, many, {name: kind for name, (_, kind) in wrong.items()})
    case.did(report, trial.seconds)


@pytest.mark.parametrize("place", PLACES)
def test_what_crashes_only_once_is_parsed(
    place: str, quick: Mod, tmp_path: Path, case: Case
) -> None:
    case.of("once", place)
    marker = tmp_path / "crashed"
    with (
        written(tmp_path / "bad", {"bad.txt": bad_file(f"once # {marker}", place)}) as bad,
        Trial(tmp_path, quick.folder, bad) as trial,
    ):
        report = trial.end(END_LIMIT_S)
    assert marker.exists()
    assert_right(report, trial.store, quick, also_parsed=1)
    case.did(report, trial.seconds)


def test_processes_are_replaced_in_mid_run(many: Mod, tmp_path: Path, case: Case) -> None:
    case.of("recycle", "after 500 files each, 2 processes, 1,980 files")
    pids = tmp_path / "pids"
    env = {"FAULTY_PIDS": str(pids), "CK3PARSE_MAX_FILES_PER_CHILD": "500"}
    with Trial(tmp_path, many.folder, env=env) as trial:
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, many)
    parsed_by = pids.read_text().split()
    counts = [parsed_by.count(pid) for pid in set(parsed_by)]
    assert sum(counts) == len(many.asts)  # nothing twice
    assert len(counts) > 2
    assert max(counts) < 500 + MAX_FILES  # the last batch of each is done in full
    case.did(report, trial.seconds, f"{len(counts)} processes, at most {max(counts)} files each")
