"""An extractor: a function from the syntax tree of a file to rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Tree = dict[str, Any]
"""A decoded AST, or a node of it, as in section 4 of the AST contract."""
Rows = Mapping[str, Sequence[Sequence[Any]]]
"""Rows by table. Values are those of JSON: numbers, strings, booleans and `None`."""


class Extractor(NamedTuple):
    """Makes rows from a syntax tree.

    Attributes:
        name: its name, without a `/`.
        version: goes up with each change that can change rows.
        extract: returns the rows of a file. It gets the root node, which it may change, and the
            file's path relative to its mod, with `/`. It must depend on nothing else. What it
            raises costs the file its rows, and nothing more.
    """

    name: str
    version: int
    extract: Callable[[Tree, str], Rows]

    @property
    def full_name(self) -> str:
        """The name that requests use, such as `qbuilder/1`."""
        return f"{self.name}/{self.version}"
