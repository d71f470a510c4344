"""Mean and percentiles of the times of single files."""

import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Percentiles(msgspec.Struct, frozen=True):
    """The mean and the 50th, 95th and 99th percentile, in milliseconds."""

    mean: float
    p50: float
    p95: float
    p99: float


def percentiles(values_ms: Sequence[float]) -> Percentiles:
    """Return the mean and percentiles of some values; all zero if there are none.

    Args:
        values_ms: in milliseconds, in any order.
    """
    if not values_ms:
        return Percentiles(0.0, 0.0, 0.0, 0.0)
    ordered = sorted(values_ms)

    def percentile(share: float) -> float:
        # By nearest rank: always one of the values, even if there are few.
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Percentiles(
        statistics.fmean(ordered), percentile(0.5), percentile(0.95), percentile(0.99)
    )


def median_of(rounds: Iterable[Percentiles]) -> Percentiles:
    """Return the median of each figure over some rounds."""
    figures = zip(*map(msgspec.structs.astuple, rounds), strict=True)
    return Percentiles(*(statistics.median(figure) for figure in figures))
