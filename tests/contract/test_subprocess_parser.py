"""The pipeline and a subprocess for each file give the same results, byte for byte."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridging import faulty_pipeline, told
from ck3parse.bridge.engine import SWITCH
from ck3parse.parser import reference
from ck3parse.qbuilder_bridge import (
    ParseResult,
    ParseSubprocessError,
    ParseTimeoutError,
    enqueue_many,
    enqueue_parse,
    gather,
    is_pool_enabled,
    parse_file,
    parse_text,
)

FILES: dict[str, bytes] = {
    "plain.txt": b"trait = { index = 1 }\n",
    "empty.txt": b"",
    "bom.txt": b"\xef\xbb\xbfa = 1\r\nb = 2\r",
    "not_utf8.txt": b'name = "\xe9\xff"\n',
    "é ü.txt": "name = \u00d8yfolk\n".encode(),
    "nul.txt": b"a = \0",
    "brace.txt": b"a = {\n\tb = {",
    "stray.txt": b"a = 1\n}",
    "quote.txt": b'a = "b',
    "bug.txt": b"fault = bug",
    "memory.txt": b"fault = memory",
    "long.txt": b"a = b " * 20_000,
}


@pytest.fixture(scope="module")
def switch() -> Iterator[pytest.MonkeyPatch]:
    with faulty_pipeline() as patch:
        yield patch


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for name, content in FILES.items():
        path = tmp_path / name
        path.write_bytes(content)
        paths.append(path)
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "link.txt").symlink_to("nowhere")
    return [*paths, tmp_path / "missing.txt", tmp_path / "folder.txt", tmp_path / "link.txt"]


def both_ways(
    switch: pytest.MonkeyPatch, parse: Callable[..., ParseResult], *args: object
) -> list[ParseResult]:
    results = []
    for value in ("1", "0"):
        switch.setenv(SWITCH, value)
        results.append(parse(*args))
    switch.setenv(SWITCH, "1")
    return results


def test_files(switch: pytest.MonkeyPatch, files: list[Path]) -> None:
    for path in files:
        pipeline, legacy = both_ways(switch, parse_file, path)
        assert told(pipeline) == told(legacy)
        assert pipeline.path == str(path)
        expected = reference.parse_bytes(FILES.get(path.name, b""), str(path))
        if path.name in FILES and not FILES[path.name].startswith(b"fault"):
            assert (pipeline.ast_json or "").encode() == (expected.ast_json or b"")
            assert pipeline.success == expected.success


@pytest.mark.parametrize(
    "text", ["a = 1", "", "\ufeffa = 1", "a = {", "a = 1\r\nb = 2", 'n = "\u00d8\U0001f600"']
)
@pytest.mark.parametrize("recovering", [False, True])
def test_texts(switch: pytest.MonkeyPatch, text: str, recovering: bool) -> None:
    pipeline, legacy = both_ways(switch, parse_text, text, "näme", 30, recovering)
    assert told(pipeline) == told(legacy)
    assert pipeline.path == "näme"


def test_a_syntax_error_has_a_place_and_a_diagnostic(switch: pytest.MonkeyPatch) -> None:
    for result in both_ways(switch, parse_text, "a = 1\n}"):
        assert not result.success
        assert (result.line, result.column, result.error_type) == (2, 1, "ParseError")
        assert result.ast_json is None
        (diagnostic,) = result.diagnostics
        assert (diagnostic.line, diagnostic.column, diagnostic.severity) == (2, 1, "error")
        assert result.error == f"Parse error at line 2, column 1: {diagnostic.message}"


def test_all_ways_to_ask_say_the_same(switch: pytest.MonkeyPatch, files: list[Path]) -> None:
    for value in ("1", "0"):
        switch.setenv(SWITCH, value)
        one_by_one = [told(parse_file(path)) for path in files]
        assert [told(result) for result in gather(map(enqueue_parse, files))] == one_by_one
        many = {result.path: told(result) for result in enqueue_many(files)}
        assert list(map(many.get, map(str, files))) == one_by_one
    switch.setenv(SWITCH, "1")


def test_a_hang_is_killed_at_its_limit(switch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "hang.txt"
    path.write_text("fault = hang_in_c")
    for value in ("1", "0"):
        switch.setenv(SWITCH, value)
        with pytest.raises(ParseTimeoutError) as caught:
            parse_file(path, timeout=0.5)
        assert (caught.value.filepath, caught.value.timeout) == (str(path), 0.5)
        assert str(caught.value) == f"Parse timeout after 0.5s: {path}"
    switch.setenv(SWITCH, "1")


@pytest.mark.parametrize("fault", ["segfault", "exit", "abort", "kill"])
def test_a_process_that_dies_is_an_error(
    switch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    path = tmp_path / "dies.txt"
    path.write_text(f"fault = {fault} ")
    for value in ("1", "0"):
        switch.setenv(SWITCH, value)
        with pytest.raises(ParseSubprocessError, match="the process that parsed it died") as caught:
            parse_file(path)
        assert caught.value.source == str(path)
    switch.setenv(SWITCH, "1")


@pytest.mark.parametrize(
    ("value", "enabled"),
    [("1", True), ("true", True), ("YES", True), (" on ", True)]
    + [(value, False) for value in ("0", "false", "No", "off", "", "maybe")],
)
def test_the_values_of_the_switch(
    monkeypatch: pytest.MonkeyPatch, value: str, enabled: bool
) -> None:
    monkeypatch.setenv(SWITCH, value)
    assert is_pool_enabled() is enabled
