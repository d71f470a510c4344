"""URLs of brokers and result backends: check them, convert them for Celery, and mask passwords.

A URL may contain a password, and in a malformed URL it may be anywhere. Only the parts of a
well-formed URL are shown.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

Kind = Literal["redis", "sentinel", "rabbitmq", "rpc"]

_SCHEMES: dict[str, tuple[Kind, str]] = {
    "redis": ("redis", "redis"),
    "rediss": ("redis", "rediss"),
    "redis+socket": ("redis", "redis+socket"),
    "valkey": ("redis", "redis"),
    "valkeys": ("redis", "rediss"),
    "valkey+socket": ("redis", "redis+socket"),
    "sentinel": ("sentinel", "sentinel"),
    "amqp": ("rabbitmq", "amqp"),
    "amqps": ("rabbitmq", "amqps"),
    "pyamqp": ("rabbitmq", "pyamqp"),
    "rpc": ("rpc", "rpc"),
}
"""For each scheme, the kind of server and Celery's name of the scheme."""

_PARAMETERS: dict[str, frozenset[str]] = {
    "rediss": frozenset(
        {"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}
    ),
    "redis+socket": frozenset({"virtual_host"}),
    "amqp": frozenset({"heartbeat", "connect_timeout", "login_method"}),
    "amqps": frozenset({"heartbeat", "connect_timeout", "login_method"}),
    "pyamqp": frozenset({"heartbeat", "connect_timeout", "login_method"}),
}
"""For each of Celery's schemes, the parameters a URL may have. None of them is a secret."""

_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_CERTIFICATE_CHECKS = frozenset(
    {"required", "optional", "none", "CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE"}
)
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+", re.ASCII)
_PLAIN_NAME = re.compile(r"[\w.-]+", re.ASCII)
_PLAIN_PATH = re.compile(r"[\w./~ -]*")
_USABLE = (
    "Redis, Valkey (redis://, rediss://, redis+socket://), Sentinels (sentinel://) and RabbitMQ"
    " (amqp://, amqps://)"
)
CLUSTER = f"it is a Redis Cluster, which Celery cannot use: {_USABLE} can be used"
"""Why Redis Cluster is refused, as the end of a sentence `… cannot be used:`."""
_NO_SCHEME = "it has no kind of broker: write it as redis://HOST:PORT/0"
_NO_URL = (
    "it is not a valid URL: in a password, write / as %2F, ? as %3F, # as %23, @ as %40, % as %25"
    " and ; as %3B"
)


class UrlError(ValueError):
    """A URL cannot be used. The message says why, and contains no part of the URL."""


class _Url(NamedTuple):
    kind: Kind
    scheme: str
    """As given."""
    celery_scheme: str
    rest: str
    """The URL after `://`."""
    user: str
    password: str
    host: str
    port: int | None
    path: str
    query: list[tuple[str, str]]

    def masked(self) -> str:
        # A lone user name may be a password whose colon is missing, and so may an unusual one.
        user = self.user if not self.user or _PLAIN_NAME.fullmatch(self.user) else "**"
        who = f"{user}:**@" if self.password else "**@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None and host else ""
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in self.query)
        # With : or = in the path, it may hold a password, after a slash too many or & instead of ?.
        path = self.path if _PLAIN_PATH.fullmatch(unquote(self.path)) else "/**"
        return f"{self.scheme}://{who}{host}{port}{path}{query and f'?{query}'}"

    def for_celery(self, *more: str) -> str:
        """Return the URL for Celery, with more parameters unless it has one of the same name."""
        if self.celery_scheme == "rediss":
            # Celery requires this parameter with TLS.
            more = ("ssl_cert_reqs=required", *more)
        names = {name for name, _ in self.query}
        parts = [self.rest, *(one for one in more if one.partition("=")[0] not in names)]
        joined = parts[0]
        for part in parts[1:]:
            joined += ("&" if "?" in joined else "?") + part
        return f"{self.celery_scheme}://{joined}"


def check(urls: str, *, backend: bool = False) -> None:
    """Check that Celery can use a URL, or several separated by `;`, which it tries in turn.

    Args:
        urls: the value of a setting or an option.
        backend: whether the URL is for a result backend instead of a broker.

    Raises:
        UrlError: a URL cannot be used.
    """
    parsed = _parsed(urls, ("protocol",) if backend else ())
    kinds = {url.kind for url in parsed}
    if len(kinds) > 1:
        raise UrlError("all URLs of a list must be of the same kind of broker")
    if backend and "rabbitmq" in kinds:
        raise UrlError("the result backend for RabbitMQ is rpc://")
    if backend and len(parsed) > 1 and "sentinel" not in kinds:
        raise UrlError("a result backend has one URL, unless it is several Sentinels")
    if not backend and "rpc" in kinds:
        raise UrlError(f"rpc:// is not a broker: {_USABLE} can be used")


