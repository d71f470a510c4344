"""How long a transaction is going to take."""

_ROW_S = 5.5e-6
_BYTE_S = 2.5e-9
"""Seconds for a symbol or reference, and for a byte of a tree, to start with."""
_WEIGHT = 0.3
_LEAST_S = 0.01


class Pace:
    """Learns from each transaction how long the next one is going to take."""

    def __init__(self) -> None:
        self._factor = 1.0

    def seconds(self, rows: int, size: int) -> float:
        """Return how long it takes to write so much.

        Args:
            rows: number of symbols and references.
            size: bytes of trees.
        """
        return self._factor * (rows * _ROW_S + size * _BYTE_S)

    def note(self, rows: int, size: int, took_s: float) -> None:
        """Note how long a transaction took; short ones say little and are ignored."""
        expected_s = rows * _ROW_S + size * _BYTE_S
        if expected_s >= _LEAST_S:
            found = min(20.0, max(0.05, took_s / expected_s))
            self._factor += _WEIGHT * (found - self._factor)
