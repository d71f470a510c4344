"""The bridge's functions, with a real server and worker."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from bridging import LIMIT_S, faulty_pipeline, told
from ck3parse.bridge import prefetch as prefetch_module
from ck3parse.bridge import requests
from ck3parse.bridge.dispatcher import MAX_CALLS
from ck3parse.errors import UsageError
from ck3parse.parser import reference
from ck3parse.qbuilder_bridge import (
    ParseFuture,
    ParsePool,
    as_completed,
    enqueue_many,
    enqueue_parse,
    enqueue_parse_text,
    gather,
    get_pool,
    parse_file,
    parse_text,
    prefetch,
    shutdown_pool,
)
from polling import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
"""Celery calls it to store a result, and a client stores results of files that it has resent."""


@pytest.fixture(scope="module", autouse=True)
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Use one pipeline for all tests, and return the file into which its parser writes names."""
    journal = tmp_path_factory.mktemp("journal") / "names"
    with faulty_pipeline() as patch:
        patch.setenv("FAULTY_JOURNAL", str(journal))
        yield journal


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"f{number:03}.txt" for number in range(300)]
    for number, path in enumerate(paths):
        path.write_text(f"key_{number} = {{ a = {number} }}\n")
    return paths


def hang(limit_ms: int = 2000) -> list[ParseFuture]:
    """Keep both worker processes busy until they are killed."""
    return [enqueue_parse_text("fault = hang", timeout_ms=limit_ms + i) for i in range(2)]


def can_be_found(future_id: str) -> bool:
    future = ParseFuture.from_id(future_id)
    try:
        return future.result(timeout=0.3).success
    except TimeoutError:
        return not future.cancel()


def parsed(journal: Path) -> list[str]:
    return journal.read_text().splitlines() if journal.exists() else []


def settled(journal: Path) -> int:
    """Return the number of parsed files when it no longer grows. A file takes milliseconds."""
    count = -1
    while count != (count := len(parsed(journal))):
        Event().wait(0.5)
    return count


# qbuilder's calls


def test_a_pool_of_ones_own(files: list[Path]) -> None:
    pool = ParsePool(num_workers=3)
    assert pool.get_stats() == {
        "num_workers": 0,
        "target_workers": 3,
        "running": False,
        "workers": [],
    }
    assert pool.parse_file(files[0]).error_type == "WorkerUnavailable"
    pool.start()
    pool.start()
    try:
        result = pool.parse_file(files[0], timeout_ms=5000)
        assert result.success
        expected = reference.parse_bytes(files[0].read_bytes(), str(files[0])).ast_json
        assert expected is not None
        assert result.ast_json == expected.decode()
        assert result.node_count == 4
        assert (result.error, result.error_type, result.diagnostics) == (None, None, [])
        stats = pool.get_stats()
    finally:
        pool.shutdown()
    assert (stats["num_workers"], stats["target_workers"], stats["running"]) == (3, 3, True)
    assert [set(worker) for worker in stats["workers"]] == [
        {"id", "pid", "alive", "parse_count"}
    ] * 3
    assert sum(worker["parse_count"] for worker in stats["workers"]) == 1
    wait_until(
        lambda: not any(Path(f"/proc/{worker['pid']}").exists() for worker in stats["workers"]),
        1.0,
        "its processes are gone",
    )
    assert not pool.get_stats()["running"]
    pool.shutdown()
    with pool:
        assert pool.parse_text("a = 1", "again").success


def test_a_pool_returns_what_functions_raise(tmp_path: Path) -> None:
    pool = get_pool()
    assert pool is get_pool()
    path = tmp_path / "bad.txt"
    for fault, error_type in [("hang", "ParseTimeoutError"), ("segfault", "WorkerCrashed")]:
        path.write_text(f"fault = {fault} ")
        result = pool.parse_file(path, timeout_ms=500)
        assert (result.success, result.ast_json, result.error_type) == (False, None, error_type)
        assert result.error
    assert pool.parse_file(tmp_path / "none.txt").error_type == "FileNotFoundError"
    assert pool.parse_text("a = {", filename="here").error_type == "ParseError"


