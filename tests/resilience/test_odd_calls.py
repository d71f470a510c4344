"""Programs that use the bridge in unusual ways: callbacks, folders, arguments."""

import asyncio
import concurrent.futures
import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridging import LIMIT_S, bridge, faulty_pipeline
from ck3parse.bridge import requests
from ck3parse.bridge.engine import SWITCH, engine, running_pipeline
from ck3parse.errors import UsageError
from ck3parse.messages import ParseRequest
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
from reliability import Case


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine that parses."""
    if request.param == "pipeline":
        with faulty_pipeline():
            yield request.param
    else:
        with bridge({SWITCH: "0", "CK3PARSE_WORKERS": "1"}):
            yield request.param


both_ways = pytest.mark.parametrize("way", ["pipeline", "subprocesses"], indirect=True)
by_pipeline = pytest.mark.parametrize("way", ["pipeline"], indirect=True)
uses = pytest.mark.usefixtures("way")


def raising(error: BaseException) -> Callable[[object], None]:
    def callback(_: object) -> None:
        raise error

    return callback


# callbacks


@both_ways
@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()],
    ids=repr,
)
def test_a_callback_ends_nobody_else(way: str, error: BaseException, case: Case) -> None:
    """Issue 19, line 10."""
    case.of("program", f"a callback raises {type(error).__name__}, {way}")
    heard = threading.Event()
    futures = [enqueue_parse_text(f"a = {number}") for number in range(5)]
    for future in futures:
        future.add_done_callback(raising(error))
        future.add_done_callback(lambda _: heard.set())
    assert all(result.success for result in gather(futures, LIMIT_S))
    assert heard.wait(LIMIT_S)

    async def later() -> bool:
        future = enqueue_parse_text("b = 1")
        future.add_done_callback(raising(error))
        return bool((await asyncio.wait_for(future_of(future), LIMIT_S)).success)

    assert asyncio.run(later())
    assert enqueue_parse_text("c = 1").result(LIMIT_S).success
    case.saw(7, 7, 0.0, "all answered, the other callbacks called too")


async def future_of(future: ParseFuture) -> Any:
    return await future


WAITS: dict[str, Callable[[ParseFuture], object]] = {
    "parse_file": lambda _: parse_file(__file__),
    "parse_text": lambda _: parse_text("x = 1"),
    "result": lambda other: other.result(),
    "exception": lambda other: other.exception(),
    "gather": lambda other: gather([other]),
    "as_completed": lambda other: list(as_completed([other])),
    "enqueue_many": lambda _: list(enqueue_many([__file__])),
    "pool": lambda _: get_pool().parse_text("x = 1"),
    "await": lambda other: asyncio.run(future_of(other)),
}


@both_ways
def test_a_wait_that_cannot_end_is_an_error(way: str, case: Case) -> None:
    """Issue 19, line 10."""
    case.of("program", f"callbacks wait for other results, {way}")
    assert enqueue_parse_text("a = 1").result(LIMIT_S).success
    raised: dict[str, object] = {}
    for name, wait in WAITS.items():
        if way == "subprocesses" and name in ("parse_file", "parse_text"):
            continue  # each text has its own process, for which the caller waits
        done = threading.Event()
        asked, other = (
            enqueue_parse_text("b = 1"),
            enqueue_parse_text("fault = hang", timeout_ms=900),
        )

        def callback(
            _: object,
            name: str = name,
            wait: Callable[[ParseFuture], object] = wait,
            other: ParseFuture = other,
            done: threading.Event = done,
        ) -> None:
            try:
                wait(other)
            except UsageError as error:
                raised[name] = error
            finally:
                done.set()

        asked.add_done_callback(callback)
        asked.flush()
        assert done.wait(LIMIT_S), name
        assert "a callback cannot wait" in str(raised.get(name)), name
        assert enqueue_parse_text("c = 1").result(LIMIT_S).success
    case.saw(len(raised), len(raised), 0.0, "each an error at once that says what to do")


@both_ways
@uses
def test_what_is_done_can_be_asked_for_in_a_callback() -> None:
    """Issue 19, line 10."""
    first = enqueue_parse_text("a = 1")
    assert first.result(LIMIT_S).success
    found: list[bool] = []
    done = threading.Event()

    def callback(second: ParseFuture) -> None:
        found.extend([first.result().success, second.result().success])
        found.extend(future.result().success for future in as_completed([first, second]))
        with pytest.raises(TimeoutError):
            enqueue_parse_text("fault = hang", timeout_ms=500).result(timeout=0)
        done.set()

    enqueue_parse_text("b = 1").add_done_callback(callback)
    engine().flush()
    assert done.wait(LIMIT_S)
    assert found == [True] * 4


@both_ways
@uses
def test_a_callback_may_shut_the_pool_down() -> None:
    """Issue 19, line 10."""
    done = threading.Event()

    def callback(_: object) -> None:
        shutdown_pool()
        done.set()

    future = enqueue_parse_text("a = 1")
    future.add_done_callback(callback)
    assert future.result(LIMIT_S).success
    assert done.wait(LIMIT_S)
    assert enqueue_parse_text("a = 1").result(LIMIT_S).success


@by_pipeline
@uses
def test_an_iterator_that_is_collected_amid_a_call_stops_nothing(tmp_path: Path) -> None:
    """Issue 19, line 10: the garbage collector may call into the bridge."""
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    old = gc.get_threshold()
    gc.set_threshold(20)  # so that it runs within calls
    try:
        for _ in range(300):
            cycle: list[Any] = [enqueue_many([path])]
            cycle.append(cycle)
            del cycle
            enqueue_parse_text("a = 1")
    finally:
        gc.set_threshold(*old)
    assert enqueue_parse_text("a = 1").result(LIMIT_S).success


# folders


@by_pipeline
@uses
@pytest.mark.parametrize("how", ["enqueue_parse", "enqueue_many", "prefetch", "pool"])
def test_a_path_is_that_of_the_moment_when_it_was_asked_for(
    how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: Case
) -> None:
    """Issue 19, line 11."""
    case.of("program", f"changes its folder right after {how}")
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(f"{folder} = yes")
    name = "a.txt"
    monkeypatch.chdir(tmp_path / "first")
    # Nothing is sent before the folder has changed.
    held, moved = threading.Event(), threading.Event()
    holding = enqueue_parse_text("a = 1")

    def hold(_: object) -> None:
        held.set()
        moved.wait(LIMIT_S)

    holding.add_done_callback(hold)
    holding.flush()
    assert held.wait(LIMIT_S)
    threading.Timer(0.3, moved.set).start()
    if how == "enqueue_parse":
        future = enqueue_parse(name)
        os.chdir(tmp_path / "second")
        result = future.result(LIMIT_S)
    elif how == "enqueue_many":
        coming = enqueue_many([name])
        os.chdir(tmp_path / "second")
        (result,) = coming
    elif how == "prefetch":
        prefetch([name])
        os.chdir(tmp_path / "second")
        assert "second" in (parse_file(name).ast_json or "")
        os.chdir(tmp_path / "first")
        result = parse_file(name)
    else:
        result = get_pool().parse_file(name)
        os.chdir(tmp_path / "second")
        assert "second" in (get_pool().parse_file(name).ast_json or "")
    assert "first" in (result.ast_json or "")
    assert result.path == name
    assert '"filename": "a.txt"' in (result.ast_json or "").replace('":"', '": "')
    case.saw(1, 1, 0.0, "the tree of the file that was meant, by the name it was given")


@both_ways
@uses
def test_a_folder_that_is_gone_has_no_files(tmp_path: Path) -> None:
    """Issue 19, line 11."""
    code_folder = Path.cwd()
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    try:
        gone.rmdir()
        results = [parse_file("a.txt"), enqueue_parse("a.txt").result(LIMIT_S)]
        results += [*enqueue_many(["a.txt", "a.txt", ""])]
    finally:
        os.chdir(code_folder)
    assert [result.error_type for result in results] == ["FileNotFoundError"] * 5
    assert {result.path for result in results} == {"a.txt", ""}


# arguments


class Text(str):
    """A subclass of `str`, as in markup libraries."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


