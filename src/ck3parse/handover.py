"""Handing a command over to a process that has imported everything: the client's side.

`find` and `uses` take longer to import than to answer. `ck3parse run --watch` keeps a process that
answers them (`cli/answer_server.py`): it forks, and the child runs the command with the client's
own arguments, environment, current folder and standard streams, so that the output is the same.
The client does it itself if there is no such process, or if it is of another version, encoding or
Python, and on systems that cannot fork.

This module imports next to nothing, as its imports are most of what a command takes.
"""

import os
import sys

from ck3parse import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket

COMMANDS = ("find", "uses")
"""The commands that are handed over."""
ACCEPT_LIMIT_S = 0.5
"""Seconds that the process may take to accept a command."""
YES, NO, GO, CODE = b"y", b"n", b"g", b"c"
"""What they say: it accepts the command or not; run it; its exit code is the next byte."""
INTERRUPTED = 130
_MOST_TRIED = 4
_INSTALLED_NS = os.stat(__file__).st_mtime_ns if os.path.exists(__file__) else 0
"""The code that this process has: the package may be installed again while it runs."""
_LOST = b"ck3parse: the process that answered has ended: run the command again\n"


def folder() -> str:
    """Return the folder with the sockets of this user's processes."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - see below
    return os.path.join(base, f"ck3parse-{os.getuid()}")


def is_private(path: str) -> bool:
    """Return whether a folder is this user's own, and closed to others."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return status.st_uid == os.getuid() and status.st_mode & 0o170077 == 0o040000


def identity() -> bytes:
    """Return what client and server must have in common."""
    streams = [getattr(each, "encoding", "") for each in (sys.stdout, sys.stderr)]
    errors = [getattr(each, "errors", "") for each in (sys.stdout, sys.stderr)]
    package = os.path.dirname(os.path.abspath(__file__))
    parts = [
        package, __version__, _INSTALLED_NS, sys.version, sys.getfilesystemencoding(), streams,
        errors, _mounts(),
    ]  # fmt: skip
    return repr(parts).encode()


def _mounts() -> str:
    """Return which folders this process sees: a container that shares this one sees others."""
    try:
        return os.readlink("/proc/self/ns/mnt")
    except OSError:  # not Linux
        return ""


def packed(*parts: bytes) -> bytes:
    """Return parts as one message: their lengths, a line end, and the parts."""
    return b" ".join(b"%d" % len(part) for part in parts) + b"\n" + b"".join(parts)


def hand_over() -> int | None:
    """Have this command answered by another process.

    Returns:
        Its exit code; `None` if nothing was done and this process is to answer.
    """
    # The folder must be private: whoever makes a socket in it gets the environment.
    try:
        names = sorted(os.listdir(folder())) if is_private(folder()) else []
    except OSError:
        return None
    if not names or not _has_streams():
        return None
    import socket

    try:
        for name in names[:_MOST_TRIED]:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
                server.settimeout(ACCEPT_LIMIT_S)
                try:
                    server.connect(os.path.join(folder(), name))
                    server.sendall(_request())
                    if server.recv(1) != YES:
                        continue
                    server.settimeout(None)
                    _go(server)
                except OSError:
                    continue
                return _exit_code(server)
    except KeyboardInterrupt:
        os.write(2, b"ck3parse: interrupted\n")
        return INTERRUPTED
    return None


def _has_streams() -> bool:
    """Return whether no standard stream is closed: a socket would take its number."""
    try:
        for number in range(3):
            os.fstat(number)
    except OSError:
        return False
    return True


def _request() -> bytes:
    environment = [name + b"=" + value for name, value in os.environb.items()]
    arguments = [os.fsencode(each) for each in sys.argv[1:]]
    return packed(identity(), b"\0".join(arguments), b"\0".join(environment))


def _go(server: "socket") -> None:
    """Have the command run in the current folder, with the standard streams of this process.

    They are not sent earlier: a process that does not read them would keep them open.
    """
    from socket import send_fds

    here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
    try:
        send_fds(server, [GO], [here, 0, 1, 2])
    finally:
        os.close(here)


def _exit_code(server: "socket") -> int | None:
    """Wait for the exit code; `None` if the process does not answer this command after all."""
    try:
        reply = server.recv(1)
        if reply == NO:
            return None
        if reply == CODE and (code := server.recv(1)):
            return code[0]
    except OSError:
        pass
    os.write(2, _LOST)
    return 1
