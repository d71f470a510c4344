"""Dividing the files of a playset among machines."""

import re
import zlib
from typing import Self

import msgspec

from ck3parse.errors import UsageError

MOST_SHARDS = 10_000


class Shard(msgspec.Struct, frozen=True):
    """One of the equal parts into which the files of a playset are divided.

    A file belongs to a shard by its path in its mod. Files of one path, of which the game reads one
    only, are therefore in one shard, wherever their mods are and in whatever order.

    Attributes:
        number: from 1.
        count: how many shards there are.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that a text such as `2/8` names.

        Raises:
            UsageError: it names none.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= count <= MOST_SHARDS:
            raise UsageError(
                f"{text!r} is not a shard: give its number and how many there are, such as 1/4"
                f" (at most {MOST_SHARDS:,})"
            )
        return cls(number, count)

    def holds(self, relpath: str) -> bool:
        """Return whether a file belongs to the shard.

        Args:
            relpath: its path relative to its mod, with `/`, in upper or lower case.
        """
        digest = zlib.crc32(relpath.lower().encode("utf-8", "surrogateescape"))
        return digest % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
