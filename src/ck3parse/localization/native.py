"""The native parser of localization files, with the same function as the reference parser."""

import ck3parse.parser._native as _native  # "from" would hide which module is missing
from ck3parse.localization.scan import Fault, Scan


def scan(data: bytes, *, parts: bool, max_faults: int) -> Scan:
    """Read a file; see `ck3parse.localization.scan`."""
    json, count, header, faults, fault_count = _native.scan_localization(data, parts, max_faults)
    return Scan(json, count, header, [Fault(*fault) for fault in faults], fault_count)
