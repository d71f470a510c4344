"""The process that answers `find` and `uses` while `run --watch` runs: see `ck3parse.handover`.

It has one thread and does nothing but fork, so that a child finds no lock held. A child answers
only if the index is kept up to date; otherwise the client brings it up to date itself.
"""

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator

from ck3parse import cli, handover
from ck3parse.child_process import command_for
from ck3parse.cli import find, index_options, uses
from ck3parse.config import unknown_variables
from ck3parse.extractors import places
from ck3parse.index import similar, text_places, watch_mark
from ck3parse.parser.ck3 import source

_END_LIMIT_S = 5.0
_REQUEST_LIMIT_S = 5.0
_PAUSE_S = 1.0
_CHUNK = 1 << 16
_IMPORTED = (find, uses, places, similar, source, text_places, watch_mark)
"""The commands, and modules that they would import when they need them."""


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Have a process answer commands until the end of the block, if this system can fork."""
    if not hasattr(os, "fork"):
        yield
        return
    with subprocess.Popen(
        command_for("ck3parse.cli.answer_server.serve"),
        stdin=subprocess.PIPE,  # its end tells the process to end
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process
    ) as process:
        try:
            yield
        finally:
            try:
                process.communicate(timeout=_END_LIMIT_S)  # closes its standard input
            except subprocess.TimeoutExpired:
                process.kill()


def serve() -> None:
    """Answer commands until standard input ends."""
    with contextlib.suppress(ImportError):  # it may not be built
        importlib.import_module("ck3parse.parser.native")
    folder = handover.folder()
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    if not handover.is_private(folder):
        return
    _remove_dead(folder)
    path = os.path.join(folder, str(os.getpid()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        try:
            _serve(listener)
        finally:
            os.unlink(path)


def _remove_dead(folder: str) -> None:
    """Remove the sockets of processes that were killed."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            try:
                other.connect(path)
            except ConnectionRefusedError:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            except OSError:  # gone already
                pass


def _serve(listener: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    gc.freeze()
    while True:
        ready, _, _ = select.select([listener.fileno(), 0], [], [])
        if 0 in ready:
            return
        try:
            client, _ = listener.accept()
            with client:
                if os.fork() == 0:
                    listener.close()
                    _answer(client)
        except OSError:  # there are too many processes or open files; clients answer themselves
            select.select([0], [], [], _PAUSE_S)


def _answer(client: socket.socket) -> None:
    """Answer the command of a client in a process of its own, which ends."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        client.settimeout(_REQUEST_LIMIT_S)
        if not _accept(client):
            client.sendall(handover.NO)
            return
        client.sendall(handover.YES)
        if _take_streams(client):
            client.settimeout(None)
            threading.Thread(target=_end_with, args=(client,), daemon=True).start()
            code = _exit_code()
            client.sendall(handover.NO if code is None else handover.CODE + bytes([code]))
    except OSError:  # the client is gone
        pass
    finally:
        os._exit(0)


def _accept(client: socket.socket) -> bool:
    """Take over a client's command, and return whether this process can answer it."""
    head, _, rest = _read_until(client, b"\n").partition(b"\n")
    lengths = [int(each) for each in head.split()]
    while len(rest) < sum(lengths):
        rest += _chunk(client)
    parts = []
    for length in lengths:
        parts.append(rest[:length])
        rest = rest[length:]
    identity, arguments, environment = parts
    if identity != handover.identity():
        return False
    os.environb.clear()
    for each in filter(None, environment.split(b"\0")):
        name, _, value = each.partition(b"=")
        os.environb[name] = value
    sys.argv[1:] = [os.fsdecode(each) for each in arguments.split(b"\0")]
    # A warning of these is printed before it is known whether the index is up to date.
    return sys.argv[1] in handover.COMMANDS and not list(unknown_variables(os.environ))


def _take_streams(client: socket.socket) -> bool:
    """Take over a client's current folder and standard streams, if it says that it wants it."""
    said, (here, *streams), _, _ = socket.recv_fds(client, 1, 4)
    os.fchdir(here)
    os.close(here)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return said == handover.GO


def _read_until(client: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        data += _chunk(client)
    return data


def _chunk(client: socket.socket) -> bytes:
    data = client.recv(_CHUNK)
    if not data:
        raise ConnectionError("the client is gone")
    return data


def _end_with(client: socket.socket) -> None:
    """End this process when its client ends, as after Ctrl-C."""
    with contextlib.suppress(OSError):
        client.recv(1)
    os._exit(handover.INTERRUPTED)


def _exit_code() -> int | None:
    """Run the command, and return its exit code; `None` if the client is to run it."""
    index_options.answer_only_if_watched()
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except index_options.NotWatchedError:
        return None
    except BaseException:  # noqa: BLE001 - as Python does it
        traceback.print_exc()
        return 1
