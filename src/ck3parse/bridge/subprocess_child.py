"""The child process of `subprocess_parser`: request from stdin, result to stdout."""

import os
import signal
import sys
from typing import NoReturn

import msgspec

from ck3parse.config import read_settings
from ck3parse.messages import ParseRequest
from ck3parse.worker.handler import request_handler

_GRACE_S = 5.0


def main() -> NoReturn:
    """Parse one request and exit at once; request and result are msgpack."""
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=ParseRequest)
    if sys.platform != "win32":
        # The parent that should kill this process at its limit may have died.
        signal.setitimer(signal.ITIMER_REAL, request.timeout_ms / 1000 + _GRACE_S)
    answer = msgspec.msgpack.encode(request_handler(read_settings())(request))
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    os._exit(0)
