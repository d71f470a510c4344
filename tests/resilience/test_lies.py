"""A worker gives wrong answers: they are dropped, never stored, and the files are sent again."""

from contextlib import closing
from pathlib import Path

import pytest

from ck3parse.messages import ParseRequest, ParseResult
from ck3parse.parser import parse_bytes
from ck3parse.pipeline.batch import Batch
from ck3parse.pipeline.window import Window
from embedded import client
from lying import LIES, METAS
from polling import wait_until
from reliability import Case
from servers import Server, Worker
from trial import Mod, Trial, assert_right, asts_of, recorded, written

pytestmark = pytest.mark.thorough

END_LIMIT_S = 120.0
SCRIPT = b"key = { a = 1 b = yes }\n"


def script(number: int, key: str = "key") -> bytes:
    return b"%s_%d = { a = 1 b = yes }\n" % (key.encode(), number)


def test_lies_about_files_are_dropped_and_asked_for_again(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 4."""
    case.of("lies", f"{len(LIES)} kinds of lies about a file, beside {len(LIES)} healthy files")
    healthy = {f"f{number}.txt": script(number) for number in range(len(LIES))}
    lies = {f"lie_{name}.txt": script(number, "lie") for number, name in enumerate(LIES)}
    with (
        written(tmp_path / "mod", healthy | lies) as folder,
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, app="lying").wait_ready(),
        Trial(tmp_path, folder, broker=server.url) as trial,
    ):
        report = trial.end(END_LIMIT_S, code=1)
        asts = {name: parse_bytes(text, name).ast_json for name, text in healthy.items()}
        mod = Mod(folder, {name: ast for name, ast in asts.items() if ast})
        assert_right(report, trial.store, mod, dict.fromkeys(lies, "WorkerUnavailable"))
        assert report["answers_dropped"] >= 3 + len(lies)
        (warning,) = report["warnings"]
        assert warning in trial.err
    case.did(report, trial.seconds, f"{report['answers_dropped']} answers dropped")
    with Trial(tmp_path, folder) as again:  # an honest worker
        report = again.end(END_LIMIT_S)
    assert (report["parsed"], report["unchanged"]) == (len(lies), len(healthy))
    assert len(asts_of(again.store, folder)) == recorded(again.store) == len(lies | healthy)


def outcomes_of(window: Window, batches: int) -> dict[str, ParseResult]:
    found: dict[str, ParseResult] = {}

    def all_came() -> bool:
        for answer in window.poll(0.05):
            found.update({result.path: result for result in answer.results})
        return len(found) == batches

    wait_until(all_came, END_LIMIT_S, "every batch has come to its end")
    return found


def test_whatever_stands_for_a_task_is_survived(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 4."""
    case.of("lies", f"{len(METAS)} kinds of nonsense on the result backend for a whole task")
    files = {f"lie_{name}.txt": SCRIPT for name in METAS} | {"a.txt": SCRIPT}
    with (
        written(tmp_path / "mod", files) as folder,
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, app="lying").wait_ready(),
        client(server.url) as app,
        closing(Window(app, workers=2)) as window,
    ):
        for name in files:
            path = str(folder / name)
            window.submit(Batch([ParseRequest(name, path, name=name)], len(SCRIPT)))
        results = outcomes_of(window, len(files))
    failed = {path for path, result in results.items() if not result.ok}
    assert {Path(path).name for path in failed} == files.keys() - {"a.txt"}
    assert {results[path].error_type for path in failed} == {"WorkerUnavailable"}
    case.saw(len(results), len(files), 0.0, f"{window.dropped} answers dropped")
