"""The `ck3parse` command, and `python -m ck3parse`."""

import os
import sys

from ck3parse import handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run the command, or have a process answer it that has imported everything."""
    if len(sys.argv) > 1 and sys.argv[1] in handover.COMMANDS and hasattr(os, "fork"):
        code = handover.hand_over()
        if code is not None:
            os._exit(code)  # there is nothing to clean up, which would take milliseconds
    from ck3parse import cli

    cli.main()


if __name__ == "__main__":
    main()
