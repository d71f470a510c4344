"""Whether a database and the installed qbuilder fit to this ck3parse."""

import sqlite3
from collections.abc import Iterator

import msgspec

from ck3parse import __version__
from ck3parse.errors import Ck3parseError, StoreError
from ck3parse.extractors.qbuilder import EXTRACTOR
from ck3parse.parser import parser_in_use
from ck3parse.qbuilder.build_queue import BuildQueue
from ck3parse.qbuilder.installed import SCRIPT_STEPS, Qbuilder
from ck3parse.qbuilder.schema import misfits, read_schema, row_triggers

MIN_SQLITE = (3, 35, 0)
"""The first SQLite with `RETURNING`, which qbuilder's own worker needs too."""
_STUBS = frozenset({"parse_loc", "extract_loc_entries"})
"""Steps that do nothing in qbuilder today."""


class Fitness(msgspec.Struct):
    """What was found.

    Attributes:
        ck3parse: its version.
        parser: name and version of the parser in use.
        extractor: full name of the extractor whose rows are written.
        sqlite: the version of SQLite.
        schema: the number of the database's schema, or `None` if it says none.
        roots: the table that has the root folders; empty if the database does not fit.
        bulk_triggers: the triggers whose work is done in bulk.
        qbuilder: the folder of the installed qbuilder, or `None`.
        unknown_steps: steps of its routing table that are passed over, as by its own worker.
        queue: how many items there are by status.
        problems: what does not fit, and what follows from that.
    """

    ck3parse: str
    parser: str
    extractor: str
    sqlite: str
    schema: str | None = None
    roots: str = ""
    bulk_triggers: list[str] = []
    qbuilder: str | None = None
    unknown_steps: list[str] = []
    queue: dict[str, int] = {}
    problems: list[str] = []

    def lines(self) -> Iterator[str]:
        """Return it as lines of text."""
        yield f"ck3parse   {self.ck3parse}, parser {self.parser}, extractor {self.extractor}"
        yield f"SQLite     {self.sqlite}"
        if self.roots:
            yield f"database   schema {self.schema or 'unknown'}, root folders in {self.roots}"
            yield f"in bulk    {', '.join(self.bulk_triggers) or 'no triggers'}"
            counts = ", ".join(f"{count:,} {status}" for status, count in self.queue.items())
            yield f"queue      {counts or 'empty'}"
        yield f"qbuilder   {self.qbuilder or 'not installed: only scripts can be built'}"
        if self.unknown_steps:
            yield f"           steps that are passed over: {', '.join(self.unknown_steps)}"
        for problem in self.problems:
            yield f"problem: {problem}"
        yield "does not fit" if self.problems else "fits"


def fitness(db: sqlite3.Connection, qbuilder: Qbuilder) -> Fitness:
    """Return whether a database and a qbuilder fit.

    Args:
        db: a connection to the database; nothing is written.
        qbuilder: the installed qbuilder.

    Raises:
        StoreError: the database cannot be read.
    """
    parser = parser_in_use()
    found = Fitness(
        __version__,
        f"{parser.name} ({parser.version})",
        EXTRACTOR.full_name,
        sqlite3.sqlite_version,
    )
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        found.problems.append("SQLite is older than 3.35: use a newer Python")
    try:
        wrong = misfits(db)
        found.problems += wrong
        if not wrong:
            schema = read_schema(db)
            found.schema, found.roots = schema.version, schema.roots
            found.bulk_triggers = [trigger.name for trigger in row_triggers(db)]
            found.queue = BuildQueue(db, schema).counts()
    except sqlite3.Error as error:
        raise StoreError(
            f"the database cannot be read ({error}): check that the file is qbuilder's database"
        ) from error
    _look_at(qbuilder, found)
    return found


def _look_at(qbuilder: Qbuilder, found: Fitness) -> None:
    if qbuilder.folder is None:
        return
    found.qbuilder = str(qbuilder.folder)
    try:
        known = {*SCRIPT_STEPS, *_STUBS, *qbuilder.lookups}
        steps = {step for steps in qbuilder.steps.values() for step in steps}
    except Ck3parseError as error:
        found.problems.append(str(error))
        return
    found.unknown_steps = sorted(steps - known)
