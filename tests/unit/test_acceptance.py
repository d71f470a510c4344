"""Checks of the answers that a client accepts."""

import hashlib
from typing import Any

import msgspec
import pytest
import zstandard

from ck3parse.config import Settings
from ck3parse.messages import DialectName, ParseRequest, ParseResult
from ck3parse.messaging.acceptance import ANY, Acceptance, NotAcceptedError, OtherOriginError
from ck3parse.parser import parse_bytes

ORIGIN = Settings().origin("test/1", "one@host")
OURS = Acceptance(Settings().origin("test/1"))
OWN_WORKER = Acceptance(Settings().origin("test/1"), own_worker=True)
LARGE = b"".join(b"key_%d = { a = %d }\n" % (number, number**3) for number in range(20_000))


def answer(*contents: bytes, **changes: Any) -> Any:
    """Return the answer of a worker, with changes to its last result."""
    results = []
    for number, content in enumerate(contents):
        outcome = parse_bytes(content, f"{number}.txt")
        assert outcome.ast_json
        results.append(
            ParseResult(
                str(number), f"{number}.txt", True, zstandard.compress(outcome.ast_json), 3,
                content_hash=hashlib.sha256(content).hexdigest(), size=len(content),
                origin=None if number else ORIGIN,
            )
        )  # fmt: skip
    built: list[dict[str, Any]] = msgspec.to_builtins(results, builtin_types=(bytes,))
    built[-1] |= changes
    return built


def requests(count: int) -> list[ParseRequest]:
    return [ParseRequest(str(number), f"{number}.txt") for number in range(count)]


@pytest.mark.parametrize("acceptance", [ANY, OURS, OWN_WORKER])
@pytest.mark.parametrize("content", [b"", b"a = 1", LARGE], ids=["empty", "small", "large"])
def test_a_right_answer_is_accepted(acceptance: Acceptance, content: bytes) -> None:
    told = answer(b"b = 2", content)
    results = acceptance.results(requests(2), told)
    assert [result.path for result in results] == ["0.txt", "1.txt"]
    one = acceptance.result(told, 1)
    assert one is not None
    assert one.ast == told[1]["ast"]
    assert acceptance.result(told, 2) is None


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 100, 10_000])
def test_a_large_tree_that_is_cut_off_is_not(cut: int) -> None:
    frame = answer(LARGE)[0]["ast"]
    for wrong in (frame[:-cut], frame + b"\0" * cut, frame[:cut]):
        with pytest.raises(NotAcceptedError, match="an AST"):
            OURS.results(requests(1), answer(LARGE, ast=wrong))


def test_a_damaged_tree_is_not() -> None:
    """Issue 19, line 4: regardless of its headers, unless this process started the worker."""
    frame = bytearray(answer(LARGE)[0]["ast"])
    middle = len(frame) // 2
    frame[middle : middle + 64] = bytes(64)
    wrong = answer(LARGE, ast=bytes(frame))
    with pytest.raises(NotAcceptedError, match="decompressed"):
        OURS.results(requests(1), wrong)
    with pytest.raises(NotAcceptedError, match="decompressed"):
        OURS.result(wrong, 0)


def test_an_error_type_of_another_version_is_not() -> None:
    told = [{"id": "0", "path": "0.txt", "error_type": "OfALaterVersion", "error": "new"}]
    with pytest.raises(NotAcceptedError, match="OfALaterVersion"):
        OURS.results(requests(1), told)
    with pytest.raises(NotAcceptedError, match="OfALaterVersion"):
        OURS.result(told, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parser_version": "test/2"}, "CK3PARSE_PARSER ('test/2' there, 'test/1' here)"),
        ({"max_depth": 3}, "CK3PARSE_MAX_DEPTH (3 there, 10000 here)"),
        ({"worker": "evil\x1b[2J"}, None),
    ],
)
def test_what_was_made_under_other_limits_is_not(change: dict[str, Any], words: str | None) -> None:
    """Issue 19, line 3."""
    origin = msgspec.structs.replace(ORIGIN, **change)
    told = answer(b"a = 1", origin=msgspec.to_builtins(origin))
    if words is None:
        assert OURS.results(requests(1), told)
        return
    with pytest.raises(OtherOriginError) as caught:
        OURS.results(requests(1), told)
    assert words in str(caught.value)
    assert "one@host" in str(caught.value)
    assert ANY.results(requests(1), told)


def test_the_clients_limit_is_that_of_its_files() -> None:
    """Issue 19, line 3: a worker may have a higher limit than its client."""
    small = Acceptance(msgspec.structs.replace(ORIGIN, worker="", max_file_bytes=5))
    fits, large = small.results(requests(2), answer(b"a = 1", b"a = 11"))
    assert fits.ok
    assert (large.ok, large.ast, large.content_hash) == (False, None, None)
    assert (large.error_type, large.error) == (
        "FileTooLarge",
        "it has 6 bytes, more than the limit of 5 (CK3PARSE_MAX_FILE_BYTES)",
    )


