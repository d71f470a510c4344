"""The table `build_queue`: claims, leases, and the end of an item.

All functions write within the caller's transaction. Times are Unix seconds. An item in hand is
`processing` and has this build's name in `lease_holder`; every statement that ends or releases one
asks for that, so an item that another worker took over after its lease ended is left alone.
"""

import json
import os
import platform
import re
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ck3parse.qbuilder.schema import Schema

LEASE_S = 180.0
"""How long a lease lasts: qbuilder's."""
RENEW_S = LEASE_S / 3
"""How often leases are renewed while their items are in hand."""
MAX_RETRIES = 3
"""How often an item may fail before it is an error: qbuilder's."""
MAX_RECLAIMS = 3
"""How often the lease of an item may end before the item is an error: qbuilder's."""

_HOLDER = re.compile(r"worker-(?P<pid>\d+)-(?P<token>[0-9a-f]+)@(?P<host>.*)")
_RUNNING: set[str] = set()
"""The names in `lease_holder` of the builds that run in this process."""


class Item(msgspec.Struct, eq=False):
    """A row of the queue that was claimed.

    Attributes:
        build_id: its key; lower ones are claimed first.
        file_id: its file.
        envelope: what is to be done with the file, a name of the routing table.
        priority: items with a higher one are claimed first; 1 is what qbuilder calls flash.
        content_hash: the hash of the file when it was queued, or `""`.
        cvid: the `content_version_id` of the file, or `None` if the row of the file is gone.
        relpath: the path of the file below its root.
        root: the root folder, or `None` if it is not known.
        path: the absolute path of the file, as qbuilder builds it.
    """

    build_id: int
    file_id: int
    envelope: str
    priority: int
    content_hash: str
    cvid: int | None = None
    relpath: str = ""
    root: str | None = None
    path: str = ""


