"""Files that take long with workers that a run has not heard of yet: healthy, and parsed once."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from polling import wait_until
from reliability import Case
from servers import Server, Worker
from trial import Trial, written

END_LIMIT_S = 60.0
SLOW_S = 7
"""Long enough for a run to look for a batch several times, and to send it again if it is lost."""
OWN_BATCH_BYTES = 600_000
"""A file of this size travels alone."""


def slow_file(size: int = 0) -> str:
    return f"fault = sleep {SLOW_S}\n".ljust(size, "#")


def workers(
    stack: contextlib.ExitStack, server: Server, folder: Path, names: Sequence[str]
) -> list[Worker]:
    """Start workers of one process each, that write down what they parse."""
    env = {"FAULTY_JOURNAL": str(folder / "journal")}
    started = [
        stack.enter_context(Worker(server.url, folder, name, env=env, processes=1))
        for name in names
    ]
    for worker in started:
        worker.wait_ready()
    return started


def parsed(folder: Path) -> Counter[str]:
    """Return how often each file was parsed."""
    return Counter((folder / "journal").read_text().splitlines())


def test_a_slow_file_with_a_worker_that_did_not_answer_first(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 33: a short run goes on with the worker that answers first."""
    case.of("slow", f"one of seven files takes {SLOW_S} s, with one of four workers")
    files = {f"f{number}.txt": f"a = {number}\n" for number in range(6)}
    with (
        Server(tmp_path) as server,
        contextlib.ExitStack() as stack,
        written(tmp_path / "mod", {**files, "slow.txt": slow_file()}) as mod,
    ):
        workers(stack, server, tmp_path, ("one", "two", "three", "four"))
        with Trial(tmp_path, mod, broker=server.url) as trial:
            report = trial.end(END_LIMIT_S)
    assert (report["parsed"], report["failed"]) == (7, 0)
    assert parsed(tmp_path) == dict.fromkeys([*files, "slow.txt"], 1)
    case.did(report, trial.seconds)


def test_slow_files_with_workers_that_join_later(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 33: a run does not know of workers that come after it began."""
    case.of("slow", f"three files take {SLOW_S} s, two of them with workers that join later")
    files = {f"slow{number}.txt": slow_file(OWN_BATCH_BYTES - number) for number in range(3)}
    with (
        Server(tmp_path) as server,
        contextlib.ExitStack() as stack,
        written(tmp_path / "mod", files) as mod,
    ):
        (first,) = workers(stack, server, tmp_path, ("one",))
        with Trial(tmp_path, mod, broker=server.url) as trial:
            wait_until(lambda: "received" in first.log(), END_LIMIT_S, "the first has a file")
            workers(stack, server, tmp_path, ("two", "three"))
            report = trial.end(END_LIMIT_S)
    assert (report["parsed"], report["failed"]) == (3, 0)
    assert parsed(tmp_path) == dict.fromkeys(files, 1)
    case.did(report, trial.seconds)
