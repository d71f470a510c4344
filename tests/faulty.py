"""A parser that fails in the way a file asks for.

`CK3PARSE_PARSER=faulty:parse`, with this folder on the path, causes real faults in real worker
processes. Other files are parsed as usual.

The main process of a worker imports this module for the version of its parser, and then has the
remote control commands `stand_still` and `stand_still_at_end`.
"""

import ctypes
import os
import signal
import sys
import threading
from typing import Any, Literal

from ck3parse.parser import reference
from ck3parse.parser.outcome import ParseOutcome


def parse(data: bytes, name: str, *, mode: Literal["strict", "recover"]) -> ParseOutcome:
    if data.startswith(b"fault = "):
        fault, *rest = data.split()[2:]
        _fail(fault.decode(), *rest)
    if pids := os.environ.get("FAULTY_PIDS"):
        with open(pids, "a") as file:
            file.write(f"{os.getpid()}\n")
    if journal := os.environ.get("FAULTY_JOURNAL"):
        with open(journal, "a") as file:
            file.write(name + "\n")
    return reference.parse_bytes(data, name, mode=mode)


def _fail(fault: str, *rest: bytes) -> None:
    match fault:
        case "hang":
            while True:
                pass
        case "slow":
            threading.Event().wait(0.005)
        case "sleep":  # healthy, but takes the seconds that follow
            threading.Event().wait(float(rest[0]))
        case "until":  # healthy, but waits for the file that follows
            while not os.path.exists(rest[0]):
                threading.Event().wait(0.01)
        case "hang_in_c":  # a call that holds the GIL and never returns
            ctypes.PyDLL(None).pause()
        case "once":  # crashes unless the file that a comment names exists
            try:
                open(rest[1], "x").close()
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "sys_exit":
            sys.exit(3)
        case "abort":
            os.abort()
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "bug":
            raise ZeroDivisionError("a bug")
        case "memory":
            raise MemoryError
        case "bomb":  # ends by itself, so that it cannot take down a machine without limits
            eaten = [bytes([1]) * (64 << 20) for _ in range(64)]
            raise AssertionError(f"nothing stopped it from eating {len(eaten) * 64} MB")
        case _:
            raise AssertionError(fault)


def _stand_still(state: object) -> None:
    """Wait for a lock that is never released, like that of a process that was killed."""
    del state
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _stand_still_at_end(state: Any) -> None:
    """Fail when the pool is stopped, and stand still when it is terminated after that."""

    def fail() -> None:
        raise OSError("the pool cannot be stopped")

    state.consumer.pool.on_stop = fail
    state.consumer.pool.on_terminate = lambda: _stand_still(None)


if "celery.worker.control" in sys.modules:
    _command = sys.modules["celery.worker.control"].control_command
    _command(name="stand_still")(_stand_still)
    _command(name="stand_still_at_end")(_stand_still_at_end)
