"""Extractors: what a worker makes of a file's syntax tree, beside it or instead of it.

`qbuilder/1`, `ck3/1` and `localization/1` are built in. Others come from installed packages, by the
entry point group `ck3parse.extractors`: each entry point names an `Extractor`.
`docs/extractors.md` has an example.
"""

from functools import cache
from importlib import import_module
from typing import NamedTuple

from ck3parse.errors import UsageError
from ck3parse.extractors.extractor import Extractor, Rows, Tree

__all__ = [
    "CK3",
    "ENTRY_POINTS",
    "LOCALIZATION",
    "QBUILDER",
    "Extractor",
    "Rows",
    "Tree",
    "extractor",
    "is_known",
]

ENTRY_POINTS = "ck3parse.extractors"
"""The entry point group of extractors in other packages."""

QBUILDER = "qbuilder/1"
"""The full name of the extractor that makes qbuilder's symbols and references."""

CK3 = "ck3/1"
"""The full name of the extractor that makes the rows of the index. It takes broken files, too."""

LOCALIZATION = "localization/1"
"""The full name of the extractor that reads localization files, which have no syntax tree."""

_BUILT_IN = {
    QBUILDER: "ck3parse.extractors.qbuilder",
    CK3: "ck3parse.extractors.ck3_tree",
    LOCALIZATION: "ck3parse.extractors.localization",
}
"""Modules of built-in extractors, which have an `EXTRACTOR` and are imported on first use."""


class _Installed(NamedTuple):
    extractors: dict[str, Extractor]
    problems: list[str]


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
    others, problems = _installed()
    if full_name not in others:
        known = ", ".join(sorted({*_BUILT_IN, *others}))
        broken = "".join(f" ({problem})" for problem in problems)
        raise UsageError(
            f"there is no extractor {full_name!a}, only {known}{broken}: install the package that"
            " has it where the worker runs and restart the worker, or ask for another version"
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
def _installed() -> _Installed:
    """Return the extractors of installed packages by full name, and which packages are broken."""
    # Takes milliseconds, which requests for built-in extractors need not wait for.
    from importlib.metadata import entry_points

    found = _Installed({}, [])
    for entry_point in entry_points(group=ENTRY_POINTS):
        try:
            loaded = entry_point.load()
        except Exception as error:  # noqa: BLE001 - whatever its import raises
            found.problems.append(
                f"{entry_point.value} cannot be imported: {type(error).__name__}: {error}"
            )
            continue
        if not isinstance(loaded, Extractor):
            found.problems.append(
                f"{entry_point.value} is a {type(loaded).__name__}, and not an Extractor"
            )
        elif loaded.full_name in found.extractors or loaded.full_name in _BUILT_IN:
            found.problems.append(
                f"{entry_point.value} is one of two extractors named {loaded.full_name!a}"
            )
        else:
            found.extractors[loaded.full_name] = loaded
    return found
