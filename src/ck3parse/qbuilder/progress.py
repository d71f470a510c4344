"""What a build tells its caller: calls, printed lines and counts, as qbuilder's own worker does."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypedDict

from ck3parse.plurals import counted
from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.observers import Observers
from ck3parse.qbuilder.outcome import Failure

_PROGRESS_ITEMS = 100
_IDLE_POLLS = 12


class Summary(TypedDict):
    """What a build has done.

    Attributes:
        items_processed: number of attempts.
        completed: how many succeeded.
        errors: how many failed.
    """

    items_processed: int
    completed: int
    errors: int


def print_safely(line: str) -> None:
    """Print a line, with `?` for what the encoding of the output lacks; drop it if that fails."""
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    with suppress(OSError, ValueError):  # its reader is gone, or it was closed
        print(line.encode(encoding, "replace").decode(encoding))  # noqa: T201


class Progress:
    """Counts what a build does, and tells it.

    Args:
        observers: the caller's logger and activity object.
        say: called with each line that qbuilder's own worker would print.

    Attributes:
        done: what was done so far.
    """

    def __init__(self, observers: Observers, say: Callable[[str], None]) -> None:
        self.done = Summary(items_processed=0, completed=0, errors=0)
        self._observers = observers
        self._say = say
        self._idle_polls = 0
        self._told_unavailable = False

    def start(self, *, continuous: bool, max_items: int | None) -> None:
        """Tell that the build begins."""
        self._observers.event(
            "worker_start",
            {"continuous": continuous, "max_items": max_items, "pid": os.getpid()},
        )
        self._say(f"[Worker] Starting (continuous={continuous}, max_items={max_items})")

    def exit(self, reason: str) -> None:
        """Tell that the build ends."""
        processed = self.done["items_processed"]
        self._observers.event("worker_exit", {"reason": reason, "processed": processed})
        self._say(f"[Worker] Exiting: {reason} ({processed} processed)")

    def survived(self, error: Exception) -> None:
        """Tell that the build goes on after an exception that is being handled."""
        self._say(f"[Worker] RECOVERED FROM CRASH: {type(error).__name__}: {error}")
        self._observers.event(
            "worker_crash_recovered",
            {
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
                "processed": self.done["items_processed"],
            },
        )

    def building(self) -> None:
        """Tell that there is something to do."""
        self._idle_polls = 0
        self._observers.building()

    def idle(self, poll_interval_s: float | None) -> bool:
        """Tell that there is nothing to do.

        Args:
            poll_interval_s: seconds until the next look; `None`: the build ends.

        Returns:
            Whether there was something to do before.
        """
        self._idle_polls += 1
        if self._idle_polls == 1:
            self._observers.idle()
        if poll_interval_s is not None and self._idle_polls % _IDLE_POLLS == 1:
            processed = self.done["items_processed"]
            self._observers.event(
                "worker_idle", {"polls": self._idle_polls, "processed": processed}
            )
            self._say(
                f"[Worker] Waiting for work... ({processed} processed, idle for"
                f" {self._idle_polls * poll_interval_s:.0f}s)"
            )
        return self._idle_polls == 1

    def recovered(self, errors: int, again: int) -> None:
        """Tell how many expired leases were taken back."""
        if errors:
            self._say(f"[Recovery] Marked {errors} repeatedly-failing items as errors")
        if again:
            self._say(f"[Recovery] Reset {again} expired leases to pending")

    def released_those_of_the_dead(self, items: int) -> None:
        """Tell how many items of dead builds were taken back."""
        self._say(f"[Recovery] Reset {counted(items, 'item')} of builds that died to pending")

    def kept_claimed(self, error: Exception) -> None:
        """Tell that the items in hand could not be released."""
        self._say(
            "[Worker] Claimed items stay so until the next build or the end of their leases"
            f" ({error})"
        )

    def unavailable(self, reason: str) -> None:
        """Tell that broker or workers are away, once until `available` is called."""
        if not self._told_unavailable:
            self._told_unavailable = True
            self._say(f"[Worker] Waiting for the pipeline: {reason}")

    def available(self) -> None:
        """Note that files are parsed."""
        self._told_unavailable = False

    def claimed(self, item: Item, steps: tuple[str, ...]) -> None:
        """Tell that an item was claimed."""
        self._observers.claimed(item.file_id, item.relpath, item.envelope, steps)

    def ended(self, completed: Sequence[Item], failed: Sequence[Failure]) -> None:
        """Count and tell attempts that ended.

        Args:
            completed: those that succeeded.
            failed: those that failed.
        """
        for item in completed:
            self._say(f"Building: {item.relpath} [{item.envelope}]")
            self.done["completed"] += 1
            self._count()
            self._observers.completed(item.file_id, item.relpath)
        for found in failed:
            item = found.item
            if not item.root:  # qbuilder's own worker does not take it for an attempt
                continue
            self._say(f"Building: {item.relpath} [{item.envelope}]")
            self._say(f"  Error: {found.message}")
            self.done["errors"] += 1
            self._count()
            self._observers.failed(item.file_id, item.relpath, found.message)

    def _count(self) -> None:
        self.done["items_processed"] += 1
        if (processed := self.done["items_processed"]) % _PROGRESS_ITEMS == 0:
            completed, errors = self.done["completed"], self.done["errors"]
            self._observers.event(
                "worker_progress",
                {"processed": processed, "completed": completed, "errors": errors},
            )
            self._say(
                f"[Worker] Progress: {processed} processed, {completed} completed, {errors} errors"
            )
