"""The places where a file uses a name."""

from ck3parse.extractors.ck3 import ROLES, Place, encoding_name, rule_of
from ck3parse.messages import DEFAULT_MAX_DEPTH
from ck3parse.parser import parser_in_use


def places(
    source: bytes,
    name: str,
    relpath: str = "",
    *,
    native: bool | None = None,
    max_depth: int = DEFAULT_MAX_DEPTH,
) -> list[Place]:
    """Return the places where a file uses a name, in their order.

    They are those of the words that `ck3/1` makes of the file: a file that does not have the name
    among its words has none. Upper and lower case differ.

    Args:
        source: the content of the file.
        name: the name.
        relpath: the path of the file relative to the root of its mod.
        native: whether the native parser finds them, or Python. Both find the same. `None` is the
            parser in use.
        max_depth: how deep braces may nest. Anything deeper is left out.
    """
    path = encoding_name(rule_of(relpath))
    if native is None:
        native = parser_in_use().name == "native"
    if native:
        from ck3parse.parser.native import ck3_places  # it may not be built

        found = ck3_places(source, path, name, max_depth=max_depth)
        return [
            Place(start, end, line, column, ROLES[role]) for start, end, line, column, role in found
        ]
    from ck3parse.extractors.ck3_tree_places import places_in

    return list(places_in(source, name, path, max_depth))