def test_a_workers_smaller_limit_is_told() -> None:
    """Issue 19, line 3."""
    origin = msgspec.structs.replace(ORIGIN, max_file_bytes=5)
    told = answer(b"a = 1", b"a = 11")
    told[0]["origin"] = msgspec.to_builtins(origin)
    told[1] = {"id": "1", "path": "1.txt", "error_type": "FileTooLarge", "error": "it is too large"}
    fits, large = OURS.results(requests(2), told)
    assert fits.ok
    assert large.error is not None
    assert "'one@host', and the one here is 67,108,864: give both the same" in large.error


def test_a_workers_name_cannot_steer_the_terminal() -> None:
    origin = msgspec.structs.replace(ORIGIN, worker="\x1b[2J", max_depth=1)
    with pytest.raises(OtherOriginError) as caught:
        OURS.results(requests(1), answer(b"a = 1", origin=msgspec.to_builtins(origin)))
    assert str(caught.value).isprintable()


def test_what_does_not_say_how_it_parses_is_not() -> None:
    """Issue 19, line 3: workers of earlier versions do not say it."""
    told = answer(b"a = 1")
    del told[0]["origin"]
    with pytest.raises(OtherOriginError, match="upgrade"):
        OURS.results(requests(1), told)


def test_a_content_has_the_size_that_was_sent() -> None:
    sent = [ParseRequest("0", name="0.txt", content=b"a = 1")]
    assert OURS.results(sent, answer(b"a = 1"))
    with pytest.raises(NotAcceptedError, match="size"):
        OURS.results(sent, answer(b"a = 11"))


def test_a_text_has_no_hash() -> None:
    told = answer(b"a = 1")
    del told[0]["content_hash"], told[0]["size"]
    assert OURS.results([ParseRequest("0", text="a = 1", name="0.txt")], told)
    with pytest.raises(NotAcceptedError, match="hash"):
        OURS.results(requests(1), told)


CK3 = Acceptance(Settings().origin("test/1"), versions={"ck3raven": "test/1", "ck3": "ck3/7"})


@pytest.mark.parametrize("acceptance", [CK3, ANY])
def test_the_tree_is_of_the_dialect_that_was_asked_for(acceptance: Acceptance) -> None:
    asked = [ParseRequest("0", "0.txt", dialect="ck3")]
    told = answer(b"a = 1", parser_version="ck3/7")
    assert acceptance.results(asked, told)
    assert acceptance.result(told, 0)
    with pytest.raises(OtherOriginError, match="answers in the dialect 'ck3/7', and not in"):
        acceptance.results(requests(1), told)
    # A worker that does not know of dialects answers in the only one that it has.
    with pytest.raises(
        OtherOriginError, match="answers in the dialect 'ck3raven', and not in 'ck3"
    ):
        acceptance.results(asked, answer(b"a = 1"))


def test_the_tree_is_of_the_version_that_this_client_knows() -> None:
    asked = [ParseRequest("0", "0.txt", dialect="ck3")]
    told = answer(b"a = 1", parser_version="ck3/8")
    with pytest.raises(OtherOriginError, match="dialect 'ck3/8', and not in 'ck3/7'"):
        CK3.results(asked, told)
    with pytest.raises(OtherOriginError, match="dialect 'ck3/8', and not in 'ck3/7'"):
        CK3.result(told, 0)


def test_a_failure_without_a_parse_has_no_dialect() -> None:
    asked = [ParseRequest("0", "0.txt", dialect="ck3")]
    told = answer(b"a = 1")
    told[0] |= {"ok": False, "error_type": "FileNotFoundError", "error": "gone", "ast": None}
    assert CK3.results(asked, told)[0].error == "gone"


ROWS = zstandard.compress(b'{"symbols":[],"refs":[]}')
KNOWN = msgspec.to_builtins(msgspec.structs.replace(ORIGIN, extractors=["qbuilder/1"]))
EXTRACT = ParseRequest("0", "0.txt", extract=["qbuilder/1"])


def extracted(**changes: Any) -> Any:
    """Return the answer of a worker with rows, with changes to it."""
    return answer(b"a = 1", **{"origin": KNOWN, "rows": {"qbuilder/1": ROWS}, **changes})


