"""The bridge is a drop-in for qbuilder's parse pool and runtime: names, results, odd arguments.

Issue 19, line 22.
"""

import dataclasses
import json
import math
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridging import LIMIT_S, faulty_pipeline
from ck3parse.bridge.engine import SWITCH
from ck3parse.bridge.json_depth import max_braces
from ck3parse.errors import UsageError
from ck3parse.parser import parse_text as parse_here
from ck3parse.qbuilder_bridge import (
    DEFAULT_NUM_WORKERS,
    DEFAULT_PARSE_TIMEOUT,
    DEFAULT_TIMEOUT_MS,
    MAX_PARSE_TIMEOUT,
    ParseDiagnostic,
    ParsePool,
    ParseResult,
    ParseTimeoutError,
    enqueue_parse_text,
    get_pool,
    parse_file,
    parse_text,
    shutdown_pool,
)
from polling import wait_until

Asking = Callable[[str], ParseResult]


@pytest.fixture(scope="module")
def pipeline() -> Iterator[pytest.MonkeyPatch]:
    with faulty_pipeline() as patch:
        # The faulty parser knows no limits of depth.
        patch.delenv("CK3PARSE_PARSER")
        yield patch


@pytest.fixture(scope="module", params=["1", "0"], ids=["pipeline", "subprocess"])
def _switch(request: pytest.FixtureRequest, pipeline: pytest.MonkeyPatch) -> Iterator[None]:
    pipeline.setenv(SWITCH, request.param)
    shutdown_pool()
    yield
    pipeline.setenv(SWITCH, "1")
    shutdown_pool()


def by_file(folder: Path) -> Asking:
    def ask(text: str) -> ParseResult:
        path = folder / "asked.txt"
        path.write_text(text)
        return parse_file(path)

    return ask


def ways(folder: Path) -> list[Asking]:
    """Return the ways to parse a text."""
    return [
        parse_text,
        by_file(folder),
        lambda text: get_pool().parse_text(text),
        lambda text: enqueue_parse_text(text).result(),
    ]


def test_the_names_are_there() -> None:
    assert (DEFAULT_PARSE_TIMEOUT, MAX_PARSE_TIMEOUT, DEFAULT_TIMEOUT_MS) == (30, 120, 30_000)
    assert 1 <= DEFAULT_NUM_WORKERS <= 4
    assert ParsePool().num_workers == DEFAULT_NUM_WORKERS
    diagnostic = ParseDiagnostic(1, 2, 3, 4, "told")
    assert (diagnostic.code, diagnostic.severity) == ("PARSE_ERROR", "error")
    result = ParseResult(success=False, error="e", error_type="t")
    assert (result.ast_json, result.node_count, result.diagnostics) == (None, 0, [])
    assert ParseResult(True, "{}", 3).ast_json == "{}"


@pytest.mark.usefixtures("_switch")
def test_results_are_dataclasses(tmp_path: Path) -> None:
    for ask in ways(tmp_path):
        result = ask("a = 1")
        found = dataclasses.asdict(result)
        assert list(found)[:5] == ["success", "ast_json", "node_count", "error", "error_type"]
        assert found["ast_json"] == result.ast_json
        assert json.loads(json.dumps(found))["ast_json"] == found["ast_json"]
        assert dataclasses.replace(result) == result == pickle.loads(pickle.dumps(result))  # noqa: S301
        result.ast_json, result.node_count = "{}", 7
        assert (result.ast_json, result.node_count) == ("{}", 7)
        (diagnostic,) = dataclasses.asdict(ask("a = {"))["diagnostics"]
        assert diagnostic["line"] == 1


@pytest.mark.usefixtures("_switch")
def test_an_error_begins_with_its_place(tmp_path: Path) -> None:
    for ask in ways(tmp_path):
        result = ask("a = 1\n}")
        assert (result.error_type, result.line, result.column) == ("ParseError", 2, 1)
        assert (result.error or "").startswith("Parse error at line 2, column 1: ")
        result = ask('a = 1\nb = "c')
        assert (result.error_type, result.line, result.column) == ("LexerError", 2, 5)
        assert (result.error or "").startswith("Lexer error at line 2, column 5: ")
        assert [told.message for told in result.diagnostics] == [(result.error or "")[33:]]


