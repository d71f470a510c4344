"""Three ways to parse the same files, each measured in a fresh process.

`python -m ck3parse.bench.runs` reads a `Task` from standard input and writes a `Round`, both as
JSON. With a process per round, each starts in the same state and its memory can be measured.
"""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Literal

import msgspec

from ck3parse.bench.percentiles import Percentiles, percentiles
from ck3parse.bench.processes import Use, own_peak_mb, run_watched
from ck3parse.bridge import subprocess_parser
from ck3parse.config import read_settings
from ck3parse.errors import Ck3parseError, ExitCode
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.messages import DEFAULT_TIMEOUT_MS, ParseRequest
from ck3parse.parser import parse_bytes

Way = Literal["subprocess", "serial", "pipeline"]

START_LIMIT_S = 60.0


class Task(msgspec.Struct, frozen=True):
    """What one process measures.

    Attributes:
        way: `subprocess` starts a process per file, `serial` reads and parses in one process, and
            `pipeline` does what `ck3parse run --no-index` does, with its own broker, worker and
            store.
        paths: files, or for `pipeline` also folders.
        workers: number of worker processes of `pipeline`.
    """

    way: Way
    paths: list[str]
    workers: int = 1


class Round(msgspec.Struct):
    """The figures of one task.

    Attributes:
        files: number of files with a result.
        size: their total size in bytes.
        failed: number of files without an AST.
        start_s: seconds until the first file could be sent or parsed.
        work_s: seconds from then on.
        file_ms: milliseconds of single files. For `subprocess` from start to end of the process,
            for `serial` reading and parsing, for `pipeline` from reading to the compressed AST in
            the worker. It leaves out files with the same content as an earlier one.
        twins: number of files left out: `pipeline` parses the same content once.
        own_mb: peak memory of the process itself, in units of 10^6 bytes.
        largest_child_mb: the largest peak of the processes that `subprocess` started; 0 if
            unknown, as on other systems than Linux.
        seconds: from start to end of the process.
        uses: memory and processor time by kind of process.
    """

    files: int
    size: int
    failed: int
    start_s: float
    work_s: float
    file_ms: Percentiles
    twins: int = 0
    own_mb: float = 0.0
    largest_child_mb: float = 0.0
    seconds: float = 0.0
    uses: dict[str, Use] = {}


def measure(task: Task) -> Round:
    """Run a task in a fresh process and return its figures.

    Raises:
        Ck3parseError: the process failed; the message is what it wrote to standard error.
    """
    command = [sys.executable, "-m", "ck3parse.bench.runs"]
    ran = run_watched(command, given=msgspec.json.encode(task))
    if ran.code:
        words = ran.err.decode(errors="replace").strip() or f"exit code {ran.code}"
        failure = Ck3parseError(f"measuring {task.way} failed: {words}")
        failure.exit_code = ran.code if ran.code > 0 else ExitCode.SOME_FAILED
        raise failure
    done = msgspec.json.decode(ran.out, type=Round)
    done.seconds, done.uses = ran.seconds, ran.uses
    # Short-lived processes may end between two samples.
    if done.own_mb:
        done.uses.setdefault("client", Use()).peak_mb = done.own_mb
    if done.largest_child_mb:
        # The children of this way are at the depth of a supervisor in a run.
        done.uses["children"] = done.uses.pop("supervisor", Use())
        done.uses["children"].peak_mb = done.largest_child_mb
    return done


def _subprocess(task: Task) -> Round:
    times, failed, size = [], 0, 0
    began = perf_counter()
    for number, path in enumerate(task.paths):
        since = perf_counter()
        result = subprocess_parser.parse(ParseRequest(str(number), path, name=path))
        times.append((perf_counter() - since) * 1000)
        failed += not result.ok
        size += result.size
    done = Round(len(times), size, failed, 0.0, perf_counter() - began, percentiles(times))
    if sys.platform == "linux":
        import resource  # not available on Windows

        done.largest_child_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    return done


def _serial(task: Task) -> Round:
    settings = read_settings()
    times, failed, size = [], 0, 0
    parse_bytes(b"", "")  # the first call loads the parser
    began = perf_counter()
    for path in task.paths:
        since = perf_counter()
        try:
            data = read_script(path, max_bytes=settings.max_file_bytes)
        except CannotReadError:
            failed += 1
        else:
            failed += not parse_bytes(data, path, max_depth=settings.max_depth).success
            size += len(data)
        times.append((perf_counter() - since) * 1000)
    return Round(len(times), size, failed, 0.0, perf_counter() - began, percentiles(times))


def _pipeline(task: Task) -> Round:
    from ck3parse.embedded.broker import EmbeddedBroker
    from ck3parse.parser import parser_in_use
    from ck3parse.store import Store

    settings = read_settings()
    began = perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="ck3parse-bench-") as folder,
        EmbeddedBroker(task.workers, spool=True) as broker,
    ):
        # As in `run`: while server and worker come up, this process imports Celery.
        from ck3parse.pipeline.plan import make_plan
        from ck3parse.pipeline.run import Run
        from ck3parse.pipeline.session import open_window

        with Store(Path(folder, "bench.sqlite"), parser_in_use().version) as store:
            plan = make_plan(task.paths, store, max_bytes=settings.max_file_bytes)
            broker.wait_ready(START_LIMIT_S, worker=True)
            run = Run(plan, store, timeout_ms=DEFAULT_TIMEOUT_MS, max_bytes=settings.max_file_bytes)
            started = perf_counter()
            run.record_known()
            times: list[float] = []
            done = Round(0, 0, 0, started - began, 0.0, percentiles(()))
            with closing(open_window(settings, broker)) as window:
                for outcomes in run.outcomes(window):
                    done.files += len(outcomes)
                    done.size += sum(found.size for found, _ in outcomes)
                    done.failed += sum(not result.ok for _, result in outcomes)
                    times += [result.duration_ms for _, result in outcomes if result.duration_ms]
            store.tidy()
            done.work_s = perf_counter() - started
    done.file_ms = percentiles(times)
    done.twins = done.files - len(times)
    return done


def sample_of(sized: Sequence[tuple[str, int]], count: int) -> list[str]:
    """Return a sample of files with the same distribution of sizes as all files.

    Args:
        sized: each file with its size in bytes.
        count: the largest number of files to return.
    """
    ordered = [path for path, _ in sorted(sized, key=lambda entry: entry[1])]
    count = min(count, len(ordered))
    return [ordered[int((place + 0.5) * len(ordered) / count)] for place in range(count)]


def main() -> None:
    """Run the task on standard input."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    ways = {"subprocess": _subprocess, "serial": _serial, "pipeline": _pipeline}
    try:
        done = ways[task.way](task)
    except Ck3parseError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    done.own_mb = own_peak_mb()
    sys.stdout.buffer.write(msgspec.json.encode(done))


if __name__ == "__main__":
    main()
