"""URLs of brokers and result backends: which can be used, what Celery is given, what is shown.

An URL may hold a password, and one that is not written as URLs are may hold it anywhere. So nothing
is shown of an URL but its parts once each is where it belongs.
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
"""By scheme: what answers there, and the scheme that Celery knows it by."""

_PARAMETERS: dict[str, frozenset[str]] = {
    "rediss": frozenset(
        {"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}
    ),
    "redis+socket": frozenset({"virtual_host"}),
    "amqp": frozenset({"heartbeat", "connect_timeout", "login_method"}),
    "amqps": frozenset({"heartbeat", "connect_timeout", "login_method"}),
    "pyamqp": frozenset({"heartbeat", "connect_timeout", "login_method"}),
}
"""By Celery's scheme: what may stand behind a question mark. None of it is a secret."""

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
"""Why such a server is refused, to stand after `cannot be used:`."""
_NO_URL = (
    "it cannot be read as an URL: in a password / is written %2F, ? %3F, # %23, @ %40, % %25 and ;"
    " %3B"
)


class UrlError(ValueError):
    """An URL cannot be used; its message says why without any part of the URL."""


class _Url(NamedTuple):
    kind: Kind
    scheme: str
    """As it was written."""
    celery_scheme: str
    rest: str
    """What stands behind `://`."""
    user: str
    password: str
    host: str
    port: int | None
    path: str
    query: list[tuple[str, str]]

    def masked(self) -> str:
        # A name alone is a password before which somebody forgot the colon; an odd one may be too.
        user = self.user if not self.user or _PLAIN_NAME.fullmatch(self.user) else "**"
        who = f"{user}:**@" if self.password else "**@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None and host else ""
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in self.query)
        # With : or = in it, there may be a password after one slash too many, or a & for a ?.
        path = self.path if _PLAIN_PATH.fullmatch(unquote(self.path)) else "/**"
        return f"{self.scheme}://{who}{host}{port}{path}{query and f'?{query}'}"

    def for_celery(self, *more: str) -> str:
        """Return it as Celery is given it, with more parameters where it has none of their name."""
        if self.celery_scheme == "rediss":
            # Over TLS Celery wants to be told whether to check the server's certificate.
            more = ("ssl_cert_reqs=required", *more)
        names = {name for name, _ in self.query}
        parts = [self.rest, *(one for one in more if one.partition("=")[0] not in names)]
        joined = parts[0]
        for part in parts[1:]:
            joined += ("&" if "?" in joined else "?") + part
        return f"{self.celery_scheme}://{joined}"


def check(urls: str, *, backend: bool = False) -> None:
    """See that Celery can be given an URL, or several joined by `;` that it tries in turns.

    Args:
        urls: what a setting or an option holds.
        backend: whether it is a result backend's.

    Raises:
        UrlError: it cannot be used.
    """
    parsed = _parsed(urls, ("protocol",) if backend else ())
    kinds = {url.kind for url in parsed}
    if len(kinds) > 1:
        raise UrlError("all URLs of a list must be of the same kind of broker")
    if backend and "rabbitmq" in kinds:
        raise UrlError("results come back through RabbitMQ by rpc://")
    if backend and len(parsed) > 1 and "sentinel" not in kinds:
        raise UrlError("results come back at one server, or one that several Sentinels name")
    if not backend and "rpc" in kinds:
        raise UrlError(f"rpc:// is no broker: {_USABLE} can be used")


def masked(urls: str) -> str:
    """Return an URL, or several joined by `;`, to be shown: without passwords.

    Of what cannot be read as an URL nothing is returned.
    """
    try:
        return ";".join(url.masked() for url in _parsed(urls, ("protocol",)))
    except UrlError:
        return "(an URL that cannot be read)"


def without_passwords(text: str, *urls: str) -> str:
    """Return what a library says with the passwords of these URLs masked.

    Args:
        text: an error's message.
        urls: what it may be about.
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


def broker_for_celery(urls: str) -> str:
    """Return a broker's URLs as Celery knows them, with certificates checked by each.

    Raises:
        UrlError: they cannot be used.
    """
    check(urls)
    return ";".join(url.for_celery() for url in _parsed(urls))


def backend_for_celery(urls: str, broker: str) -> str:
    """Return a result backend's URL as Celery knows it.

    Args:
        urls: the result backend's; empty means the one that goes with the broker: the same Redis,
            of several the first, or Celery's RPC.
        broker: the broker's.

    Raises:
        UrlError: it cannot be used.
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
    # With the newer protocol redis-py writes each result that comes out as text, for a log message
    # that nobody reads: a third of a large run's time on the client.
    more = ("protocol=2",) if parsed[0].kind == "redis" else ()
    return ";".join(url.for_celery(*more) for url in parsed)


def _parsed(urls: str, more: Iterable[str] = ()) -> list[_Url]:
    return [_parse(url, frozenset(more)) for url in urls.split(";")]


def _parse(url: str, more: frozenset[str]) -> _Url:
    scheme, there, rest = url.partition("://")
    if not there or not url.isprintable() or " " in url:
        raise UrlError(_NO_URL)
    if scheme.endswith("+cluster"):
        raise UrlError(CLUSTER)
    if scheme not in _SCHEMES:
        raise UrlError(f"there is no such kind of broker: {_USABLE} can be used")
    kind, celery_scheme = _SCHEMES[scheme]
    try:
        # As kombu does, whatever the scheme.
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
            raise UrlError("the path of a socket stands behind three slashes")
    elif kind in ("redis", "sentinel") and not re.fullmatch(r"/?[0-9]{0,9}", parts.path):
        raise UrlError("the number of a database is all that may stand behind the host")
    known = _PARAMETERS.get(celery_scheme, frozenset()) | (more if kind == "redis" else set())
    for name, value in query:
        if name not in known:
            allowed = f"; these may: {', '.join(sorted(known))}" if known else ""
            raise UrlError(f"it has a parameter behind ? that may not stand there{allowed}")
        if name == "ssl_cert_reqs" and value not in _CERTIFICATE_CHECKS:
            raise UrlError("ssl_cert_reqs is required, optional or none")
    user, password = parts.username or "", parts.password or ""
    return _Url(kind, scheme, celery_scheme, rest, user, password, host, port, parts.path, query)