@pytest.mark.usefixtures("_switch")
@pytest.mark.parametrize("timeout", [0, -1, -0.5, math.nan, -math.inf])
def test_no_time_at_all_is_a_timeout(tmp_path: Path, timeout: float) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    with pytest.raises(ParseTimeoutError, match=r"Parse timeout after .*: here"):
        parse_text("a = 1", "here", timeout)
    with pytest.raises(ParseTimeoutError, match=r"Parse timeout after .*: .*a\.txt"):
        parse_file(path, timeout)
    pool = get_pool()
    for result in (pool.parse_text("a = 1", "here", timeout), pool.parse_file(path, timeout)):
        assert (result.success, result.error_type) == (False, "ParseTimeoutError")
        assert (result.error or "").startswith(f"Parse timeout after {timeout}ms: ")


@pytest.mark.usefixtures("_switch")
@pytest.mark.parametrize("timeout", [None, 30.5, 10**30, 1e300, math.inf])
def test_any_other_time_is_brought_within_limits(tmp_path: Path, timeout: float | None) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a = 1")
    milliseconds = None if timeout is None else timeout * 1000
    assert parse_text("a = 1", timeout=timeout).success
    assert parse_file(path, timeout).success
    assert get_pool().parse_text("a = 1", timeout_ms=milliseconds).success
    assert get_pool().parse_file(path, milliseconds).success


@pytest.mark.usefixtures("_switch")
def test_a_lone_surrogate_is_read_as_what_is_no_utf8() -> None:
    for name in ("name", "na\udcffme"):
        for parse in (parse_text, get_pool().parse_text):
            result = parse('a = "\ud800\udfffx"', name)
            expected = parse_here('a = "\ufffd\ufffdx"', name.replace("\udcff", "\ufffd"))
            assert (result.ast_json or "").encode() == expected.ast_json
            result = parse("a = 1 \ud800", name)
            assert (result.error_type, result.line, result.column) == ("LexerError", 1, 7)
    with pytest.raises(UsageError, match="surrogates"):
        enqueue_parse_text("a = \ud800")


@pytest.mark.usefixtures("_switch")
def test_what_json_cannot_read_back_is_an_error(tmp_path: Path) -> None:
    for written in ("k = {", "{"):
        for ask in ways(tmp_path):
            deepest = max_braces()
            result = ask(written * deepest + "a = b" + "}" * deepest)
            assert result.success, result.error
            tree = json.loads(result.ast_json or "")
            assert len(tree["children"]) == 1
            too_deep = f"{written * deepest}\n{written}{'}' * (deepest + 1)}"
            result = ask(too_deep)
            assert (result.error_type, result.line) == ("ParseError", 2)
            assert result.column == len(written)
            assert "nested deeper than the limit" in (result.error or "")
            result = ask(written * 15_000 + "}" * 15_000)
            assert result.error_type == "ParseError"


def test_a_pool_has_workers(pipeline: pytest.MonkeyPatch) -> None:
    pipeline.setenv(SWITCH, "1")
    shutdown_pool()
    pool = get_pool()
    wait_until(lambda: pool.workers, LIMIT_S, "they are up")
    workers = pool.workers
    assert [worker.worker_id for worker in workers] == list(range(len(workers)))
    for worker in workers:
        assert worker.alive
        worker.kill()
        wait_until(lambda killed=worker: not killed.alive, LIMIT_S, "it is gone")  # type: ignore[misc]
        worker.kill()
    assert pool.parse_text("a = 1").success
    killed = {worker.pid for worker in workers}

    def replaced() -> bool:
        others = [worker.pid for worker in pool.workers if worker.alive]
        return len(others) == len(killed) and killed.isdisjoint(others)

    wait_until(replaced, LIMIT_S, "others have taken their places")
