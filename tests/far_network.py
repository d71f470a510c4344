"""A network to a Redis server that is far away: it delays everything, and counts round trips.

As a program, it serves until it is ended: `python tests/far_network.py PORT DELAY_MS` prints its
own port, and what it has counted at its end.
"""

import asyncio
import contextlib
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Self

_CHUNK = 1 << 18


class Traffic:
    """What was sent to the server, by any number of connections.

    Attributes:
        connections: how many were opened.
        round_trips: how often a connection sent something after it had been answered.
        commands: how often each command of Redis was sent.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.round_trips = 0
        self.commands: Counter[str] = Counter()

    def as_builtins(self) -> dict[str, object]:
        return {
            "connections": self.connections,
            "round_trips": self.round_trips,
            "commands": dict(self.commands.most_common()),
        }


class _Commands:
    """Finds the names of commands in what a client sends."""

    def __init__(self, seen: Counter[str]) -> None:
        self._seen = seen
        self._rest = bytearray()
        self._skip = 0
        self._arguments = 0
        self._names_next = False

    def feed(self, data: bytes) -> None:
        self._rest += data
        while True:
            if self._skip:
                skipped = min(self._skip, len(self._rest))
                del self._rest[:skipped]
                self._skip -= skipped
                if self._skip:
                    return
            end = self._rest.find(b"\r\n")
            if end < 0:
                return
            head = bytes(self._rest[:end])
            if head[:1] == b"*":
                self._arguments, self._names_next = int(head[1:]), True
            elif head[:1] == b"$":
                size = int(head[1:])
                if self._names_next:
                    if len(self._rest) < end + 2 + size + 2:
                        return
                    name = bytes(self._rest[end + 2 : end + 2 + size])
                    self._seen[name.decode("ascii", "replace").upper()] += 1
                    self._names_next = False
                self._skip = size + 2
            del self._rest[: end + 2]


class FarNetwork:
    """A network to a server on this machine, in a thread; a context manager.

    Args:
        port: the port of the server.
        delay_s: seconds for which everything travels, in each direction: half a round trip.

    Attributes:
        port: its own port.
        url: the URL of the server through this network.
        traffic: what has been sent to the server.
        delay_s: as above; it may be changed.
    """

    def __init__(self, port: int, delay_s: float) -> None:
        self.delay_s = delay_s
        self.traffic = Traffic()
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="far network")
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.traffic.connections += 1
        # A handshake takes a round trip, too.
        await asyncio.sleep(2 * self.delay_s)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        connection = _Connection(self.traffic)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, far_writer, connection.sent))
                group.create_task(self._carry(far_reader, writer, connection.answered))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, far_writer):
                each.close()

    async def _carry(
        self,
        source: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        note: Callable[[bytes], None],
    ) -> None:
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.ensure_future(self._deliver(on_the_way, to))
        try:
            while True:
                data = await source.read(_CHUNK)
                if data:
                    note(data)
                on_the_way.put_nowait((self._loop.time() + self.delay_s, data))
                if not data:
                    await delivery
                    return
        finally:
            delivery.cancel()

    async def _deliver(
        self, on_the_way: asyncio.Queue[tuple[float, bytes]], to: asyncio.StreamWriter
    ) -> None:
        while True:
            due, data = await on_the_way.get()
            if (wait_s := due - self._loop.time()) > 0:
                await asyncio.sleep(wait_s)
            if not data:
                with contextlib.suppress(OSError):
                    to.write_eof()
                return
            to.write(data)
            await to.drain()


class _Connection:
    """Counts the round trips of one connection."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._commands = _Commands(traffic.commands)
        self._answered = True

    def sent(self, data: bytes) -> None:
        if self._answered:
            self._traffic.round_trips += 1
            self._answered = False
        self._commands.feed(data)

    def answered(self, data: bytes) -> None:
        del data
        self._answered = True


def main() -> None:
    port, delay_ms = int(sys.argv[1]), float(sys.argv[2])
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with FarNetwork(port, delay_ms / 1000) as network:
        sys.stdout.write(f"{network.port}\n")
        sys.stdout.flush()
        ended.wait()
        sys.stdout.write(json.dumps(network.traffic.as_builtins()) + "\n")


if __name__ == "__main__":
    main()
