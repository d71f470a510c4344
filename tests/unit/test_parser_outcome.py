"""Outcomes that a user's own parser may return."""

from typing import Any

import pytest

from ck3parse.errors import ErrorType
from ck3parse.parser.outcome import ParseOutcome, checked
from ck3parse.parser.reference import parse_bytes

WRONG: dict[str, Any] = {
    "nothing": None,
    "a pair": (True, b"{}"),
    "a success without a tree": ParseOutcome(True),
    "a success with an error": ParseOutcome(True, b"{}", error_type=ErrorType.PARSE_ERROR),
    "a tree of text": ParseOutcome(True, "{}"),  # type: ignore[arg-type]
    "a tree that is no object": ParseOutcome(True, b"[]"),
    "an unknown error type": ParseOutcome(False, error_type="Nonsense"),  # type: ignore[arg-type]
    "an error type that is not the content's": ParseOutcome(False, error_type=ErrorType.MEMORY),
    "a failure without an error type": ParseOutcome(False),
    "fewer than no nodes": ParseOutcome(True, b"{}", -1),
    "too many nodes": ParseOutcome(True, b"{}", 2**63),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_outcome_is_an_error(what: str) -> None:
    """Issue 19, line 4: otherwise its answer would be refused by every client."""
    with pytest.raises((TypeError, ValueError), match="the parser"):
        checked(WRONG[what])


@pytest.mark.parametrize("mode", ["strict", "recover"])
@pytest.mark.parametrize("text", [b"", b"a = 1", b"a = {", b"\xff"])
def test_an_outcome_is_as_it_was(text: bytes, mode: Any) -> None:
    outcome = parse_bytes(text, "a.txt", mode=mode)
    assert checked(outcome) == outcome
