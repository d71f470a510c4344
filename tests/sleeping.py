"""A parser that only takes its time: `CK3PARSE_PARSER=sleeping:parse`.

It sleeps for as long as a parser would work on a file of that size, so that more processes than a
machine has CPUs behave as on as many CPUs. `SLEEPING_BYTES_PER_S` sets how fast it is. In the
folder `SLEEPING_LOG`, each process writes when it began and ended each file, in seconds since 1970.
"""

import os
import time
from typing import Literal

from ck3parse.parser.outcome import ParseOutcome

BYTES_PER_S = 1_000_000
"""About the speed of the Python parser."""


def parse(data: bytes, name: str, *, mode: Literal["strict", "recover"]) -> ParseOutcome:
    del mode
    speed = float(os.environ.get("SLEEPING_BYTES_PER_S", BYTES_PER_S))
    began = time.time()
    time.sleep(len(data) / speed)
    if folder := os.environ.get("SLEEPING_LOG"):
        with open(os.path.join(folder, f"{os.getpid()}.slept"), "a", encoding="ascii") as log:
            log.write(f"{began} {time.time()}\n")
    tree = b'{"_type":"root","filename":"%s","children":[]}' % name.encode()
    return ParseOutcome(True, tree, 1)
