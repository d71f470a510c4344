"""Opening a window on a broker: an embedded one, or one that others run."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ck3parse.config import Settings
from ck3parse.errors import BrokerError
from ck3parse.messaging.acceptance import Acceptance
from ck3parse.messaging.app import make_app
from ck3parse.parser import parser_in_use
from ck3parse.pipeline.connection import Connected, connect, reach
from ck3parse.pipeline.outage import give_up
from ck3parse.pipeline.task_lookup import Roster
from ck3parse.pipeline.window import Window

if TYPE_CHECKING:
    # Clients of a broker that others run need none of its imports.
    from ck3parse.embedded.broker import EmbeddedBroker

START_LIMIT_S = 30.0
"""Seconds that an embedded broker may take to start."""


def own_acceptance(
    settings: Settings, *, embedded: bool, dispensable: frozenset[str] = frozenset()
) -> Acceptance:
    """Return the rule to accept only results that this process would have computed as well.

    Args:
        settings: this process's settings.
        embedded: whether all workers belong to an embedded broker of this process.
        dispensable: as for `Acceptance`.

    Raises:
        UsageError: `CK3PARSE_PARSER` names a parser that does not exist.
    """
    parser = parser_in_use()
    return Acceptance(settings.origin(parser.version), embedded, parser.versions, dispensable)


def open_window(
    settings: Settings,
    embedded: "EmbeddedBroker | None" = None,
    *,
    acceptance: Acceptance | None = None,
    first_is_enough: bool = False,
    wait: bool = False,
    reconnect: bool = True,
    check: Callable[[], None] = lambda: None,
    say: Callable[[str | None], None] = lambda _: None,
    outlast: Callable[[BrokerError], None] = give_up,
    sleep: Callable[[float], None] = time.sleep,
) -> Window:
    """Return a window on a broker, once the broker and, unless `wait` is set, its workers answer.

    The caller closes the window, and stops the embedded broker after that.

    Args:
        settings: which broker to use, and for how many seconds it may be gone.
        embedded: a started embedded broker, to use in place of the one in the settings.
        acceptance: which results to accept; default: `own_acceptance`.
        first_is_enough: as for `connect`.
        wait: whether to wait for a broker, and to publish before there is a worker.
        reconnect: whether to reconnect if the broker goes; if not, its first error is raised.
        check: called while waiting; raises to stop.
        say: called with what is being waited for, in a few words, and with `None` afterwards.
        outlast: as for `Window`.
        sleep: as for `Window`.

    Raises:
        BrokerError: no broker or no worker answers, or the embedded broker failed.
        UsageError: the URL cannot be used, or `CK3PARSE_PARSER` names a parser that does not exist.
    """

    def check_all() -> None:
        check()
        if embedded:
            embedded.check()

    acceptance = acceptance or own_acceptance(settings, embedded=embedded is not None)
    if embedded:
        embedded.wait_ready(START_LIMIT_S)
        settings = embedded.client_settings(settings)
        connected = Connected(make_app(settings), embedded.workers, Roster(complete=True))
    else:
        connected = connect(
            settings, first_is_enough=first_is_enough, wait=wait, check=check, say=say
        )
    return Window(
        connected.app,
        workers=connected.workers,
        roster=connected.roster,
        mailbox=connected.mailbox,
        sender=connected.sender,
        census=connected.census,
        max_bytes=connected.max_bytes,
        may_come=wait,
        check=check_all,
        reconnect=(lambda: reach(settings)) if reconnect else None,
        patience_s=settings.patience_s,
        outlast=outlast,
        say=say,
        sleep=sleep,
        acceptance=acceptance,
    )