class BuildQueue:
    """The queue, as one build sees it.

    Args:
        db: a connection to the database.
        schema: the database's variant.
        envelopes: claim items of these envelopes only; `None`: of all.

    Attributes:
        holder: the name of this build in `lease_holder`.
    """

    def __init__(
        self, db: sqlite3.Connection, schema: Schema, envelopes: Iterable[str] | None = None
    ) -> None:
        self.holder = f"worker-{os.getpid()}-{os.urandom(3).hex()}@{platform.node()}"
        self._db = db
        self._only = ""
        if envelopes is not None:
            names = ", ".join("'" + name.replace("'", "''") + "'" for name in envelopes)
            self._only = f" AND envelope IN ({names})"
        self._file_sql = (
            "SELECT f.file_id, f.content_version_id, f.relpath, r.source_path FROM files f"  # noqa: S608
            f" {schema.joins} WHERE f.file_id IN (SELECT value FROM json_each(?))"
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let other builds of this process know that this one runs, and keeps its items."""
        _RUNNING.add(self.holder)
        try:
            yield
        finally:
            _RUNNING.discard(self.holder)

    def recover(self) -> tuple[int, int]:
        """Take back the items whose leases have ended.

        Returns:
            How many are an error now because that happened too often, and how many are pending
            again.
        """
        now = time.time()
        expired = "status = 'processing' AND lease_expires_at < ?"
        errors = self._db.execute(
            "UPDATE build_queue SET status = 'error', error_message = 'Exceeded max reclaims ('"  # noqa: S608
            " || reclaim_count || ') - likely causing worker crashes', lease_expires_at = NULL,"
            f" lease_holder = NULL WHERE {expired} AND reclaim_count >= ?",
            (now, MAX_RECLAIMS),
        ).rowcount
        again = self._db.execute(
            "UPDATE build_queue SET status = 'pending', reclaim_count ="  # noqa: S608
            " COALESCE(reclaim_count, 0) + 1, lease_expires_at = NULL, lease_holder = NULL"
            f" WHERE {expired}",
            (now,),
        ).rowcount
        return errors, again

    def release_those_of_the_dead(self, counted: Iterable[str]) -> int:
        """Take back the items of builds that ended without releasing them, on this machine.

        Such a build was killed, or its database could not be written to any more. The leases of its
        items need not end first. A build that dies has hundreds of items in hand, and its
        end says nothing about any of them, because their files are parsed in other processes: so
        this does not count as a reclaim, except for the envelopes whose work is done in the build's
        own process.

        Args:
            counted: those envelopes.

        Returns:
            How many items are pending again.
        """
        holders = self._db.execute(
            "SELECT DISTINCT lease_holder FROM build_queue WHERE status = 'processing'"
        ).fetchall()
        dead = [holder for (holder,) in holders if _is_dead(holder)]
        if not dead:
            return 0
        return self._db.execute(
            "UPDATE build_queue SET status = 'pending', lease_expires_at = NULL,"
            " lease_holder = NULL, reclaim_count = COALESCE(reclaim_count, 0)"
            " + (envelope IN (SELECT value FROM json_each(?)))"
            " WHERE status = 'processing' AND lease_holder IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(counted)), json.dumps(dead)),
        ).rowcount

    def claim(
        self, limit: int, *, above: int | None = None, up_to: int | None = None
    ) -> list[Item]:
        """Claim pending items, those with the highest priority first, then the oldest.

        Args:
            limit: how many at most.
            above: only items with a higher priority than this.
            up_to: only items with a priority that is not higher than this.

        Returns:
            The items, in that order. Call `locate` for their files.
        """
        now = time.time()
        only = self._only
        only += "" if above is None else f" AND priority > {above:d}"
        only += "" if up_to is None else f" AND priority <= {up_to:d}"
        rows = self._db.execute(
            "UPDATE build_queue SET status = 'processing', lease_expires_at = ?, lease_holder = ?,"  # noqa: S608
            " started_at = COALESCE(started_at, ?) WHERE build_id IN (SELECT build_id FROM"
            f" build_queue WHERE status = 'pending'{only}"
            " ORDER BY priority DESC, build_id LIMIT ?)"
            " RETURNING build_id, file_id, envelope, COALESCE(priority, 0), work_file_hash",
            (now + LEASE_S, self.holder, now, limit),
        ).fetchall()
        items = [Item(row[0], row[1], row[2], row[3], row[4] or "") for row in rows]
        items.sort(key=lambda item: (-item.priority, item.build_id))
        return items

    def locate(self, items: Sequence[Item]) -> None:
        """Fill in where the files of claimed items are."""
        ids = json.dumps([item.file_id for item in items])
        rows = self._db.execute(self._file_sql, (ids,)).fetchall()
        places = {file_id: place for file_id, *place in rows}
        for item in items:
            if place := places.get(item.file_id):
                item.cvid, item.relpath, item.root = place
                item.path = str(Path(item.root or "") / item.relpath)

    def has_urgent(self) -> bool:
        """Return whether an item with a priority above 0 is pending."""
        return self.has_pending(" AND priority > 0")

    def has_pending(self, which: str = "") -> bool:
        """Return whether an item is pending.

        Args:
            which: a further condition, in SQL.
        """
        sql = (
            "SELECT 1 FROM build_queue WHERE status = 'pending'"  # noqa: S608
            f"{which}{self._only} LIMIT 1"
        )
        return self._db.execute(sql).fetchone() is not None

    def has_expired(self) -> bool:
        """Return whether the lease of an item in hand, anybody's, has ended."""
        sql = "SELECT 1 FROM build_queue WHERE status = 'processing' AND lease_expires_at < ?"
        return self._db.execute(f"{sql} LIMIT 1", (time.time(),)).fetchone() is not None

    def renew(self) -> None:
        """Renew the leases of all items in hand."""
        self._db.execute(
            "UPDATE build_queue SET lease_expires_at = ?"
            " WHERE status = 'processing' AND lease_holder = ?",
            (time.time() + LEASE_S, self.holder),
        )

    def release(self, items: Iterable[Item]) -> None:
        """Make items pending again, as if they had not been claimed."""
        self._db.execute(
            "UPDATE build_queue SET status = 'pending', lease_expires_at = NULL,"
            " lease_holder = NULL WHERE build_id IN (SELECT value FROM json_each(?))"
            " AND status = 'processing' AND lease_holder = ?",
            (_ids(items), self.holder),
        )

    def release_all(self) -> None:
        """Make all items in hand pending again, as if they had not been claimed."""
        self._db.execute(
            "UPDATE build_queue SET status = 'pending', lease_expires_at = NULL,"
            " lease_holder = NULL WHERE status = 'processing' AND lease_holder = ?",
            (self.holder,),
        )

    def complete(self, items: Iterable[Item]) -> set[int]:
        """Mark items as completed.

        Returns:
            The `build_id` of each that still was this build's.
        """
        rows = self._db.execute(
            "UPDATE build_queue SET status = 'completed', completed_at = ?"
            " WHERE build_id IN (SELECT value FROM json_each(?))"
            " AND status = 'processing' AND lease_holder = ? RETURNING build_id",
            (time.time(), _ids(items), self.holder),
        ).fetchall()
        return {row[0] for row in rows}

    def fail(self, item: Item, message: str, *, step: str | None, final: bool) -> bool:
        """Mark an item as failed: it is pending again, or an error after `MAX_RETRIES`.

        Args:
            item: the item.
            message: the exception's type and message.
            step: the step that failed, if that is known.
            final: whether it is an error at once.

        Returns:
            Whether it still was this build's.
        """
        rows = self._db.execute(
            "UPDATE build_queue SET retry_count = retry_count + 1, error_message = ?,"
            " error_step = ?, lease_expires_at = NULL, lease_holder = NULL, status = CASE WHEN ?"
            " OR retry_count + 1 >= ? THEN 'error' ELSE 'pending' END"
            " WHERE build_id = ? AND status = 'processing' AND lease_holder = ?"
            " RETURNING build_id",
            (message, step, final, MAX_RETRIES, item.build_id, self.holder),
        ).fetchall()
        return bool(rows)

    def counts(self) -> dict[str, int]:
        """Return how many items there are by status, of the envelopes that are claimed."""
        sql = f"SELECT status, count(*) FROM build_queue WHERE 1{self._only} GROUP BY 1"  # noqa: S608
        return dict(self._db.execute(sql).fetchall())


def _ids(items: Iterable[Item]) -> str:
    return json.dumps([item.build_id for item in items])


def _is_dead(holder: str | None) -> bool:
    """Return whether a lease holder is a build on this machine that does not run any more."""
    match = _HOLDER.fullmatch(holder or "")
    if match is None or match["host"] != platform.node():
        return False
    if int(match["pid"]) == os.getpid():
        return holder not in _RUNNING
    if sys.platform == "win32":
        return False  # signal 0 would end the process
    try:
        os.kill(int(match["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
