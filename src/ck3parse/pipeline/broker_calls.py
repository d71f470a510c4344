"""Calls into Celery, and what they raise where a broker does not serve: told apart, in words.

Celery, kombu, redis-py and py-amqp each have errors of their own, and let those of sockets through.
`calling_broker` goes around calls of theirs and nothing else, so that an error of this package is
never taken for a broker that is gone.
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
    """What keeps a broker from serving, as the end of a sentence, and what to do.

    Attributes:
        who: `the broker`, or `this process`.
        state: what it is.
        remedy: what to do.
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
"""By what a Redis server says. kombu and Celery hand on its words, and not the error itself."""


class BrokerCallError(BrokerError):
    """A call met a broker that does not serve now. It may later.

    Args:
        trouble: what is wrong.
        reason: what the library said, on one line.
        message: default: made of the other two.

    Attributes:
        trouble: what is wrong.
        reason: what the library said, on one line.
    """

    def __init__(self, trouble: Trouble, reason: str, message: str = "") -> None:
        self.trouble = trouble
        self.reason = reason
        super().__init__(
            message or f"{trouble.who} is {trouble.state} ({reason}): {trouble.remedy}"
        )


@contextlib.contextmanager
def calling_broker() -> Iterator[None]:
    """Have calls of Celery and its libraries raise one error for a broker that does not serve.

    Raises:
        BrokerCallError: they met one. All other errors pass.
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
    """Return what an error of a library says of the broker; `GONE` if nothing in particular."""
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
    """Return what an error says on one line, or its class if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
