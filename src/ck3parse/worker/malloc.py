"""Settings of the C library's memory allocator."""

import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of `mallopt`, from glibc's `malloc.h`."""
_MMAP_BYTES = 32 * 1024 * 1024
"""The maximum in glibc. Larger blocks are mapped separately, and returned when they are freed."""
_KEPT_BYTES = 128 * 1024 * 1024
"""Free memory at the end of the heap that is kept."""


def keep_freed_memory() -> None:
    """Keep freed memory for reuse instead of returning it to the system.

    ASTs of megabytes come and go, and the system has to clear each page that it hands out. This
    does nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return
    import ctypes

    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
