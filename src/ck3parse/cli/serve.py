"""`ck3parse serve`: an embedded broker and worker for others to use."""

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from ck3parse.cli import streams
from ck3parse.config import MOST_WORKERS, read_settings
from ck3parse.embedded.broker import EmbeddedBroker
from ck3parse.errors import BrokerError, ExitCode

START_LIMIT_S = 30.0
_LOOK_INTERVAL_S = 1.0


@click.command(
    name="serve",
    epilog="""\b
Examples:
  ck3parse serve                          any file you can read
  ck3parse serve ~/mods /games/ck3/game   files beneath these folders only
  ck3parse serve --workers 2 --json

\b
Elsewhere, with the URL that it prints:
  ck3parse run --broker URL ~/mods/my_mod
  ck3parse status --broker URL
  CK3PARSE_BROKER_URL=URL celery -A ck3parse worker    more workers
  CK3PARSE_BROKER_URL=URL celery -A ck3parse flower    look on in a browser

\b
Exit codes: 0 ended by SIGTERM, 2 wrong usage, 3 the server or the worker could not be
started or kept running, 4 the URL cannot be written, 130 ended by Ctrl-C, 141 nobody
reads the URL.""",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, MOST_WORKERS),
    help="Worker processes.  [default: one for each CPU, and one more]",
)
@click.option("--json", "as_json", is_flag=True, help="Print URL and process id as JSON.")
def command(paths: Sequence[str], workers: int | None, as_json: bool) -> None:
    """Keep a broker and a worker up until Ctrl-C, so that no run has to start its own.

    Prints the URL to use once both are ready. The worker reads files beneath each PATH only; with
    none, any file that you can read. The broker listens on a Unix socket that only you can reach,
    and on no port; when this command ends, it is gone with all that it held.

    A server or worker that dies is started again, and runs that are under way send again what was
    lost with it.
    """
    signal.signal(signal.SIGTERM, _end)
    of = read_settings().given(workers=workers)
    count = of.worker_count
    roots = list(paths) or of.root_folders
    with EmbeddedBroker(count, roots, keep=True, log_fd=2) as broker:
        broker.wait_ready(START_LIMIT_S, worker=True)
        where = ", ".join(roots) or "any file that you can read"
        _say(f"ready, {count} worker processes, for {where}; Ctrl-C ends it")
        url = broker.broker_url
        if as_json:
            streams.write_json({"broker_url": url, "pid": os.getpid()}, indent=0)
        else:
            streams.write(f"{url}\nck3parse run --broker {shlex.quote(url)} PATH")
        told = 0
        while not (reason := broker.failure(_LOOK_INTERVAL_S)):
            for notice in broker.notices[told:]:
                _say(f"started again: {notice}")
            told = len(broker.notices)
    raise BrokerError(f"the embedded broker failed: {reason}")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone while runs go on
        streams.say(f"ck3parse: {text}")


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    sys.exit(ExitCode.OK)
