"""`ck3parse qbuilder`: checks a database of qbuilder's, and runs its build."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Any

import click

from ck3parse.cli import streams
from ck3parse.cli.help_format import HelpGroup
from ck3parse.cli.interrupts import Interrupts
from ck3parse.cli.progress import RunProgress
from ck3parse.config import read_settings
from ck3parse.errors import BrokerError, ExitCode, StoreError
from ck3parse.plurals import counted

MAX_FAILURES_SHOWN = 20
BUSY_TIMEOUT_S = 30.0
"""Seconds to wait for the lock of another writer before saying so."""

_DATABASE = click.option(
    "--db",
    "database",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="qbuilder's database.",
)
_QBUILDER = click.option(
    "--qbuilder",
    "folder",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that holds the package `qbuilder`.  [default: where Python finds it]",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="qbuilder", cls=HelpGroup)
def command() -> None:
    """Check a database of qbuilder's, or run its build."""


@command.command(
    name="check",
    epilog="""\b
Examples:
  ck3parse qbuilder check --db ~/.ck3raven/ck3raven.db
  ck3parse qbuilder check --db ck3raven.db --qbuilder ~/src/ck3raven --json

\b
Exit codes: 0 everything fits, 1 something does not, 2 wrong usage or not a database, 4 the
output cannot be written.""",
)
@_DATABASE
@_QBUILDER
@_JSON
def check(database: Path, folder: Path | None, as_json: bool) -> None:
    """Say whether a database and the installed qbuilder fit; nothing is changed."""
    from ck3parse.qbuilder.fitness import fitness
    from ck3parse.qbuilder.installed import Qbuilder

    with _opened(database, read_only=True) as db:
        found = fitness(db, Qbuilder(search=folder))
    if as_json:
        streams.write_json(found)
    else:
        streams.write("\n".join(found.lines()))
    sys.exit(ExitCode.SOME_FAILED if found.problems else ExitCode.OK)


@command.command(
    name="build",
    epilog="""\b
Examples:
  ck3parse qbuilder build --db ck3raven.db --qbuilder ~/src/ck3raven
  ck3parse qbuilder build --db ck3raven.db --broker redis://server:6379/0

\b
Exit codes: 0 everything built, 1 some item failed, 2 wrong usage, not qbuilder's database,
or another build runs, 3 no broker or no worker, 4 the report cannot be written, 130
interrupted. However a build ends, what it did is in the database. What it had claimed is
pending again; if it was killed or interrupted twice, the next build on this machine sees to
that. Run the command again to continue.""",
)
@_DATABASE
@_QBUILDER
@click.option(
    "--broker",
    metavar="URL",
    help="Use this broker and its workers.  [default: CK3PARSE_BROKER_URL, or an embedded broker"
    " that this command starts]",
)
@click.option(
    "--max-items", metavar="N", type=click.IntRange(1), help="Stop after so many attempts."
)
@_JSON
def build(
    database: Path, folder: Path | None, broker: str | None, max_items: int | None, as_json: bool
) -> None:
    """Run qbuilder's build until its queue is empty, outside of its daemon.

    If qbuilder is installed, this takes its writer lock. If it is not, only scripts are built, and
    the items of lookup tables stay in the queue.
    """
    from ck3parse.bridge.engine import shut_down
    from ck3parse.qbuilder.build import Build
    from ck3parse.qbuilder.installed import Qbuilder
    from ck3parse.qbuilder.observers import Observers

    began = perf_counter()
    if broker:
        os.environ["CK3PARSE_BROKER_URL"] = broker
    Interrupts()
    qbuilder = Qbuilder(search=folder)
    error: Exception | None = None
    with qbuilder.writer_lock(database), _opened(database) as db:
        told = _Told(db, database)
        builder = Build(
            db,
            observers=Observers(told, None),
            max_items=max_items,
            shutdown_event=told.replaced,
            qbuilder=qbuilder,
            say=lambda _: None,
            outlast=_give_up,
        )
        try:
            with RunProgress(len(told.sizes), sum(told.sizes.values())) as told.progress:
                done = builder.run()
        except (BrokerError, StoreError) as ended_by:
            error, done = ended_by, builder.done
        except KeyboardInterrupt:
            done = builder.done
            builder.interrupted = True
        finally:
            shut_down()
        failures, left = told.failures(), told.left()
        if told.is_replaced():
            error = StoreError(
                f"{database} was removed or replaced while it was built, and what was built is not"
                " in it: keep the file where it is, and start the build again"
            )
    seconds = perf_counter() - began
    report: dict[str, Any] = {
        "database": os.path.abspath(database),
        "broker_url": read_settings().shown_broker_url,
        **done,
        "failed": len(failures),
        "left": left,
        "seconds": round(seconds, 3),
        "interrupted": builder.interrupted,
        "error": str(error) if error else None,
        "failures": [{"path": path, "error": message} for path, message in failures],
    }
    if as_json:
        streams.write_json(report)
    else:
        streams.write("\n".join(_lines(report)))
    if error:
        raise error
    if builder.interrupted:
        sys.exit(ExitCode.INTERRUPTED)
    if left and not qbuilder.folder and not max_items:
        streams.say(
            "ck3parse: qbuilder is not installed, so items of lookup tables stay in the queue:"
            " --qbuilder names the folder that holds it"
        )
    sys.exit(ExitCode.SOME_FAILED if failures else ExitCode.OK)


