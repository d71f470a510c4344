"""How deep braces may nest so that `json.loads` of this interpreter can read the AST.

It reads about 990 levels on Python 3.11 (the recursion limit), 1,500 on 3.12, 10,000 on 3.13, and
as many as fit on the stack on 3.14. A pair of braces takes two levels: an object and an array.
"""

import functools
import json
import sys
import threading

from ck3parse.messages import DEFAULT_MAX_DEPTH

_BESIDE_BRACES = 4
"""Other levels of an AST: the root and its array, the innermost assignment and its value."""
_FOR_THE_CALLER = 100
"""Levels that the reader of the AST may have used already: on 3.11 each call takes one."""


def max_braces() -> int:
    """Return how deep braces may nest for this process; never deeper than the parser allows."""
    return _max_braces(sys.getrecursionlimit())


@functools.lru_cache(maxsize=8)
def _max_braces(recursion_limit: int) -> int:
    del recursion_limit  # only a cache key: the answer depends on it
    found: list[int] = []
    # In a new thread, whose stack is empty.
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