@pytest.mark.parametrize("acceptance", [ANY, OURS, OWN_WORKER])
def test_rows_that_were_asked_for_are_accepted(acceptance: Acceptance) -> None:
    request = msgspec.structs.replace(EXTRACT, want_ast=False)
    (result,) = acceptance.results([request], extracted(ast=None))
    assert result.rows == {"qbuilder/1": ROWS}
    errors = {"qbuilder/1": "it failed"}
    (result,) = acceptance.results([EXTRACT], extracted(rows={}, extract_errors=errors))
    assert result.extract_errors == errors


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": {}},
        {"rows": {"qbuilder/1": ROWS, "other/1": ROWS}},
        {"rows": {"qbuilder/2": ROWS}},
        {"extract_errors": {"qbuilder/1": "it failed too"}},
        {"extract_errors": {"other/1": "it failed"}},
        {"ok": False, "ast": None, "error_type": "ParseError"},
    ],
    ids=["missing", "more", "version", "both", "error", "failed"],
)
@pytest.mark.parametrize("acceptance", [ANY, OURS, OWN_WORKER])
def test_other_rows_are_not(acceptance: Acceptance, changes: dict[str, Any]) -> None:
    with pytest.raises(NotAcceptedError, match="rows"):
        acceptance.results([EXTRACT], extracted(**changes))


@pytest.mark.parametrize(
    "frame",
    [b"no frame", ROWS[:-1], zstandard.compress(b"{" + b" " * 100_000 + b"}")],
    ids=["no-frame", "cut", "large"],
)
@pytest.mark.parametrize("acceptance", [ANY, OURS])
def test_rows_in_a_broken_frame_are_not(acceptance: Acceptance, frame: bytes) -> None:
    with pytest.raises(NotAcceptedError, match="an extractor's JSON"):
        acceptance.results([EXTRACT], extracted(rows={"qbuilder/1": frame}))


def test_rows_that_nobody_asked_for_are_not() -> None:
    with pytest.raises(NotAcceptedError, match="rows"):
        OURS.results(requests(1), extracted())


def test_an_ast_that_nobody_asked_for_is_not() -> None:
    request = msgspec.structs.replace(EXTRACT, want_ast=False)
    with pytest.raises(NotAcceptedError, match="an AST that was not requested"):
        OURS.results([request], extracted())


@pytest.mark.parametrize("known", [[], ["qbuilder/2"]])
def test_a_worker_with_another_version_of_an_extractor_is_named(known: list[str]) -> None:
    errors = {"qbuilder/1": "there is no extractor 'qbuilder/1'"}
    origin = {**KNOWN, "extractors": known}
    told = extracted(rows={}, extract_errors=errors, origin=origin)
    with pytest.raises(OtherOriginError, match="'one@host' does not have the extractor qbuilder/1"):
        OURS.results([EXTRACT], told)
    assert ANY.results([EXTRACT], told)


def test_a_worker_that_does_not_know_extractors_is_named() -> None:
    """One of an earlier version ignores the field."""
    with pytest.raises(OtherOriginError, match="does not have the extractor"):
        OURS.results([EXTRACT], answer(b"a = 1"))


@pytest.mark.parametrize("piece", [b'a""', b"a ", b'""', b"{}"])
@pytest.mark.parametrize("dialect", ["ck3raven", "ck3"])
def test_the_densest_trees_are_accepted(piece: bytes, dialect: DialectName) -> None:
    content = piece * (1_000_000 // len(piece))
    outcome = parse_bytes(content, "0.txt", dialect=dialect)
    assert outcome.ast_json
    # In a file of 64 MB, offsets and columns have one or two more digits.
    longer = b"0" * (outcome.ast_json.count(b'"line"') * 6)
    frame = zstandard.compress(outcome.ast_json[:-1] + longer + b"}")
    told = answer(content, ast=frame, parser_version="" if dialect == "ck3raven" else "ck3/7")
    assert CK3.results([ParseRequest("0", "0.txt", dialect=dialect)], told)


ASKED_FOR_AN_INDEX = [
    msgspec.structs.replace(request, extract=["ck3/1"]) for request in requests(2)
]


@pytest.mark.parametrize("errors", [{}, {"ck3/1": "there is no extractor 'ck3/1'"}])
def test_a_worker_may_lack_what_is_dispensable(errors: dict[str, str]) -> None:
    told = answer(b"a = 1", b"b = 2", extract_errors=errors)
    lenient = msgspec.structs.replace(OURS, dispensable=frozenset({"ck3/1"}))
    results = lenient.results(ASKED_FOR_AN_INDEX, told)
    assert [(result.ok, result.rows, result.extract_errors) for result in results] == [
        (True, {}, {}),
        (True, {}, {}),
    ]
    with pytest.raises(OtherOriginError, match="does not have the extractor ck3/1"):
        OURS.results(ASKED_FOR_AN_INDEX, told)
    both = [msgspec.structs.replace(ASKED_FOR_AN_INDEX[0], extract=["ck3/1", "qbuilder/1"])]
    with pytest.raises(OtherOriginError, match="does not have the extractor ck3/1, qbuilder/1"):
        lenient.results(both, answer(b"a = 1"))
    # There is nothing to take if rows are all that was asked for.
    rows_only = [msgspec.structs.replace(ASKED_FOR_AN_INDEX[0], want_ast=False)]
    with pytest.raises(OtherOriginError, match="does not have the extractor ck3/1"):
        lenient.results(rows_only, answer(b"a = 1", ast=None))
