"""Paths as the functions of this package take them."""

import os
from collections.abc import Iterable

PathArgument = str | os.PathLike[str]


def as_texts(paths: PathArgument | Iterable[PathArgument]) -> list[str]:
    """Return one path or several as strings."""
    several = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    return [os.fspath(path) for path in several]
