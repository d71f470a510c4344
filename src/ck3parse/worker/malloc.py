"""How the C library of a process gives memory out."""

import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names of `mallopt`, as glibc's `malloc.h` has them."""
_MMAP_BYTES = 32 * 1024 * 1024
"""The most that glibc takes. A larger block is mapped by itself, and given back when freed."""
_KEPT_BYTES = 128 * 1024 * 1024
"""Free memory at the end of the heap that is not given back."""


def keep_freed_memory() -> None:
    """Have this process use freed memory again, rather than give it back and ask for more.

    ASTs of megabytes come and go, and the system clears each page before it gives it out. Does
    nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return
    import ctypes

    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