def test_the_root_is_named_as_given(tmp_path: Path) -> None:
    (tmp_path / "ä.txt").write_text("a = 1")
    path = tmp_path / "sub" / ".." / "ä.txt"
    (tmp_path / "sub").mkdir()
    result = parse_file(str(path))
    assert json.loads(result.ast_json or "")["filename"] == str(path)
    assert json.loads(parse_text("a = 1").ast_json or "")["filename"] == "<inline>"


def test_a_shut_down_pool_starts_again() -> None:
    assert get_pool().parse_text("a = 1").success
    shutdown_pool()
    shutdown_pool()
    assert parse_text("a = 1").success
    assert get_pool().parse_text("a = 1").success


# futures


def test_gather_keeps_the_order(files: list[Path]) -> None:
    futures = [enqueue_parse(path) for path in files]
    results = gather(futures, timeout=LIMIT_S)
    assert [result.path for result in results] == list(map(str, files))
    assert all(result.success for result in results)
    assert all(future.done() for future in futures)


def test_close_calls_travel_together(files: list[Path]) -> None:
    futures = [enqueue_parse(path) for path in files]
    gather(futures)
    tasks = {future.id.partition(":")[0] for future in futures}
    assert len(tasks) < len(files) / 4


def test_a_bad_file_costs_its_batch_nothing(files: list[Path]) -> None:
    files[7].write_text("fault = segfault ")
    files[9].write_text("fault = hang")
    results = gather([enqueue_parse(path, timeout_ms=1000) for path in files[:40]])
    assert [result.error_type for result in results] == [
        {7: "WorkerCrashed", 9: "ParseTimeoutError"}.get(number) for number in range(40)
    ]


def test_as_completed(files: list[Path]) -> None:
    busy = hang()
    futures = [enqueue_parse(path) for path in files[:10]]
    done = [future.result().error_type for future in as_completed([*busy, *futures], LIMIT_S)]
    assert sorted(map(str, done)) == ["None"] * 10 + ["ParseTimeoutError"] * 2


def test_a_result_that_is_not_there_in_time() -> None:
    (busy, _) = hang()
    with pytest.raises(TimeoutError):
        busy.result(timeout=0.05)
    assert not busy.done()
    assert busy.result().error_type == "ParseTimeoutError"


def test_callbacks(files: list[Path]) -> None:
    called = Event()
    future = enqueue_parse(files[0])
    future.add_done_callback(lambda done: called.set() if done.result().success else None)
    assert called.wait(LIMIT_S)


def test_cancelling(pipeline: Path, tmp_path: Path) -> None:
    busy = hang()
    wait_until(lambda: get_pool().get_stats()["workers"], LIMIT_S, "workers answer")
    path = tmp_path / "cancelled.txt"
    path.write_text("a = 1")
    future = enqueue_parse(path)
    future.flush()
    assert future.cancel()
    assert future.cancel()
    assert future.done()
    with pytest.raises(CancelledError):
        future.result()
    assert [future] == list(as_completed([future]))
    gather(busy)
    assert parse_text("a = 1", "after").success
    assert str(path) not in parsed(pipeline)
    assert not busy[0].cancel()


def test_awaiting(files: list[Path]) -> None:
    import asyncio

    async def main() -> None:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0)

        beating = asyncio.create_task(beat())
        slow = enqueue_parse_text("fault = hang", timeout_ms=400)
        results = await asyncio.gather(*(enqueue_parse(path) for path in files[:50]))
        assert [result.path for result in results] == list(map(str, files[:50]))
        assert (await slow).error_type == "ParseTimeoutError"
        assert beats > 100
        waiting = asyncio.wrap_future(enqueue_parse_text("fault = hang", timeout_ms=400))
        waiting.cancel()
        beating.cancel()

    asyncio.run(main())


def test_a_future_found_by_its_id(files: list[Path]) -> None:
    futures = [enqueue_parse(path) for path in files[:100]]
    found = [ParseFuture.from_id(future.id) for future in futures]
    results = gather(found, timeout=LIMIT_S)
    assert list(map(told, results)) == list(map(told, gather(futures)))
    # All were taken, and are not kept any more.
    wait_until(lambda: not can_be_found(futures[0].id), LIMIT_S, "the result is forgotten")


