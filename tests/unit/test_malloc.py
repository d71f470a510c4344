"""Freed memory is reused."""

import platform
import subprocess
import sys

ALLOCATING = """
import resource
from ck3parse.worker.malloc import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [b"1" * 8_000_000 for _ in range(3)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
keep_freed_memory()
faults()
print(faults())
"""
PAGES = 20 * 3 * 8_000_000 // 4096
"""Number of pages of all the blocks."""


def test_pages_are_not_asked_for_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATING], check=True, capture_output=True, text=True
    )
    # Elsewhere there is nothing to set, and setting nothing does no harm.
    limit = PAGES / 10 if platform.libc_ver()[0] == "glibc" else 2 * PAGES
    assert int(done.stdout) < limit
