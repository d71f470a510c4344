"""URLs of brokers and result backends: which are valid, and passwords that are never shown.

Issue 19, lines 27, 29 and 38.
"""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ck3parse.config import Settings, broker_url
from ck3parse.errors import UsageError

ODD = [
    "redis://:Xsecret/Ysecret@host:6379/0",
    "redis://:Xsecret#Ysecret@host",
    "redis://:Xsecret?Ysecret@host",
    "redis://:Xsecret?a=Ysecret@host",
    "redis://:1234/Ysecret@host",
    "redis://:1234#Ysecret@host",
    "redis://:Xsecret;Ysecret@host",
    "redis://user:Xsecret;redis://host",
    "redis://host?password=Xsecret",
    "redis://host/0?Xsecret",
    "redis://host/0?Xsecret=1",
    "redis+socket:///tmp/s?password=Xsecret",
    "redis:/:Xsecret@host",
    "redis:Xsecret@host",
    "Xsecret",
    "Xsecret://host",
    "redis://:Xsecret[@host",
    "redis://[Xsecret@host",
    "redis://host/Xsecret",
    "redis://:Xsecret @host",
    "redis://:Xsecret\n@host",
    "redis://Xsecret:@host:port",
    "redis://Xse@cret:Ysecret@host:x",
    " redis://:Xsecret@host",
    "redis+cluster://:Xsecret@host",
    "http://:Xsecret@host",
    "redis://:Xsecret@host;",
    "redis://:Xsecret@host;amqp://host",
    "redis://:Xsecret@h\u2100st",
]
"""URLs with a password at a place where people put it by mistake."""


@pytest.mark.parametrize("url", ODD)
def test_nothing_of_what_cannot_be_used_is_shown_but_who_holds_it(url: str) -> None:
    for field in ("broker_url", "result_backend"):
        name = f"CK3PARSE_{field.upper()}"
        with pytest.raises(UsageError, match=f"{name} cannot be used: ") as caught:
            Settings.from_env({name: url})
        assert not re.search("secret|1234|Xse|cret", str(caught.value))
        assert caught.value.__cause__ is None
    with pytest.raises(UsageError, match="--broker cannot be used: "):
        Settings().given(broker_url=url)
    assert "secret" not in broker_url.masked(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:secret@host:6379/0", "redis://:**@host:6379/0"),
        ("redis://me:secret@host", "redis://me:**@host"),
        ("redis://me:sec@ret@host", "redis://me:**@host"),
        ("redis://secret@host/1", "redis://**@host/1"),
        ("redis://secret:@host/1", "redis://**@host/1"),
        ("redis://se%2Fcret:secret@host", "redis://**:**@host"),
        ("rediss://:secret@[::1]:6380/0", "rediss://:**@[::1]:6380/0"),
        (
            "rediss://:secret@h?ssl_ca_certs=/a%20b/c&ssl_cert_reqs=none",
            "rediss://:**@h?ssl_ca_certs=/a%20b/c&ssl_cert_reqs=none",
        ),
        ("redis+socket:///tmp/a%20b/s", "redis+socket:///tmp/a%20b/s"),
        (
            "redis+socket://:secret@/tmp/s?virtual_host=1",
            "redis+socket://:**@/tmp/s?virtual_host=1",
        ),
        ("sentinel://:secret@a:1;sentinel://:secret@b:1", "sentinel://:**@a:1;sentinel://:**@b:1"),
        ("amqp://me:secret@host:5672//", "amqp://me:**@host:5672//"),
        ("amqp://host/me:secret", "amqp://host/**"),
        ("redis+socket:///:secret/s", "redis+socket:///**"),
        ("valkeys://:secret@h", "valkeys://:**@h"),
    ],
)
def test_what_is_where_it_belongs_is_shown(url: str, shown: str) -> None:
    assert broker_url.masked(url) == shown
    broker_url.check(url)


_ODD_TEXT = st.text("abc:/?#[]@;&=%+\\ .1é\n", max_size=6)