class _Told:
    """What a build tells its logger, for the progress bar and the report.

    Args:
        db: a connection to the database.
        database: its file.

    Attributes:
        sizes: the size of each pending file in bytes, by `file_id`.
        progress: shows the progress.
        replaced: set when the file was found to be gone, or to be another one.
    """

    progress: RunProgress

    def __init__(self, db: sqlite3.Connection, database: Path) -> None:
        self._db = db
        self._database = database
        self._opened = _identity(database)
        self.replaced = Event()
        self._failed: dict[int, str] = {}
        self.sizes: dict[int, int] = {}
        with suppress(sqlite3.Error):  # the build says what is wrong with the database
            self.sizes = dict(
                map(
                    tuple,
                    db.execute(
                        "SELECT file_id, work_file_size FROM build_queue WHERE status = 'pending'"
                    ),
                )
            )

    def is_replaced(self) -> bool:
        """Return whether the database's path no longer leads to the file that was opened."""
        if _identity(self._database) != self._opened:
            self.replaced.set()
        return self.replaced.is_set()

    def log_event(self, event: str, data: dict[str, Any]) -> None:
        """Look now and then whether the file is still there."""
        del event, data
        self.is_replaced()

    def item_claimed(
        self, file_id: int, relpath: str, envelope: str, steps: tuple[str, ...]
    ) -> None:
        """Ignore it."""

    def item_complete(self, file_id: int, relpath: str) -> None:
        """Count an item."""
        del relpath
        again = self._failed.pop(file_id, None) is not None
        self.progress.advance(not again, 0 if again else self.sizes.get(file_id, 0), -again)

    def item_error(self, file_id: int, relpath: str, message: str, step: str | None) -> None:
        """Count an item with its first failure; it may be tried again."""
        del relpath, step
        again = file_id in self._failed
        self._failed[file_id] = message
        self.progress.advance(not again, 0 if again else self.sizes.get(file_id, 0), not again)

    def failures(self) -> list[tuple[str, str]]:
        """Return path and message of the items that are an error now and were pending before."""
        rows = self._rows(
            "SELECT q.file_id, COALESCE(f.relpath, 'file ' || q.file_id), q.error_message"
            " FROM build_queue q LEFT JOIN files f USING (file_id) WHERE q.status = 'error'"
            " ORDER BY 2"
        )
        return [(path, message) for file_id, path, message in rows if file_id in self.sizes]

    def left(self) -> int | None:
        """Return how many items are still pending, or `None` if the database cannot be read."""
        rows = self._rows("SELECT count(*) FROM build_queue WHERE status = 'pending'")
        return rows[0][0] if rows else None

    def _rows(self, sql: str) -> list[Any]:
        try:
            return self._db.execute(sql).fetchall()
        except sqlite3.Error:
            return []


def _lines(report: dict[str, Any]) -> Iterator[str]:
    failures = report["failures"]
    for failure in failures[:MAX_FAILURES_SHOWN]:
        yield f"{failure['path']}: {failure['error']}"
    if len(failures) > MAX_FAILURES_SHOWN:
        yield f"... and {len(failures) - MAX_FAILURES_SHOWN:,} more; --json has all of them"
    left = report["left"]
    yield (
        f"{counted(report['completed'], 'item')} built, {report['failed']:,} failed,"
        f" {'?' if left is None else f'{left:,}'} left in the queue, in {report['seconds']:,.2f} s"
    )


def _identity(database: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one at the same path; `None` if there is none."""
    try:
        found = database.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _give_up(error: BrokerError) -> None:
    raise error


@contextmanager
def _opened(database: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a database that exists.

    Raises:
        StoreError: it cannot be opened.
    """
    mode = "ro" if read_only else "rw"
    uri = f"{database.absolute().as_uri()}?mode={mode}"
    try:
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)
    except sqlite3.Error as error:
        raise StoreError(
            f"the database {database} cannot be opened ({error}): check the path, and that it may"
            " be read and written"
        ) from error
    with closing(db):
        if not read_only:
            # As qbuilder's own connections have it; its functions may depend on it.
            db.row_factory = sqlite3.Row
            with suppress(sqlite3.Error):
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA synchronous = NORMAL")
        yield db
