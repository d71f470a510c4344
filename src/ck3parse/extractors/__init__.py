"""Extractors: what a worker makes of a file's syntax tree, beside it or instead of it.

`qbuilder/1` is built in. Others come from installed packages, by the entry point group
`ck3parse.extractors`: each entry point names an `Extractor`. `docs/extractors.md` has an example.
"""

from functools import cache
from importlib import import_module

from ck3parse.errors import UsageError
from ck3parse.extractors.extractor import Extractor, Rows, Tree

__all__ = ["ENTRY_POINTS", "QBUILDER", "Extractor", "Rows", "Tree", "extractor", "is_known"]

ENTRY_POINTS = "ck3parse.extractors"
"""The entry point group of extractors in other packages."""

QBUILDER = "qbuilder/1"
"""The full name of the extractor that makes qbuilder's symbols and references."""

_BUILT_IN = {QBUILDER: "ck3parse.extractors.qbuilder"}
"""Modules of built-in extractors, which have an `EXTRACTOR` and are imported on first use."""


@cache
def extractor(full_name: str) -> Extractor:
    """Return an extractor.

    Args:
        full_name: its name and version, such as `qbuilder/1`.

    Raises:
        UsageError: there is no such extractor, or the package that should have it is broken.
    """
    if module := _BUILT_IN.get(full_name):
        built_in: Extractor = import_module(module).EXTRACTOR
        return built_in
    others = _installed()
    if full_name not in others:
        known = ", ".join(sorted({*_BUILT_IN, *others}))
        raise UsageError(
            f"there is no extractor {full_name!r}, only {known}: install the package that has it"
            " where the worker runs, or ask for another version"
        )
    return others[full_name]


def is_known(full_name: str) -> bool:
    """Return whether there is such an extractor."""
    try:
        extractor(full_name)
    except UsageError:
        return False
    return True


@cache
def _installed() -> dict[str, Extractor]:
    """Return the extractors of installed packages by full name."""
    # Takes milliseconds, which requests for built-in extractors need not wait for.
    from importlib.metadata import entry_points

    found: dict[str, Extractor] = {}
    for entry_point in entry_points(group=ENTRY_POINTS):
        try:
            loaded = entry_point.load()
        except Exception as error:  # whatever a module raises when it is imported
            raise UsageError(
                f"the extractor {entry_point.value!r} cannot be imported"
                f" ({type(error).__name__}: {error}): repair or remove its package"
            ) from error
        if not isinstance(loaded, Extractor):
            raise UsageError(
                f"the entry point {entry_point.value!r} names a {type(loaded).__name__}, and not a"
                " ck3parse.extractors.Extractor: repair or remove its package"
            )
        if loaded.full_name in found or loaded.full_name in _BUILT_IN:
            raise UsageError(
                f"there are two extractors {loaded.full_name!r}: remove the package that has"
                f" {entry_point.value!r}, or rename the extractor"
            )
        found[loaded.full_name] = loaded
    return found