@settings(max_examples=500)
@given(
    scheme=st.sampled_from(["redis", "rediss", "redis+socket", "sentinel", "amqp", "valkey", "x"]),
    slashes=st.sampled_from(["://", ":/", ":", "//", ":///"]),
    user=st.sampled_from(["", "me"]),
    before=_ODD_TEXT,
    after=_ODD_TEXT,
    tail=st.sampled_from(["@host", "@host:6379/0", "@host/0?ssl_cert_reqs=none", "", "@"]),
    parameter=st.sampled_from(["", "?password=", "?", "&pw=", "#"]),
    end=st.sampled_from(["", ";redis://:xSECRETx@other", ";redis://b"]),
)
def test_no_password_is_ever_shown(
    scheme: str,
    slashes: str,
    user: str,
    before: str,
    after: str,
    tail: str,
    parameter: str,
    end: str,
) -> None:
    # Without an `@` behind it, what follows an `@` is the host.
    assume(tail or "@" not in before)
    # Nor is the path of a socket or a virtual host a password.
    assume(tail or parameter or "/" not in before)
    url = f"{scheme}{slashes}{user}:{before}SECRET{after}{tail}{end}"
    if parameter:
        url = f"{scheme}{slashes}host/0{parameter}{before}SECRET{after}{end}"
    said = broker_url.masked(url)
    for backend in (False, True):
        try:
            broker_url.check(url, backend=backend)
        except broker_url.UrlError as error:
            said += str(error)
    said += broker_url.without_passwords(f"Error connecting to {url!r}", url) if url in said else ""
    assert "secret" not in said.lower()


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://:pass%2Fword@host", "pass/word"),
        ("redis://:pass%2Fword@host", "pass%2Fword"),
        ("redis://passwort@host", "passwort"),
        ("redis://a;redis://me:other@b", "other"),
    ],
)
def test_a_library_s_message_is_shown_without_the_password(url: str, password: str) -> None:
    said = broker_url.without_passwords(f"Error 111 connecting to {password}.", "", url)
    assert said == "Error 111 connecting to **."


@pytest.mark.parametrize("url", ["redis+cluster://h", "rediss+cluster://h", "valkey+cluster://h"])
def test_a_cluster_is_refused_with_what_works(url: str) -> None:
    with pytest.raises(
        broker_url.UrlError, match=r"Redis Cluster.*Redis, Valkey.*Sentinel.*RabbitMQ"
    ):
        broker_url.check(url)


@pytest.mark.parametrize(
    ("url", "backend"),
    [
        ("redis://a;redis://b", True),
        ("amqp://a", True),
        ("rpc://", False),
        ("redis://a;amqp://b", False),
        ("redis://a?protocol=3", False),
        ("redis://a?ssl_cert_reqs=none", False),
        ("rediss://a?ssl_cert_reqs=perhaps", False),
        ("redis+socket://tmp/s", False),
        ("redis+socket://", False),
        ("memory://", False),
        ("", False),
    ],
)
def test_what_celery_could_not_use_is_refused(url: str, backend: bool) -> None:
    with pytest.raises(broker_url.UrlError):
        broker_url.check(url, backend=backend)


@pytest.mark.parametrize("url", ["localhost", "localhost:6379"])
def test_a_url_without_its_kind_is_told_how_to_be_written(url: str) -> None:
    with pytest.raises(broker_url.UrlError, match="redis://HOST:PORT/0"):
        broker_url.check(url, backend=False)


@pytest.mark.parametrize("url", ["rpc://", "redis://h?protocol=3", "sentinel://a;sentinel://b"])
def test_a_result_backend_has_kinds_of_its_own(url: str) -> None:
    broker_url.check(url, backend=True)


@pytest.mark.parametrize(
    ("url", "files"),
    [
        ("redis://h", None),
        ("rediss://h", {}),
        ("rediss://h?ssl_cert_reqs=none&ssl_certfile=/a%20b.crt", {"ssl_certfile": "/a b.crt"}),
        ("valkeys://h?ssl_keyfile=/k", {"ssl_keyfile": "/k"}),
        ("no url", None),
    ],
)
def test_the_files_that_a_url_names_for_tls(url: str, files: dict[str, str] | None) -> None:
    assert broker_url.tls_files(url) == files
