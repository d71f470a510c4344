import subprocess
import sys
from pathlib import Path

import pytest

from ck3parse.config import Settings
from ck3parse.errors import ErrorType
from ck3parse.extractors import CK3, LOCALIZATION
from ck3parse.messages import ParseRequest
from ck3parse.parser.outcome import ParseOutcome
from ck3parse.parser.reference import parse_bytes
from ck3parse.worker.handler import request_handler

SCRIPT = """
import resource, sys
from ck3parse.worker.handler import request_handler
from ck3parse.config import Settings
from ck3parse.extractors import CK3, LOCALIZATION
from ck3parse.messages import ParseRequest

answer = request_handler(Settings())
bomb, small = sys.argv[1:]
limit = 400 * 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in (bomb, small, bomb, small):
    print(answer(ParseRequest("1", path, name="a.txt")).error_type)
"""


def test_a_file_whose_ast_takes_too_much_memory_fails_and_the_process_goes_on(
    tmp_path: Path,
) -> None:
    bomb, small = tmp_path / "bomb.txt", tmp_path / "small.txt"
    bomb.write_bytes(b"a " * 10_000_000)
    small.write_bytes(b"a = 1")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, bomb, small], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["MemoryError", "None"] * 2, done.stderr


def custom_parser(data: bytes, name: str, *, mode: str) -> ParseOutcome:
    return parse_bytes(data, name, mode="recover" if mode == "recover" else "strict")


def test_a_dialect_that_the_parser_does_not_have_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CK3PARSE_PARSER", f"{__name__}:custom_parser")
    handle = request_handler(Settings())
    assert handle(ParseRequest("1", text="a = 1", name="a.txt")).ok
    result = handle(ParseRequest("1", text="a = 1", name="a.txt", dialect="ck3"))
    assert (result.ok, result.error_type) == (False, ErrorType.WORKER_UNAVAILABLE)
    assert result.error
    assert "custom_parser does not parse the dialect 'ck3'" in result.error


def test_a_localization_file_is_answered_with_its_texts() -> None:
    content = '\ufeffl_english:\n k: "$x$"\n broken: "'.encode()
    request = ParseRequest(
        "1", name="a.yml", content=content, extract=[LOCALIZATION], want_ast=False
    )
    result = request_handler(Settings())(request)
    assert (result.ok, result.ast, result.node_count) == (True, None, 1)
    assert [each.code for each in result.diagnostics] == ["CK3-L010"]
    assert result.rows_json(LOCALIZATION) == (
        b'{"header":"english","texts":[[2,"k","$x$"]],"uses":[[2,"x"]]}'
    )


@pytest.mark.parametrize(
    ("extract", "want_ast"), [([LOCALIZATION], True), ([LOCALIZATION, CK3], False)]
)
def test_a_localization_file_has_nothing_but_texts(extract: list[str], want_ast: bool) -> None:
    request = ParseRequest("1", name="a.yml", content=b"", extract=extract, want_ast=want_ast)
    result = request_handler(Settings())(request)
    assert not result.ok
    assert result.error_type == ErrorType.WORKER_UNAVAILABLE
    assert result.error is not None
    assert "ask for localization/1 alone" in result.error
