"""How long single files take: their mean, and what most of them do not exceed."""

import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds: the mean, and what 50, 95 and 99 of a hundred do not exceed."""

    mean: float
    p50: float
    p95: float
    p99: float


def spread(values_ms: Sequence[float]) -> Spread:
    """Return the spread of some values; all zero if there are none.

    Args:
        values_ms: in milliseconds, in any order.
    """
    if not values_ms:
        return Spread(0.0, 0.0, 0.0, 0.0)
    ordered = sorted(values_ms)

    def percentile(share: float) -> float:
        # The nearest rank: a value that was seen, for few values too.
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Spread(statistics.fmean(ordered), percentile(0.5), percentile(0.95), percentile(0.99))


def median_of(spreads: Iterable[Spread]) -> Spread:
    """Return the median of each figure over some rounds."""
    figures = zip(*map(msgspec.structs.astuple, spreads), strict=True)
    return Spread(*(statistics.median(figure) for figure in figures))
