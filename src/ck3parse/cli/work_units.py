"""How much work files are, for progress and the time left."""

FILE_BYTES = 5_000
"""A file costs as much as so many bytes of script, whatever it holds: a run begins with large ones.

Measured: 0.044 ms beyond parsing, at 110 MB/s (`benchmarks/pipeline.py`, `playset_run.py`).
"""


def work_units(files: int, size: int) -> int:
    """Return what files cost, in bytes of script.

    Args:
        files: how many there are.
        size: bytes of them together.
    """
    return size + FILE_BYTES * files
