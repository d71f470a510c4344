"""Error types."""

import msgspec

from ck3parse.errors import ErrorType
from ck3parse.messages import ParseResult


def test_each_error_type_has_one_cause_at_most() -> None:
    content = {each for each in ErrorType if each.of_the_content}
    infrastructure = {each for each in ErrorType if each.of_the_infrastructure}
    assert content == {"LexerError", "ParseError"}
    assert infrastructure == {"WorkerCrashed", "WorkerUnavailable"}


def test_an_error_type_travels_as_its_text() -> None:
    result = ParseResult("1", "a.txt", error_type=ErrorType.FILE_TOO_LARGE)
    sent = msgspec.to_builtins(result)
    assert type(sent["error_type"]) is str
    assert sent["error_type"] == "FileTooLarge"
    assert msgspec.convert(sent, ParseResult).error_type is ErrorType.FILE_TOO_LARGE


def test_only_trees_and_syntax_errors_are_outcomes_of_the_content() -> None:
    assert ParseResult("1", "a.txt", True).of_the_content
    assert ParseResult("1", "a.txt", error_type=ErrorType.LEXER_ERROR).of_the_content
    assert not ParseResult("1", "a.txt", error_type=ErrorType.MEMORY).of_the_content
    assert not ParseResult("1", "a.txt").of_the_content
