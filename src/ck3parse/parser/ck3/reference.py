"""Parse a file's bytes."""

from ck3parse.messages import DEFAULT_MAX_DEPTH
from ck3parse.parser.ck3.recovery import recover
from ck3parse.parser.ck3.source import read
from ck3parse.parser.outcome import ParseOutcome, recovered_outcome


def parse_bytes(
    data: bytes, name: str, *, max_depth: int = DEFAULT_MAX_DEPTH, comments: bool = False
) -> ParseOutcome:
    """Parse the content of a file; see `ck3parse.parser.parse_bytes`."""
    return recovered_outcome(recover(read(data, name), max_depth, comments=comments), max_depth)
