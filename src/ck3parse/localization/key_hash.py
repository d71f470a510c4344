"""The hash by which the game finds a text: MurmurHash3 of 32 bits with seed 0.

The texts of two keys with the same hash disturb each other. The algorithm is Austin Appleby's, in
the public domain: https://github.com/aappleby/smhasher.
"""

import struct
from collections.abc import Sequence

_MASK = 0xFFFF_FFFF


def key_hashes(keys: Sequence[str]) -> list[int]:
    """Return the hash of each key.

    Args:
        keys: keys, which are hashed in UTF-8.
    """
    try:
        import ck3parse.parser._native as _native
    except ModuleNotFoundError as error:
        # Fall back only if the native parser was not built. A broken one must raise.
        if error.name != "ck3parse.parser._native":
            raise
        return [key_hash(key) for key in keys]
    return _native.key_hashes(keys)


def key_hash(key: str) -> int:
    """Return the hash of a key, computed in Python."""
    data = key.encode()
    whole = len(data) // 4 * 4
    value = 0
    for (block,) in struct.iter_unpack("<I", data[:whole]):
        value ^= _mixed(block)
        value = (value << 13 | value >> 19) & _MASK
        value = (value * 5 + 0xE654_6B64) & _MASK
    value ^= _mixed(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value = (value ^ value >> 16) * 0x85EB_CA6B & _MASK
    value = (value ^ value >> 13) * 0xC2B2_AE35 & _MASK
    return value ^ value >> 16


def _mixed(block: int) -> int:
    block = block * 0xCC9E_2D51 & _MASK
    return (block << 15 | block >> 17) * 0x1B87_3593 & _MASK