class Odd:
    def __init__(self, path: object) -> None:
        self._path = path

    def __fspath__(self) -> Any:
        if isinstance(self._path, Exception):
            raise self._path
        return self._path


def neighbours() -> list[ParseFuture]:
    return [enqueue_parse_text(f"a = {number}") for number in range(20)]


GOOD: dict[str, Callable[[Path], ParseFuture]] = {
    "text": lambda _: enqueue_parse_text(Text("a = 1"), Text("name")),
    "path": lambda path: enqueue_parse(Text(path)),
    "path object": lambda path: enqueue_parse(Odd(Text(path))),
    "mode": lambda path: enqueue_parse(path, mode=Text("recover")),  # type: ignore[arg-type]
    "float": lambda path: enqueue_parse(path, timeout_ms=9000.5),  # type: ignore[arg-type]
}
BAD: dict[str, Callable[[Path], object]] = {
    "bytes as path": lambda path: enqueue_parse(bytes(path)),  # type: ignore[arg-type]
    "bytes of an object": lambda path: enqueue_parse(Odd(bytes(path))),
    "an object's own error": lambda _: enqueue_parse(Odd(ZeroDivisionError())),
    "number as path": lambda _: enqueue_parse(5),  # type: ignore[arg-type]
    "none as path": lambda _: enqueue_parse(None),  # type: ignore[arg-type]
    "bytes as text": lambda _: enqueue_parse_text(b"a = 1"),  # type: ignore[arg-type]
    "number as name": lambda _: enqueue_parse_text("a = 1", 5),  # type: ignore[arg-type]
    "long name": lambda _: enqueue_parse_text("a = 1", "x" * 100_000),
    "mode": lambda path: enqueue_parse(path, mode="lax"),  # type: ignore[arg-type]
    "no mode": lambda path: enqueue_parse(path, mode=None),  # type: ignore[arg-type]
    "huge limit": lambda path: enqueue_parse(path, timeout_ms=10**30),
    "negative limit": lambda path: enqueue_parse(path, timeout_ms=-5),
    "bool as limit": lambda path: enqueue_parse(path, timeout_ms=True),
    "text as limit": lambda path: enqueue_parse(path, timeout_ms="9"),  # type: ignore[arg-type]
    "many": lambda path: list(enqueue_many([path, path, b"x"])),  # type: ignore[list-item]
    "ahead": lambda path: prefetch([path, b"x"]),  # type: ignore[list-item]
}


