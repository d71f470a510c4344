"""Parsing each file in a new subprocess that is killed at its time limit.

This needs no broker and no worker, and imports nothing of Celery. The results are the same as those
of a worker, byte for byte; it takes about fifty times as long.
"""

import subprocess
from collections.abc import Callable

import msgspec

from ck3parse.child_process import command_for
from ck3parse.errors import ErrorType
from ck3parse.messages import ParseRequest, ParseResult

_MAX_STDERR_CHARS = 500


def parse(
    request: ParseRequest,
    began: Callable[["subprocess.Popen[bytes]"], None] = lambda _: None,
    ended: Callable[["subprocess.Popen[bytes]"], None] = lambda _: None,
) -> ParseResult:
    """Parse one request in a process of its own.

    Args:
        request: what to parse. Its `timeout_ms` includes the start of the process.
        began: called with the process; from then on it may be killed.
        ended: called with the process; from then on it must not be used.

    Returns:
        The result; its error type is `ParseTimeout` if the process was killed at its time limit,
        and `WorkerCrashed` if it died.
    """
    command = command_for("ck3parse.bridge.subprocess_child.main")
    failed = ParseResult(request.id, request.path or request.name)
    try:
        done = _run(command, request, began, ended)
    except subprocess.TimeoutExpired:
        failed.error_type = ErrorType.PARSE_TIMEOUT
        failed.error = f"parsing it took longer than the limit of {request.timeout_ms:,} ms"
        return failed
    if done.returncode == 0:
        try:
            return msgspec.msgpack.decode(done.stdout, type=ParseResult)
        except msgspec.MsgspecError as error:
            how = f"its output is not a result: {error}"
    elif done.returncode < 0:
        how = f"signal {-done.returncode}"
    else:
        words = done.stderr.decode(errors="replace").strip()[-_MAX_STDERR_CHARS:]
        how = f"exit code {done.returncode}{words and ': '}{words}"
    failed.error_type = ErrorType.WORKER_CRASHED
    failed.error = f"the process that parsed it died: {how}"
    return failed


def _run(
    command: list[str],
    request: ParseRequest,
    began: Callable[["subprocess.Popen[bytes]"], None],
    ended: Callable[["subprocess.Popen[bytes]"], None],
) -> "subprocess.CompletedProcess[bytes]":
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            began(process)
            body = msgspec.msgpack.encode(request)
            out, err = process.communicate(body, request.timeout_ms / 1000)
        except BaseException:
            process.kill()
            raise
        finally:
            ended(process)
    return subprocess.CompletedProcess(command, process.returncode, out, err)
