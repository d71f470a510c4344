"""A log of events as JSON lines, in qbuilder's format.

Each line is an object with `ts` (seconds since 1970), `event` (one of `EVENTS`) and some of
`FIELDS`. The file is `ck3parse_YYYY-MM-DD.jsonl` in the folder `CK3PARSE_LOG_DIR`, with the date in
UTC. Several processes may write to it. Without that setting, nothing is written.
"""

import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ck3parse.config import read_setting

EVENTS = frozenset(
    {
        "run_start",
        "run_complete",
        "item_claimed",
        "item_complete",
        "item_error",
        "step_start",
        "step_complete",
        "step_error",
    }
)
FIELDS = frozenset(
    {
        "run_id",
        "worker_id",
        "file_id",
        "relpath",
        "step",
        "envelope",
        "duration_ms",
        "error",
        "stats",
        "extra",
    }
)

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class EventLog:
    """Writes events to the files in a folder.

    Args:
        folder: the folder; it is created if it does not exist.

    Attributes:
        folder: as given.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._warned = False

    def write(self, event: str, **fields: Any) -> None:
        """Write a line. If the file cannot be written, log a warning, once.

        Args:
            event: one of `EVENTS`.
            **fields: some of `FIELDS`; a field that is `None` is left out.

        Raises:
            ValueError: the event or a field does not exist.
        """
        if event not in EVENTS or not fields.keys() <= FIELDS:
            raise ValueError(f"unknown event or fields: {event}, {sorted(fields)}")
        now = time.time()
        given = {name: value for name, value in fields.items() if value is not None}
        line = _encode({"ts": round(now, 6), "event": event, **given}) + b"\n"
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        try:
            self._append(self.folder / f"ck3parse_{day}.jsonl", line)
        except OSError as error:
            if not self._warned:
                self._warned = True
                log.warning("events are not logged: %s", error)

    def _append(self, path: Path, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            fd = os.open(path, flags, 0o644)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, flags, 0o644)
        try:
            # A single call appends the whole line, so that lines of several processes do not mix.
            os.write(fd, line)
        finally:
            os.close(fd)


_logs: dict[str, EventLog] = {}


def event_log() -> EventLog | None:
    """Return the log in the folder `CK3PARSE_LOG_DIR`, or `None` if that is not set."""
    folder = read_setting("log_dir")
    if not folder:
        return None
    return _logs.get(folder) or _logs.setdefault(folder, EventLog(Path(folder)))
