"""What travels between clients and workers."""

import msgspec
import pytest

from ck3parse.bridge.requests import file_request, text_request
from ck3parse.errors import UsageError
from ck3parse.messages import ParseRequest, ParseResult


def test_what_a_plain_request_and_result_hold_is_fixed() -> None:
    """Workers and clients of older versions read them, too."""
    request = ParseRequest("1", "/a.txt", name="a.txt", dialect="ck3raven")
    assert msgspec.to_builtins(request) == {"id": "1", "path": "/a.txt", "name": "a.txt"}
    assert msgspec.to_builtins(ParseResult("1", "/a.txt")) == {"id": "1", "path": "/a.txt"}


def test_a_request_names_another_dialect() -> None:
    request = file_request("/a.txt", 1000, "strict", "ck3")
    assert msgspec.to_builtins(request)["dialect"] == "ck3"
    assert msgspec.convert(msgspec.to_builtins(request), ParseRequest) == request


def test_the_setting_is_for_requests_that_leave_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    assert text_request("", "a", 1000, "strict", None).dialect == "ck3raven"
    monkeypatch.setenv("CK3PARSE_DIALECT", "ck3")
    assert text_request("", "a", 1000, "strict", None).dialect == "ck3"
    assert text_request("", "a", 1000, "strict", "ck3raven").dialect == "ck3raven"
    assert text_request("", "a", 1000, "strict").dialect == "ck3raven"
    monkeypatch.setenv("CK3PARSE_DIALECT", "ck2")
    with pytest.raises(UsageError, match="CK3PARSE_DIALECT cannot be used"):
        text_request("", "a", 1000, "strict", None)


def test_an_unknown_dialect_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="no such dialect: it is one of ck3raven, ck3"):
        file_request("/a.txt", 1000, "strict", "ck2")  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError, match="dialect"):
        msgspec.convert({"id": "1", "dialect": "ck2"}, ParseRequest)
