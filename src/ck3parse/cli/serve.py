"""`ck3parse serve`: keeps an embedded broker and worker running for other commands."""

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
from ck3parse.plurals import counted

START_LIMIT_S = 30.0
_CHECK_INTERVAL_S = 1.0


@click.command(
    name="serve",
    epilog="""\b
Examples:
  ck3parse serve                          serve any file that you can read
  ck3parse serve ~/mods /games/ck3/game   serve files inside these folders only
  ck3parse serve --workers 2 --json

\b
In another terminal, with the URL that it prints:
  ck3parse run --broker URL ~/mods/my_mod
  ck3parse status --broker URL
  CK3PARSE_BROKER_URL=URL celery -A ck3parse worker    start more workers
  CK3PARSE_BROKER_URL=URL celery -A ck3parse flower    watch in a browser, after
                                                       pip install 'ck3parse[flower]'

\b
Exit codes: 0 ended by SIGTERM, 2 wrong usage, 3 the broker or the worker cannot be
started or kept running, 4 the URL cannot be written, 130 ended by Ctrl-C, 141 the
program that reads the URL is gone.""",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, MOST_WORKERS),
    help="Number of worker processes.  [default: one per CPU, and one more]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the URL and the process id as JSON.")
def command(paths: Sequence[str], workers: int | None, as_json: bool) -> None:
    """Keep a broker and a worker running until Ctrl-C, so that runs need not start their own.

    Prints the broker's URL once both are ready. The worker reads only files inside the PATHs;
    without PATH, any file that you can read. The broker listens on a Unix socket that only you can
    access, and on no port. Everything it holds is gone when this command ends.

    A broker or worker that dies is started again. Running commands send again what was lost.
    """
    signal.signal(signal.SIGTERM, _end)
    settings = read_settings().given(workers=workers)
    count = settings.worker_count
    roots = list(paths) or settings.root_folders
    with EmbeddedBroker(count, roots, keep=True, log_fd=2) as broker:
        broker.wait_ready(START_LIMIT_S, worker=True)
        where = ", ".join(roots) or "any file that you can read"
        streams.note(
            f"ck3parse: ready: {counted(count, 'worker process', 'worker processes')},"
            f" serving {where}; press Ctrl-C to stop"
        )
        url = broker.broker_url
        if as_json:
            streams.write_json({"broker_url": url, "pid": os.getpid()}, indent=0)
        else:
            streams.write(f"{url}\nck3parse run --broker {shlex.quote(url)} PATH")
        shown = 0
        while not (reason := broker.failure(_CHECK_INTERVAL_S)):
            for notice in broker.notices[shown:]:
                _say(f"started again: {notice}")
            shown = len(broker.notices)
    raise BrokerError(f"the embedded broker failed: {reason}")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # runs go on even if the terminal is gone
        streams.say(f"ck3parse: {text}")


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    sys.exit(ExitCode.OK)
