"""Faults in workers that read localization files.

`CK3PARSE_PARSER=faulty_texts:parse`, with this folder on the path: a file with a line
`# fault = NAME` causes that fault, as in `faulty.py`. With `OLDER_WORKER` set, workers do not have
the extractor of localization files, as those of an earlier version.
"""

import os
import sys

import ck3parse.extractors as extractors
from ck3parse.extractors import localization
from faulty import _fail, parse

__all__ = ["parse"]

_read = localization.read


def _faulty_read(source: bytes | str) -> localization.Read:
    assert isinstance(source, bytes)
    _, _, second = source.partition(b"\n # fault = ")
    if second:
        _fail(second.split()[0].decode())
    return _read(source)


localization.read = _faulty_read

if "OLDER_WORKER" in os.environ and "celery.worker" in sys.modules:
    extractors._BUILT_IN.pop(extractors.LOCALIZATION)
