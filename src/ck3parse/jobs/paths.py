"""Paths as the functions of this package take them."""

import os
from collections.abc import Iterable, Iterator, Sequence

from ck3parse.files.patterns import is_localization, is_script_name
from ck3parse.lint.excerpt import printable, relative_path

PathArgument = str | os.PathLike[str]


def as_texts(paths: PathArgument | Iterable[PathArgument]) -> list[str]:
    """Return one path or several as strings."""
    several = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    return [os.fspath(path) for path in several]


def nothing_in(paths: Sequence[str]) -> str:
    """Return a sentence that says that no file was found under some paths.

    Args:
        paths: files and folders.
    """
    shown = (
        printable(relative_path(path.rstrip(os.sep))) + "/" * os.path.isdir(path) for path in paths
    )
    return f"warning: no script files under {', '.join(shown)}"


def how_read(paths: Sequence[str]) -> Iterator[str]:
    """Yield how files are read that were given themselves, where their names leave a doubt.

    Args:
        paths: files and folders.

    Yields:
        A sentence for each file whose ending is not one of script.
    """
    for path in paths:
        if is_script_name(path) or not os.path.isfile(path):
            continue
        name = printable(relative_path(path))
        if is_localization(os.path.abspath(path)):
            yield f"{name} is read as localization"
        elif path.lower().endswith(".yml"):
            yield (
                f"{name} is read as script: localization is under localization/, or has a name such"
                " as mod_l_english.yml"
            )
        else:
            yield f"{name} is read as script, whatever its ending"
