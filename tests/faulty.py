"""A parser whose files can ask for a fault: `CK3PARSE_PARSER=faulty:parse` with this folder on the
path. It makes real faults in real worker processes; other files are parsed as ever."""

import ctypes
import os
import signal
import sys
import threading
from typing import Literal

from ck3parse.parser import reference
from ck3parse.parser.outcome import ParseOutcome


def parse(data: bytes, name: str, *, mode: Literal["strict", "recover"]) -> ParseOutcome:
    if data.startswith(b"fault = "):
        _fail(data.split()[2].decode())
    if journal := os.environ.get("FAULTY_JOURNAL"):
        with open(journal, "a") as file:
            file.write(name + "\n")
    return reference.parse_bytes(data, name, mode=mode)


def _fail(fault: str) -> None:
    match fault:
        case "hang":
            while True:
                pass
        case "slow":
            threading.Event().wait(0.005)
        case "hang_in_c":  # a call that keeps the interpreter's lock and never returns
            ctypes.PyDLL(None).pause()
        case "exit":
            os._exit(3)
        case "sys_exit":
            sys.exit(3)
        case "abort":
            os.abort()
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "bug":
            raise ZeroDivisionError("a bug")
        case "memory":
            raise MemoryError
        case _:
            raise AssertionError(fault)