def masked(urls: str) -> str:
    """Return a URL, or several separated by `;`, without passwords.

    Args:
        urls: the URLs.

    Returns:
        The URLs to show to users; a placeholder if they are not valid.
    """
    try:
        return ";".join(url.masked() for url in _parsed(urls, ("protocol",)))
    except UrlError:
        return "(an invalid URL)"


def without_passwords(text: str, *urls: str) -> str:
    """Return the message of a library's error with the passwords of some URLs masked.

    Args:
        text: the message.
        *urls: the URLs whose passwords it may contain.

    Returns:
        The message with `**` for each password.
    """
    for one in urls:
        try:
            parsed = _parsed(one, ("protocol",))
        except UrlError:
            continue
        for url in parsed:
            secret = url.password or url.user
            for written in (secret, unquote(secret), repr(unquote(secret))[1:-1]):
                if len(written) > 2:
                    text = text.replace(written, "**")
    return text


def tls_files(urls: str) -> dict[str, str] | None:
    """Return the files that a URL, or several, name for TLS.

    Args:
        urls: the URLs.

    Returns:
        Paths by the name of their parameter, or `None` without TLS.
    """
    try:
        parsed = [url for url in _parsed(urls, ("protocol",)) if url.celery_scheme == "rediss"]
    except UrlError:
        return None
    if not parsed:
        return None
    return {name: path for url in parsed for name, path in url.query if name in _TLS_FILES}


def broker_for_celery(urls: str) -> str:
    """Return the URLs of a broker for Celery, which checks certificates with each of them.

    Args:
        urls: the URLs, separated by `;`.

    Returns:
        The URLs in Celery's form, separated by `;`.

    Raises:
        UrlError: a URL cannot be used.
    """
    check(urls)
    return ";".join(url.for_celery() for url in _parsed(urls))


def backend_for_celery(urls: str, broker: str) -> str:
    """Return the URL of a result backend for Celery.

    Args:
        urls: the URL; empty: that of the broker, or the first of several, for Redis, and Celery's
            RPC for RabbitMQ.
        broker: the URLs of the broker.

    Returns:
        The URL in Celery's form; several for Sentinels.

    Raises:
        UrlError: a URL cannot be used.
    """
    if urls:
        check(urls, backend=True)
        parsed = _parsed(urls, ("protocol",))
    else:
        parsed = _parsed(broker)
        if parsed[0].kind == "redis":
            del parsed[1:]
    if parsed[0].kind in ("rabbitmq", "rpc"):
        return "rpc://"
    # With protocol 3, redis-py formats each result for a log message that is never shown: a third
    # of the client's time in a large run.
    more = ("protocol=2",) if parsed[0].kind == "redis" else ()
    return ";".join(url.for_celery(*more) for url in parsed)


def _parsed(urls: str, more: Iterable[str] = ()) -> list[_Url]:
    return [_parse(url, frozenset(more)) for url in urls.split(";")]


def _parse(url: str, more: frozenset[str]) -> _Url:
    scheme, there, rest = url.partition("://")
    if not url.isprintable() or " " in url or (not there and "@" in url):
        raise UrlError(_NO_URL)
    if not there:
        raise UrlError(_NO_SCHEME)
    if scheme.endswith("+cluster"):
        raise UrlError(CLUSTER)
    if scheme not in _SCHEMES:
        raise UrlError(f"its kind of broker is unknown: {_USABLE} can be used")
    kind, celery_scheme = _SCHEMES[scheme]
    try:
        # As kombu does, for all schemes.
        parts = urlsplit(f"http://{rest}")
        host, port = parts.hostname or "", parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise UrlError(_NO_URL) from None
    misplaced = "@" in parts.path or "@" in parts.query or "#" in rest
    if misplaced or (host and not _HOST.fullmatch(host)):
        raise UrlError(_NO_URL)
    if celery_scheme == "redis+socket":
        if host or port is not None or not parts.path.strip("/"):
            raise UrlError("the path of a socket follows three slashes")
    elif kind in ("redis", "sentinel") and not re.fullmatch(r"/?[0-9]{0,9}", parts.path):
        raise UrlError("only the number of a database may follow the host")
    known = _PARAMETERS.get(celery_scheme, frozenset()) | (more if kind == "redis" else set())
    for name, value in query:
        if name not in known:
            allowed = f"; allowed are: {', '.join(sorted(known))}" if known else ""
            raise UrlError(f"it has a parameter after ? that is not allowed{allowed}")
        if name == "ssl_cert_reqs" and value not in _CERTIFICATE_CHECKS:
            raise UrlError("ssl_cert_reqs must be required, optional or none")
    user, password = parts.username or "", parts.password or ""
    return _Url(kind, scheme, celery_scheme, rest, user, password, host, port, parts.path, query)
