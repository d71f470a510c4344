"""Returns memory that was freed to the system."""

import sys
from collections.abc import Callable
from functools import cache


def return_freed_memory() -> None:
    """Return memory that this process has freed to the system, where the C library would keep it.

    glibc keeps what was freed between two pieces in use, in a heap for each thread: after large
    pieces of memory were in use for a short time, most of it.
    """
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # only a large run needs it

    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim
