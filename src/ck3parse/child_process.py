"""The command that runs a function of ck3parse in another Python process."""

import sys


def command_for(function: str, *arguments: str) -> list[str]:
    """Return the command of a process that has the search path of this one.

    Python does not search the current folder for modules, as it may contain anything. The folders
    of this process come after the child's own, as more arguments.

    Args:
        function: its full name, such as `ck3parse.embedded.worker.main`. It takes no arguments.
        arguments: what the function finds from `sys.argv[1]` on.

    Returns:
        The program and its arguments.
    """
    module, _, name = function.rpartition(".")
    code = (
        f"import sys; folders = sys.argv[{len(arguments) + 1}:];"
        " sys.path += [folder for folder in folders if folder not in sys.path];"
        f" from {module} import {name}; {name}()"
    )
    # `-P` and the condition keep out the current folder.
    return [sys.executable, "-P", "-c", code, *arguments, *(each for each in sys.path if each)]
