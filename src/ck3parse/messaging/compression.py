"""Zstandard for messages, under a name of our own: kombu's is for others, if it has one."""

import zstandard
from kombu import compression
from kombu.exceptions import DecodeError

from ck3parse.config import COMPRESSION
from ck3parse.messages import ZSTD_LEVEL

_ROOM_BYTES = 16 * 1024 * 1024
"""What a message may hold beside one file: names, and the rest of a batch."""


def register(max_file_bytes: int) -> None:
    """Have messages of this process compressed and decompressed if they ask for `COMPRESSION`.

    Args:
        max_file_bytes: bytes that one file may have. A message that is much larger than that when
            decompressed is refused, whatever its few bytes claim.
    """
    limit = max_file_bytes + _ROOM_BYTES

    def compress(body: bytes) -> bytes:
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)

    def decompress(frame: bytes) -> bytes:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= limit:
            raise DecodeError(f"a message of {size:,} bytes: more than {limit:,}, or not said")
        return zstandard.decompress(frame)

    compression.register(
        compress, decompress, f"application/x-{COMPRESSION}", aliases=[COMPRESSION]
    )
