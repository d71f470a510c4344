"""Metrics for Prometheus: what workers counted, and what waits at the broker.

`ck3parse metrics` asks all workers of a broker, and a worker can serve its own
(`CK3PARSE_METRICS_ADDRESS`). Both use the names in `docs/monitoring.md`.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ck3parse.errors import UsageError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

PREFIX = "ck3parse"
Served = Callable[[], None]
"""Stops serving."""

_COUNTERS = {
    "files": ("files", "Files that have a result, also one that says why there is no tree."),
    "bytes": ("file_bytes", "Total size of the files that have a result."),
    "busy_s": ("busy_seconds", "Seconds that processes were at work on files."),
    "batches": ("batches", "Batches taken from the queues."),
    "batches_sent_again": ("batches_sent_again", "Batches taken that a client sent before."),
}
"""Names and descriptions of the counters, by the key in what a worker counts."""


def worker_metrics(workers: Mapping[str, Mapping[str, Any]]) -> "Iterable[Metric]":
    """Return the metrics of workers.

    Args:
        workers: what each worker counts, by its name. What an older version does not count is left
            out.
    """
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for key, (name, description) in _COUNTERS.items():
        counter = CounterMetricFamily(f"{PREFIX}_{name}", description, labels=["worker"])
        for worker, counts in workers.items():
            if key in counts:
                counter.add_metric([worker], counts[key])
        yield counter
    failures = CounterMetricFamily(
        f"{PREFIX}_file_failures",
        "Files without a tree, by the reason. Those whose process was killed are counted as batches"
        " that failed.",
        labels=["worker", "error_type"],
    )
    failed = CounterMetricFamily(
        f"{PREFIX}_batches_failed",
        "Batches whose process crashed, was killed at the time limit, or raised an error.",
        labels=["worker", "reason"],
    )
    replaced = CounterMetricFamily(
        f"{PREFIX}_processes_replaced", "Processes that another one replaced.", labels=["worker"]
    )
    processes = GaugeMetricFamily(
        f"{PREFIX}_processes", "Processes that the worker has now.", labels=["worker"]
    )
    for worker, counts in workers.items():
        for error_type, count in counts.get("file_failures", {}).items():
            failures.add_metric([worker, error_type], count)
        for reason, count in counts.get("batches_failed", {}).items():
            failed.add_metric([worker, reason], count)
        if "processes_started" in counts:
            more = counts["processes_started"] - counts["processes"]
            replaced.add_metric([worker], max(0, more))
            processes.add_metric([worker], counts["processes"])
    yield from (failures, failed, replaced, processes)


def registry_of(collect: "Callable[[], Iterable[Metric]]") -> "CollectorRegistry":
    """Return a registry of metrics that a function collects for each request.

    Raises:
        UsageError: the package prometheus-client is missing.
    """
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise UsageError(
            "metrics need the package prometheus-client: pip install 'ck3parse[metrics]'"
        ) from error

    class Collected(Collector):
        def collect(self) -> "Iterable[Metric]":
            return collect()

        def describe(self) -> "Iterable[Metric]":
            return ()  # so that registering it does not collect

    registry = CollectorRegistry()
    registry.register(Collected())
    return registry


def serve(address: str, collect: "Callable[[], Iterable[Metric]]") -> Served:
    """Serve metrics over HTTP in a thread.

    Args:
        address: host and port, such as `127.0.0.1:9808`.
        collect: called in a thread for each request. If it raises, the answer is an error.

    Returns:
        A function that stops it.

    Raises:
        UsageError: the address cannot be used, or the package prometheus-client is missing.
    """
    registry = registry_of(collect)
    from prometheus_client import start_http_server

    host, port = host_and_port(address)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise UsageError(
            f"metrics cannot be served at {address}: {error.strerror or error}; name another"
            " address"
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of an address, such as `127.0.0.1:9808` or `[::1]:9808`.

    Raises:
        UsageError: it is no address.
    """
    host, _, port = address.rpartition(":")
    try:
        ip = str(ipaddress.ip_address(host.strip("[]")))
        if not 0 < int(port) < 1 << 16:
            raise ValueError(port)
    except ValueError:
        raise UsageError(
            f"{address!r} is not an address: give an IP address and a port, such as 127.0.0.1:9808,"
            " or 0.0.0.0:9808 to serve other machines"
        ) from None
    return ip, int(port)