@by_pipeline
@uses
@pytest.mark.parametrize("what", GOOD)
def test_what_can_be_understood_is(what: str, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 12."""
    case.of("program", f"a class of its own as {what}")
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    others = neighbours()
    assert GOOD[what](path).result(LIMIT_S).success
    assert all(result.success for result in gather(others, LIMIT_S))
    case.saw(21, 21, 0.0, "parsed, as all others of its batch")


@by_pipeline
@uses
@pytest.mark.parametrize("what", BAD)
def test_a_bad_call_is_its_own(what: str, tmp_path: Path, case: Case) -> None:
    """Issue 19, line 12."""
    case.of("program", f"a bad argument: {what}")
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    others = neighbours()
    with pytest.raises((UsageError, TypeError, ZeroDivisionError)):
        BAD[what](path)
    assert all(result.success for result in gather(others, LIMIT_S))
    assert parse_text("a = 1").success
    case.saw(20, 20, 0.0, "an error in that call, all others of its batch parsed")


def test_a_text_that_is_too_large_fails_as_a_file_does(case: Case) -> None:
    """Issue 19, line 12."""
    case.of("program", "a text of 360 MB")
    with faulty_pipeline():
        others = neighbours()
        result = enqueue_parse_text("a = 1\n" * 60_000_000).result(LIMIT_S)
        assert result.error_type == "FileTooLarge"
        assert "360,000,000 bytes, more than the limit of 67,108,864" in (result.error or "")
        assert all(one.success for one in gather(others, LIMIT_S))
    case.saw(21, 21, 0.0, "FileTooLarge, the others parsed")
    for switch in ("0", "1"):
        with bridge({SWITCH: switch, "CK3PARSE_MAX_FILE_BYTES": "100", "CK3PARSE_WORKERS": "1"}):
            for text in ("x" * 101, "\u00e9" * 51):
                assert parse_text(text).error_type == "FileTooLarge"
            assert parse_text("x = 1" + " " * 95).success


@both_ways
@uses
def test_names_that_are_too_long_are_answers() -> None:
    """Issue 19, line 12."""
    names = ["x" * 300, "x/" * 3000, "x" * 100_000, "nul\0"]
    results = {result.path: result.error_type for result in enqueue_many(names)}
    assert results == dict(zip(names, ["PathNotAllowed"] * 3 + ["FileNotFoundError"], strict=True))


@by_pipeline
@uses
def test_what_cannot_be_packed_costs_its_neighbours_nothing() -> None:
    """Issue 19, line 12: an error that no check expects."""
    others = neighbours()
    bad = requests.ask(ParseRequest("", text=Text("a = 1")), engine(), keep=True)
    more = neighbours()
    result = bad.result(LIMIT_S)
    assert (result.success, result.error_type) == (False, "InternalError")
    assert all(one.success for one in gather([*others, *more], LIMIT_S))


# counts


def not_utf8(folder: Path, count: int) -> list[str]:
    names = [
        os.fsdecode(os.fsencode(folder) + b"/caf\xe9%d.txt" % number) for number in range(count)
    ]
    for name in names:
        Path(name).write_text("a = 1")
    return names


@both_ways
@uses
def test_there_are_as_many_results_as_requests(tmp_path: Path) -> None:
    """Issue 19, line 13."""
    sound = tmp_path / "a.txt"
    sound.write_text("a = 1")
    odd = not_utf8(tmp_path, 3)
    paths = [*odd, str(sound), odd[0], str(sound), str(tmp_path / "none.txt"), odd[0]]
    results = list(enqueue_many(paths))
    assert sorted(ascii(result.path) for result in results) == sorted(map(ascii, paths))
    assert sorted(str(result.error_type) for result in results) == sorted(
        ["PathNotAllowed"] * 5 + ["None"] * 2 + ["FileNotFoundError"]
    )
    futures = [enqueue_parse(path) for path in paths]
    assert [result.path for result in gather([*futures, *futures], LIMIT_S)] == paths * 2
    assert len(list(as_completed([*futures, *futures], LIMIT_S))) == 2 * len(paths)
    prefetch(paths)
    assert [parse_file(path).path for path in paths] == paths


@by_pipeline
@uses
def test_what_the_paths_raise_costs_no_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Issue 19, line 13."""
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    monkeypatch.setattr(requests, "MANY_IN_FLIGHT", 8)

    def paths() -> Iterator[Path]:
        for _ in range(20):
            yield path
        raise ZeroDivisionError

    coming = enqueue_many(paths())
    assert [next(coming).success for _ in range(20)] == [True] * 20
    with pytest.raises(ZeroDivisionError):
        next(coming)


@by_pipeline
@uses
def test_a_result_taken_twice_leaves_its_neighbour_s() -> None:
    """Issue 19, line 14."""
    first, second = enqueue_parse_text("a = 1"), enqueue_parse_text("b = 1")
    assert first.id.partition(":")[0] == second.id.partition(":")[0]
    for _ in range(2):
        assert first.result(LIMIT_S).success
        assert asyncio.run(future_of(first)).success
    assert len(gather([first, first], LIMIT_S)) == 2
    # Whatever was to be forgotten is once something else has come.
    assert enqueue_parse_text("c = 1").result(LIMIT_S).success
    assert enqueue_parse_text("c = 1").result(LIMIT_S).success
    assert ParseFuture.from_id(second.id).result(LIMIT_S).ast_json == second.result().ast_json


# threads


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ck3parse")]


@pytest.mark.parametrize("switch", ["0", "1"])
def test_closed_pools_leave_no_threads(switch: str, tmp_path: Path) -> None:
    """Issue 19, line 17."""
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    with bridge({SWITCH: switch, "CK3PARSE_WORKERS": "2"}):
        before = ours()
        for _ in range(3):
            with ParsePool(4) as pool:
                assert pool.parse_text("a = 1").success
        prefetch([path] * 3)
        many = enqueue_many([path] * 3)
        shutdown_pool()
        del many
        assert not running_pipeline()
        wait_until(lambda: ours() == before, LIMIT_S, "no thread is left")


def test_closing_ends_what_runs_and_answers_what_waits() -> None:
    """Issue 19, line 17."""
    with bridge({SWITCH: "0", "CK3PARSE_WORKERS": "1"}):
        futures = [enqueue_parse_text("a = 1") for _ in range(5)]
        shutdown_pool()
        done = concurrent.futures.wait(futures, LIMIT_S).done
        assert done == set(futures)
        assert futures[-1].result().error_type == "WorkerUnavailable"
        assert not ours()
