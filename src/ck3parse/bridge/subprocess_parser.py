"""The old way: a fresh subprocess for each file, killed at its time limit.

It needs no broker and no worker, and nothing of Celery is imported for it. What it answers is what
a worker answers, byte for byte; it takes about fifty times as long.
"""

import subprocess
import sys
from collections.abc import Callable

import msgspec

from ck3parse.errors import ErrorType
from ck3parse.messages import ParseRequest, ParseResult

# `-P`, and the host's search path behind its own: the current folder may hold anything.
_CHILD = (
    "import sys; sys.path += [folder for folder in sys.argv[1:] if folder not in sys.path];"
    " from ck3parse.bridge.subprocess_child import main; main()"
)
_LAST_WORDS = 500


def parse(
    request: ParseRequest,
    began: Callable[["subprocess.Popen[bytes]"], None] = lambda _: None,
    ended: Callable[["subprocess.Popen[bytes]"], None] = lambda _: None,
) -> ParseResult:
    """Answer one request in a process of its own.

    Args:
        request: what to parse. Its `timeout_ms` is for the whole process, its start included.
        began: called with the process, which may be killed from then on.
        ended: called with it once it is not to be touched any more.

    Returns:
        The result. A process that was killed at its limit is a `ParseTimeout`, one that died a
        `WorkerCrashed`.
    """
    command = [sys.executable, "-P", "-c", _CHILD, *(folder for folder in sys.path if folder)]
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
            how = f"it answered nonsense: {error}"
    elif done.returncode < 0:
        how = f"signal {-done.returncode}"
    else:
        words = done.stderr.decode(errors="replace").strip()[-_LAST_WORDS:]
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
