"""What worker processes count in shared memory, and the metrics made of it."""

import os

import pytest

from ck3parse.errors import ErrorType, UsageError
from ck3parse.messages import ParseResult
from ck3parse.metrics import host_and_port, worker_metrics
from ck3parse.worker.counters import Counters

RESULTS = [
    ParseResult("1", "a", True, b"", size=100, duration_ms=1.5),
    ParseResult("2", "b", error_type=ErrorType.PARSE_ERROR, size=50, duration_ms=0.5),
]


def test_processes_count_in_memory_that_they_share() -> None:
    counters = Counters(4)
    for process in range(3):
        pid = os.fork()
        if not pid:
            counters.start(process)
            counters.add(process, RESULTS)
            os._exit(0)
        os.waitpid(pid, 0)
    counters.start(1)  # a replacement goes on with the row
    counters.add(1, RESULTS)
    counts = counters.counts()
    assert (counts.processes, counts.files, counts.size, counts.busy_s) == (4, 8, 600, 0.008)
    assert {name: count for name, count in counts.failures.items() if count} == {"ParseError": 4}
    assert set(counts.failures) == set(map(str, ErrorType))


def test_more_processes_than_rows_share_them() -> None:
    counters = Counters(2)
    for process in (1, 3):
        counters.add(process, RESULTS)
    assert counters.counts().files == 4


def test_metrics_of_workers() -> None:
    counts = {
        "failed": 3, "batches": 9, "batches_failed": {"crash": 2, "timeout": 1},
        "batches_sent_again": 4, "processes": 2, "processes_started": 5, "files": 100,
        "bytes": 5000, "busy_s": 1.5, "file_failures": {"ParseError": 7},
    }  # fmt: skip
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for metric in worker_metrics({"one@host": counts, "older@host": {"failed": 1}})
        for sample in metric.samples
    }
    worker = ("worker", "one@host")
    assert found == {
        ("ck3parse_files_total", worker): 100,
        ("ck3parse_file_bytes_total", worker): 5000,
        ("ck3parse_busy_seconds_total", worker): 1.5,
        ("ck3parse_batches_total", worker): 9,
        ("ck3parse_batches_sent_again_total", worker): 4,
        ("ck3parse_file_failures_total", ("error_type", "ParseError"), worker): 7,
        ("ck3parse_batches_failed_total", ("reason", "crash"), worker): 2,
        ("ck3parse_batches_failed_total", ("reason", "timeout"), worker): 1,
        ("ck3parse_processes_replaced_total", worker): 3,
        ("ck3parse_processes", worker): 2,
    }


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:9808", ("127.0.0.1", 9808)), ("[::1]:1", ("::1", 1))],
)
def test_an_address(address: str, expected: tuple[str, int]) -> None:
    assert host_and_port(address) == expected


@pytest.mark.parametrize("address", ["", "9808", ":9808", "host:9808", "127.0.0.1:0", "1.2.3.4:x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="is not an address: give an IP address and a port"):
        host_and_port(address)
