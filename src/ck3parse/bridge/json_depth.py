"""How deep braces may nest so that this interpreter's `json.loads` can read the tree back.

It reads about 990 levels on Python 3.11 (the recursion limit), 1,500 on 3.12, 10,000 on 3.13, and
as many as the stack has room for on 3.14. A brace is an object and an array in it.
"""

import functools
import json
import sys
import threading

from ck3parse.messages import DEFAULT_MAX_DEPTH

_BESIDE_BRACES = 4
"""Levels of a tree: the root with its array, and an innermost assignment with its value."""
_FOR_THE_CALLER = 100
"""Levels that whoever reads the tree may have used up by then, as on 3.11 each call takes one."""


def max_braces() -> int:
    """Return how deep braces may nest in this process, at most as deep as the parser allows."""
    return _max_braces(sys.getrecursionlimit())


@functools.lru_cache(maxsize=8)
def _max_braces(recursion_limit: int) -> int:
    del recursion_limit  # what is found depends on it
    found: list[int] = []
    # In a thread that has called nothing yet, whatever this one is in the middle of.
    probing = threading.Thread(target=lambda: found.append(_readable_levels()), name="ck3parse")
    probing.start()
    probing.join()
    return max(1, (found[0] - _FOR_THE_CALLER - _BESIDE_BRACES) // 2)


def _readable_levels() -> int:
    most = 2 * DEFAULT_MAX_DEPTH + _BESIDE_BRACES + _FOR_THE_CALLER
    least = 0
    while least < most:
        tried = (least + most + 1) // 2
        try:
            json.loads("[" * tried + "]" * tried)
        except RecursionError:
            most = tried - 1
        else:
            least = tried
    return least
