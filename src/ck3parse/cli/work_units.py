"""How much work a file is, to estimate progress and the time left."""

FILE_BYTES = 5_000
"""The fixed cost of a file, in bytes of script that take as long to parse.

Without it the time left would be wrong, since a run parses the largest files first. Measured: 0.044
ms beyond parsing, at 110 MB/s (`benchmarks/pipeline.py`, `playset_run.py`).
"""


def work_units(files: int, size: int) -> int:
    """Return the cost of some files, in bytes of script.

    Args:
        files: number of files.
        size: their total size in bytes.
    """
    return size + FILE_BYTES * files