def test_a_future_of_a_lost_batch_is_found_too(files: list[Path]) -> None:
    files[3].write_text("fault = segfault ")
    futures = [enqueue_parse(path) for path in files[:8]]
    found = [ParseFuture.from_id(future.id) for future in futures]
    types = [future.result(LIMIT_S).error_type for future in found]
    assert types == [None] * 3 + ["WorkerCrashed"] + [None] * 4
    assert types == [future.result().error_type for future in futures]


@pytest.mark.parametrize("future_id", ["", "x", ":0", "x:y", "x:-1"])
def test_no_id_of_a_future(future_id: str) -> None:
    with pytest.raises(UsageError, match="not the id of a future"):
        ParseFuture.from_id(future_id)


# many


def test_many_files_once_each(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MANY_IN_FLIGHT", 100)
    results = list(enqueue_many(iter(files)))
    assert sorted(result.path for result in results) == list(map(str, files))
    assert all(result.success for result in results)
    assert list(enqueue_many([])) == []


def test_giving_up_on_many_leaves_the_rest(tmp_path: Path, pipeline: Path) -> None:
    before = len(parsed(pipeline))
    # Five batches: when the first is done, two processes have begun four at most.
    files = [tmp_path / f"{number}.txt" for number in range(5 * MAX_CALLS)]
    for path in files:
        path.write_text("fault = slow\n")
    coming = enqueue_many(files)
    assert next(coming).success
    del coming
    assert parse_text("a = 1").success
    assert settled(pipeline) - before < len(files)


def test_single_calls_go_before_many(files: list[Path]) -> None:
    for path in files:
        path.write_text("fault = slow\n")
    coming = enqueue_many(files)
    assert enqueue_parse_text("a = 1").result().success
    assert sum(1 for _ in coming) == len(files)


def test_threads_share_it(files: list[Path]) -> None:
    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(parse_file, files))
    assert [result.path for result in results] == list(map(str, files))
    assert all(result.success for result in results)


# read-ahead


def test_what_was_parsed_ahead_is_not_parsed_again(files: list[Path], pipeline: Path) -> None:
    before = len(parsed(pipeline))
    prefetch(files)
    results = [parse_file(path) for path in files]
    assert all(result.success for result in results)
    assert [result.path for result in results] == list(map(str, files))
    assert sorted(parsed(pipeline)[before:]) == list(map(str, files))


def test_pools_use_what_was_parsed_ahead(files: list[Path], pipeline: Path) -> None:
    before = len(parsed(pipeline))
    pool = get_pool()
    prefetch(files[:50])
    assert all(pool.parse_file(path).success for path in files[:50])
    assert len(parsed(pipeline)) - before == 50


def test_what_changed_since_is_parsed_anew(files: list[Path]) -> None:
    prefetch(files[:3])
    assert "key_2" in (parse_file(files[2]).ast_json or "")
    files[0].write_text("other_size = { a = 0 }\n")
    files[1].write_text("kez_1 = { a = 1 }\n")
    os.utime(files[1], ns=(1, 1))
    assert "other_size" in (parse_file(files[0]).ast_json or "")
    assert "kez_1" in (parse_file(files[1]).ast_json or "")


def test_read_ahead_is_bounded(
    files: list[Path], pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch_module, "MAX_AHEAD_FILES", 20)
    before = len(parsed(pipeline))
    prefetch(files[:200])
    assert parse_file(files[19]).success
    assert parse_file(files[0]).success
    assert len(parsed(pipeline)) - before < 50
    # Results that nobody fetches do not delay a later call.
    prefetch(files[200:])
    for path in files[200:]:
        assert parse_file(path).success


def test_a_file_that_failed_ahead_has_its_own_try(tmp_path: Path) -> None:
    missing = tmp_path / "later.txt"
    prefetch([missing])
    missing.write_text("a = 1")
    assert parse_file(missing).success
