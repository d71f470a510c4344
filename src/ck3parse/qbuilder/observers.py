"""The caller's logger and activity object, whose exceptions do not stop a build."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol

log = logging.getLogger(__name__)


class Logger(Protocol):
    """What a build calls of qbuilder's logger."""

    def log_event(self, event: str, data: dict[str, Any], /) -> object:
        """Note an event of the build."""

    def item_claimed(
        self, file_id: int, relpath: str, envelope: str, steps: tuple[str, ...], /
    ) -> object:
        """Note that an item was claimed."""

    def item_complete(self, file_id: int, relpath: str, /) -> object:
        """Note that an item was completed."""

    def item_error(self, file_id: int, relpath: str, message: str, step: str | None, /) -> object:
        """Note that an attempt failed."""


class RunActivity(Protocol):
    """What a build calls of qbuilder's activity object."""

    def set_state(self, state: str, /) -> object:
        """Note what the build does."""

    def set_idle(self) -> object:
        """Note that there is nothing to do."""

    def record_item(self, status: str, /) -> object:
        """Count an item, `completed` or `error`."""


class Observers:
    """Calls logger and activity object, if there are any.

    What they raise is logged as a warning, once for each method, and has no other effect.

    Args:
        logger: qbuilder's logger, or `None`.
        run_activity: qbuilder's activity object, or `None`.
    """

    def __init__(self, logger: Logger | None, run_activity: RunActivity | None) -> None:
        self._logger = logger
        self._activity = run_activity
        self._warned: set[str] = set()

    def event(self, name: str, data: Mapping[str, Any]) -> None:
        """Note an event of the build."""
        if self._logger:
            self._call(self._logger, "log_event", name, dict(data))

    def claimed(self, file_id: int, relpath: str, envelope: str, steps: tuple[str, ...]) -> None:
        """Note that an item was claimed."""
        if self._logger:
            self._call(self._logger, "item_claimed", file_id, relpath, envelope, steps)

    def completed(self, file_id: int, relpath: str) -> None:
        """Note that an item was completed."""
        if self._logger:
            self._call(self._logger, "item_complete", file_id, relpath)
        if self._activity:
            self._call(self._activity, "record_item", "completed")

    def failed(self, file_id: int, relpath: str, message: str) -> None:
        """Note that an attempt failed."""
        if self._logger:
            # qbuilder's own worker passes no step either.
            self._call(self._logger, "item_error", file_id, relpath, message, None)
        if self._activity:
            self._call(self._activity, "record_item", "error")

    def building(self) -> None:
        """Note that there is something to do."""
        if self._activity:
            self._call(self._activity, "set_state", "building")

    def idle(self) -> None:
        """Note that there is nothing to do."""
        if self._activity:
            self._call(self._activity, "set_idle")

    def _call(self, observer: object, name: str, *args: object) -> None:
        try:
            getattr(observer, name)(*args)
        except Exception as error:
            method = f"{type(observer).__qualname__}.{name}"
            if method not in self._warned:
                self._warned.add(method)
                log.warning(
                    "%s raised %s: %s; the build goes on",
                    method,
                    type(error).__name__,
                    error,
                    exc_info=True,
                )
