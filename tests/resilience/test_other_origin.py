"""A worker with other limits, or another parser, than its client."""

from pathlib import Path

import pytest

from bridging import bridge
from ck3parse.qbuilder_bridge import ParseFuture, enqueue_many, enqueue_parse, gather
from command import FAULTY
from reliability import Case
from servers import Server, Worker
from trial import Mod, Trial, assert_right, recorded, written

pytestmark = pytest.mark.thorough

END_LIMIT_S = 60.0
OTHER = {"CK3PARSE_MAX_DEPTH": "3"}
DIFFERENCE = "CK3PARSE_MAX_DEPTH (3 there, 10000 here)"
DEEP = "a = { b = { c = { d = { e = 1 } } } }\n"


def test_what_it_answers_is_not_stored(quick: Mod, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 3."""
    case.of("origin", "the only worker has CK3PARSE_MAX_DEPTH=3; then an embedded run")
    with (
        written(tmp_path / "deep", {"deep.txt": DEEP}) as deep,
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, "shallow", env=OTHER).wait_ready(),
        Trial(tmp_path, quick.folder, deep, broker=server.url) as trial,
    ):
        report = trial.end(END_LIMIT_S, code=3)
    assert report["failed"] == len(quick.asts) + 1 == recorded(trial.store)
    assert {failure["error_type"] for failure in report["failures"]} == {"WorkerUnavailable"}
    (told,) = report["warnings"]
    assert {failure["error"] for failure in report["failures"]} == {told}
    for words in ("shallow@", DIFFERENCE, "restart the worker"):
        assert words in told
    assert told in trial.err
    with Trial(tmp_path, quick.folder, deep) as again:
        report = again.end(END_LIMIT_S)
    assert_right(report, again.store, quick, also_parsed=1)
    assert (report["parsed"], report["warnings"]) == (len(quick.asts) + 1, [])
    case.did(report, trial.seconds, "exit 3, with what differs; the second run parses all")


def test_another_worker_does_its_work(slow: Mod, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 3."""
    case.of("origin", "one of two workers has CK3PARSE_MAX_DEPTH=3")
    with (
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, "shallow", env=OTHER).wait_ready(),
        Worker(server.url, tmp_path, "right").wait_ready(),
        Trial(tmp_path, slow.folder, broker=server.url) as trial,
    ):
        report = trial.end(END_LIMIT_S)
    assert_right(report, trial.store, slow)
    (told,) = report["warnings"]
    assert "shallow@" in told
    assert told in trial.err
    case.did(report, trial.seconds, "exit 0, with what differs")


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # Celery's, as it stores a result
def test_the_bridge_gives_none_of_it(tmp_path: Path, case: Case) -> None:
    """Issue 19, line 3."""
    case.of("origin", "the bridge's only worker has another parser")
    files = {f"f{number}.txt": DEEP for number in range(20)}
    with (
        written(tmp_path / "mod", files) as folder,
        Server(tmp_path) as server,
        Worker(server.url, tmp_path, "faulty").wait_ready(),
        bridge({"CK3PARSE_BROKER_URL": server.url}),
    ):
        paths = sorted(folder.iterdir())
        futures = [enqueue_parse(path) for path in paths]
        found = [ParseFuture.from_id(futures[0].id), *futures]
        results = [*gather(found, END_LIMIT_S), *enqueue_many(paths)]
    assert len(results) == 1 + 2 * len(files)
    assert {(result.error_type, result.ast_json) for result in results} == {
        ("WorkerUnavailable", None)
    }
    for words in ("faulty@", "CK3PARSE_PARSER", FAULTY["CK3PARSE_PARSER"]):
        assert all(words in (result.error or "") for result in results)
    case.saw(len(results), len(results), 0.0, "WorkerUnavailable, with what differs")
