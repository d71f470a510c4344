"""One error for calls into Celery that fail because the broker does not serve.

Celery, kombu, redis-py and py-amqp each raise their own errors, and socket errors besides. Put
`calling_broker` around calls into these libraries and nothing else, so that an error of ck3parse is
never taken for a missing broker.
"""

import contextlib
import errno
from collections.abc import Iterator
from typing import NamedTuple

from amqp.exceptions import AccessRefused, AMQPError
from celery.exceptions import BackendError
from kombu.exceptions import OperationalError
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from ck3parse.celery_compat.broker import reconnect_failure
from ck3parse.errors import BrokerError

_LIBRARY_ERRORS = (OperationalError, RedisError, AMQPError, BackendError, OSError)


class Trouble(NamedTuple):
    """Why a broker does not serve: the parts of the message "WHO is STATE: REMEDY".

    Attributes:
        who: `the broker` or `this process`.
        state: what is wrong with it.
        remedy: what to do about it.
    """

    who: str
    state: str
    remedy: str


GONE = Trouble("the broker", "gone", "bring it back")
_NO_FILES = Trouble(
    "this process",
    "out of file descriptors",
    "raise their number with `ulimit -n`",
)
_REFUSED = Trouble(
    "the broker",
    "closed to this user and password",
    "set the right ones in its URL",
)
_BY_WORDS = {
    "read only replica": Trouble(
        "the broker", "a read-only replica", "name its primary in the URL instead"
    ),
    "used memory > 'maxmemory'": Trouble(
        "the broker", "out of memory", "make room or raise its maxmemory"
    ),
    "max number of clients": Trouble(
        "the broker", "full of clients", "close some or raise its maxclients"
    ),
    "MISCONF": Trouble(
        "the broker",
        "unable to save its data, and takes no more",
        "make room on its disk, or see its log",
    ),
    "is loading the dataset in memory": Trouble(
        "the broker", "loading its data", "give it more time"
    ),
}
"""By text in a Redis server's error: kombu and Celery keep the text, but not the error itself."""


class BrokerCallError(BrokerError):
    """A call failed because the broker does not serve; it may serve again later.

    Args:
        trouble: what is wrong.
        reason: the library's message, on one line.
        message: the error's message; default: made from the other two.

    Attributes:
        trouble: what is wrong.
        reason: the library's message, on one line.
    """

    def __init__(self, trouble: Trouble, reason: str, message: str = "") -> None:
        self.trouble = trouble
        self.reason = reason
        super().__init__(
            message or f"{trouble.who} is {trouble.state} ({reason}): {trouble.remedy}"
        )


@contextlib.contextmanager
def calling_broker() -> Iterator[None]:
    """Turn the errors of Celery and its libraries into one, if the broker does not serve.

    Raises:
        BrokerCallError: the broker does not serve. All other errors pass unchanged.
    """
    try:
        yield
    except _LIBRARY_ERRORS as error:
        raise BrokerCallError(trouble_of(error), one_line(error)) from error
    except RuntimeError as error:
        if not isinstance(cause := reconnect_failure(error), _LIBRARY_ERRORS):
            raise  # a bug
        raise BrokerCallError(trouble_of(cause), one_line(cause)) from error


def trouble_of(error: BaseException) -> Trouble:
    """Return what a library's error says about the broker; `GONE` if nothing more specific."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for each in chain:
        if isinstance(each, OSError) and each.errno in (errno.EMFILE, errno.ENFILE):
            return _NO_FILES
        if isinstance(each, AuthenticationError | NoPermissionError | AccessRefused):
            return _REFUSED
        words = str(each)
        for word, trouble in _BY_WORDS.items():
            if word in words:
                return trouble
    return GONE


def one_line(error: BaseException) -> str:
    """Return an error's message on one line, or the name of its class if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
