"""Servers, workers and a network as users have them.

Each is a real process of its own, so that tests can break it.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from ck3parse.embedded.broker import _server_binary
from command import FAULTY
from polling import wait_until
from services import free_port

START_LIMIT_S = 30.0


class _Process:
    """A program that can be restarted."""

    process: "subprocess.Popen[bytes]"

    def signal(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def kill(self) -> None:
        """Kill the program and its children, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Server(_Process):
    """A Valkey server on a port of this machine.

    Args:
        folder: the folder for its file.
        *args: further options.
        keep: whether it keeps its data in a file, for a restart.
    """

    def __init__(self, folder: Path, *args: str, keep: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._args = (*args, "--appendonly", "yes" if keep else "no")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                _server_binary(),
                *("--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
                *("--dir", str(self._folder), *self._args),
            ],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._answers, START_LIMIT_S, "the server is up")

    def _answers(self) -> bool:
        with self.client() as client, contextlib.suppress(RedisError):
            return bool(client.ping())
        return False

    @contextlib.contextmanager
    def client(self) -> "Iterator[Redis]":
        with contextlib.closing(Redis(port=self.port, socket_timeout=5)) as client:
            yield client

    def memory(self) -> int:
        """Return the number of bytes that the server uses."""
        with self.client() as client:
            info: Any = client.info("memory")
        return int(info["used_memory"])


class Worker(_Process):
    """A worker, started with `celery -A ck3parse worker`.

    Args:
        url: the URL of its broker.
        folder: the folder for its log.
        name: Celery's name of the worker.
        env: further variables of its environment.
        app: the module of its Celery application.
        processes: the number of its processes.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        name: str = "one",
        env: Mapping[str, str] | None = None,
        app: str = "ck3parse",
        processes: int = 2,
    ) -> None:
        self._log = folder / f"{name}.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CK3PARSE_")}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", app, "worker"),
                    *("-l", "INFO", "-c", str(processes), "-n", f"{name}@%h"),
                ],
                env={**clean, **FAULTY, "CK3PARSE_BROKER_URL": url, **(env or {})},
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_ready(self) -> Self:
        wait_until(lambda: " ready." in self.log(), START_LIMIT_S, "the worker is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGCONT)
        self.kill()


class Proxy:
    """A network to a server, whose connections can be cut, or stall silently.

    Args:
        port: the port of the server.
        delay_s: the delay in each direction in seconds.

    Attributes:
        url: the URL of the server through this network.
        refused: the number of refused connections.
    """

    def __init__(self, port: int, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self._delayed: deque[tuple[float, socket.socket, bytes]] = deque()
        """In order: the time to forward, the source, and the data, which is empty at the end."""
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._silent: set[socket.socket] = set()
        self._ending: set[socket.socket] = set()
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._refuses = self._ended = False
        self.refused = 0
        self._thread = threading.Thread(target=self._forward)
        self._thread.start()

    @property
    def connections(self) -> int:
        return len(self._pairs) // 2

    def cut(self) -> None:
        """Close all connections. New ones are forwarded."""
        with self._lock:
            for end in list(self._pairs):
                self._close(end)
        self._wake.send(b"\0")

    def stall(self) -> None:
        """Forward nothing more on the present connections. New ones are forwarded."""
        with self._lock:
            self._silent |= self._pairs.keys()
        self._wake.send(b"\0")

    def refuse(self, refuses: bool) -> None:
        """Refuse connections, or accept them again."""
        self._refuses = refuses
        if refuses:
            self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self.cut()
        self._thread.join()
        for end in (self._listener, self._wake, self._woken):
            end.close()

    def _forward(self) -> None:
        while not self._ended:
            with self._lock:
                ends = [end for end in self._pairs if end not in self._silent | self._ending]
            watched = [self._listener, self._woken, *ends]
            try:
                readable, _, _ = select.select(watched, [], [], self._until_due())
            except (OSError, ValueError):  # one was closed just now
                continue
            with self._lock:
                for end in readable:
                    if end is self._woken:
                        end.recv(4096)
                    elif end is self._listener:
                        self._accept()
                    elif end in self._pairs and end not in self._silent:
                        self._take(end)
                while self._delayed and self._delayed[0][0] <= monotonic():
                    _, end, data = self._delayed.popleft()
                    if end in self._pairs and end not in self._silent:
                        self._pass_on(end, data)

    def _until_due(self) -> float:
        return max(0.0, self._delayed[0][0] - monotonic()) if self._delayed else 1.0

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if self._refuses:
            self.refused += 1
            near.close()
            return
        try:
            far = socket.create_connection(self._to)
        except OSError:
            near.close()
            return
        self._pairs[near], self._pairs[far] = far, near

    def _take(self, end: socket.socket) -> None:
        try:
            data = end.recv(1 << 16)
        except OSError:
            self._close(end)
            return
        if not data:
            self._ending.add(end)
        self._delayed.append((monotonic() + self._delay_s, end, data))

    def _pass_on(self, end: socket.socket, data: bytes) -> None:
        try:
            if data:
                self._pairs[end].sendall(data)
            else:
                self._close(end)
        except OSError:
            self._close(end)

    def _close(self, end: socket.socket) -> None:
        if other := self._pairs.pop(end, None):
            self._pairs.pop(other, None)
            self._silent -= {end, other}
            self._ending -= {end, other}
            end.close()
            other.close()
