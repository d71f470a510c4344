"""Commands that watch files, with what they print."""

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from command import start
from polling import wait_until

DEADLINE_S = 60


class Watching:
    """A running `ck3parse` command with `--watch`, and what it has printed.

    Args:
        folder: where it is started.
        command: its arguments.
        env: environment variables.
    """

    def __init__(self, folder: Path, *command: str, env: Mapping[str, str] | None = None) -> None:
        env = {"XDG_CACHE_HOME": str(folder / "cache"), **(env or {})}
        self.process = start(*command, cwd=folder, env=env)
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=each)
            for each in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        self.wait_for("watching for changes: end with Ctrl-C")

    @staticmethod
    def _read(stream: IO[bytes], lines: list[str]) -> None:
        while line := stream.readline():
            lines.append(line.decode().rstrip("\n"))

    def wait_for(self, text: str) -> None:
        wait_until(
            lambda: any(text in line for line in [*self.out, *self.err]),
            DEADLINE_S,
            f"{text} in {self.out} {self.err}",
        )

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return code
