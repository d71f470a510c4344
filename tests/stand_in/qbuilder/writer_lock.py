"""The lock of the one process that writes to a database."""

import contextlib
import os
from pathlib import Path


class WriterLock:
    """A lock file beside the database; this one is taken while the file exists."""

    def __init__(self, db_path: Path) -> None:
        self._file = db_path.with_name(f"{db_path.name}.writer.lock")
        self._acquired = False

    def acquire(self) -> bool:
        """Return whether it could be taken."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._file, os.O_CREAT | os.O_EXCL))
            self._acquired = True
        return self._acquired

    def release(self) -> None:
        """Give it up."""
        if self._acquired:
            self._file.unlink()
            self._acquired = False
