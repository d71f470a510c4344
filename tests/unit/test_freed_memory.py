"""Freed memory is returned to the system."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

FREEING = """
import os
from pathlib import Path
from ck3parse.store.freed_memory import return_freed_memory
def resident_bytes():
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
blocks = [b"1" * 50_000 for _ in range(2_000)]
del blocks[:-1]
before = resident_bytes()
return_freed_memory()
print(before - resident_bytes())
"""


def freed_bytes() -> int:
    done = subprocess.run(
        [sys.executable, "-c", FREEING], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc of Linux")
def test_freed_blocks_before_one_in_use_are_returned() -> None:
    # Elsewhere the C library returns them itself, and asking for it does no harm.
    assert freed_bytes() > (80_000_000 if platform.libc_ver()[0] == "glibc" else -1_000_000)
