"""Compares two definitions by their syntax trees.

The children of two blocks are aligned in three steps: equal elements in the same order, then
elements with the same key between them, then what is left and is elsewhere in the other block.
Comments, blanks and line ends count for nothing.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

from ck3parse.parser import parse_text
from ck3parse.plurals import counted
from ck3parse.tree import Element, List, Root, TreeError, Value

Change = Literal["equal", "changed", "added", "removed", "moved"]
"""What became of an element: `changed` has another value or other children, `moved` is the same
element elsewhere in the same block."""

MANY = 4_000_000
"""Above this product of the lengths of two blocks, frequent elements do not anchor the alignment:
it would take seconds."""

INLINE_WIDTH = 60
"""A block of scalars with at most this many characters is one line of a side."""


class Side(msgspec.Struct, frozen=True):
    """An element in one of two definitions.

    Attributes:
        head: the element without its children: `key = value`, or `key = {`.
        line: the line of its file, from 1.
        inline: the whole element in one line, or `None` if it takes more.
    """

    head: str
    line: int
    inline: str | None


class Difference(msgspec.Struct, frozen=True):
    """A pair of elements, or one that only one of two definitions has.

    Attributes:
        change: what became of it.
        path: the keys from the definition to the element.
        left: the element in the first definition, or `None`.
        right: the element in the second definition, or `None`.
        children: what became of the children; of an element that only one side has, its own.
    """

    change: Change
    path: tuple[str, ...]
    left: Side | None
    right: Side | None
    children: "tuple[Difference, ...]" = ()

    def changes(self) -> "Iterator[Difference]":
        """Yield the innermost differences, in order: not the blocks that only contain one."""
        if self.change == "changed" and self.children:
            if self.left and self.right and self.left.head != self.right.head:
                yield self
            for child in self.children:
                yield from child.changes()
        elif self.change != "equal":
            yield self


class Row(msgspec.Struct, frozen=True):
    """A line of two definitions side by side.

    Attributes:
        change: what became of the element of the line.
        left: the line of the first definition, indented; empty if there is none.
        right: the same of the second.
        left_line: its line in the file, from 1, or `None`.
        right_line: the same of the second.
    """

    change: Change
    left: str
    right: str
    left_line: int | None
    right_line: int | None


def compare(left: str, right: str, *, left_line: int = 1, right_line: int = 1) -> Difference:
    """Compare the texts of two definitions.

    Args:
        left: the first one, from its key to its closing brace.
        right: the second one.
        left_line: the line of its file where it starts, from 1.
        right_line: the same of the second.

    Returns:
        The pair of the two definitions. If a text has another number of elements than one, the pair
        of the two texts, with an empty head.

    Raises:
        TreeError: a definition is nested too deeply.
    """
    trees = [_tree(left), _tree(right)]
    try:
        return _Comparison(left_line - 1, right_line - 1).roots(*trees)
    except RecursionError:
        raise TreeError(
            "the definitions are nested too deeply to be compared by their trees: compare the files"
            " with a tool for text"
        ) from None


def rows(difference: Difference, *, context: int | None = 3) -> list[Row]:
    """Return two definitions as lines side by side.

    Args:
        difference: what `compare` returned.
        context: how many equal lines to keep around a change; `None` keeps all. What is left out
            becomes one row that says how many lines there were.
    """
    found = list(_rows(difference, 0))
    return found if context is None else _folded(found, context)


def _tree(text: str) -> Root:
    tree = parse_text(text, "definition.txt", mode="recover", dialect="ck3").tree
    if not isinstance(tree, Root):
        raise TreeError("the definitions cannot be parsed")
    return tree


class _Comparison:
    """Compares two trees.

    Args:
        left_offset: what to add to the lines of the first tree.
        right_offset: the same for the second.
    """

    def __init__(self, left_offset: int, right_offset: int) -> None:
        self._offsets = left_offset, right_offset
        self._numbers: dict[Hashable, int] = {}
        self._by_identity: dict[int, int] = {}
        """By `id` of an element: a number that is the same for equal elements."""

    def roots(self, left: Root, right: Root) -> Difference:
        lefts, rights = list(left.children), list(right.children)
        for element in (*lefts, *rights):
            self._number(element)
        if len(lefts) == len(rights) == 1:
            return self._pair(lefts[0], rights[0], ())
        children = self._children(lefts, rights, ())
        change: Change = "equal"
        if any(child.change != "equal" for child in children):
            change = "changed"
        return Difference(change, (), None, None, children)

    def _number(self, element: Element) -> int:
        children = tuple(self._number(child) for child in element.children)
        content: Hashable = (_head(element), getattr(element, "kind", None), children)
        number = self._numbers.setdefault(content, len(self._numbers))
        self._by_identity[id(element)] = number
        return number

    def _equal(self, left: Element, right: Element) -> bool:
        return self._by_identity[id(left)] == self._by_identity[id(right)]

    def _pair(self, left: Element, right: Element, path: tuple[str, ...]) -> Difference:
        inner = (*path, _name(right))
        sides = self._side(left, 0), self._side(right, 1)
        children = self._children(list(left.children), list(right.children), inner)
        change: Change = "equal" if self._equal(left, right) else "changed"
        return Difference(change, inner, *sides, children)

    def _children(
        self, lefts: list[Element], rights: list[Element], path: tuple[str, ...]
    ) -> tuple[Difference, ...]:
        pairs = self._aligned(lefts, rights)
        left_only = [left for left, right in pairs if left and right is None]
        right_only = [right for left, right in pairs if right and left is None]
        elsewhere = self._moved(left_only, right_only)
        found = []
        for left, right in pairs:
            if left and right:
                found.append(self._pair(left, right, path))
            elif left:
                if id(left) not in elsewhere:
                    found.append(self._alone(left, "removed", path))
            elif right:
                origin = elsewhere.get(id(right))
                if origin is None:
                    found.append(self._alone(right, "added", path))
                else:
                    pair = self._pair(origin, right, path)
                    change: Change = "moved" if pair.change == "equal" else "changed"
                    found.append(msgspec.structs.replace(pair, change=change))
        return tuple(found)

    def _aligned(
        self, lefts: list[Element], rights: list[Element]
    ) -> list[tuple[Element | None, Element | None]]:
        pairs: list[tuple[Element | None, Element | None]] = []
        for same, some_lefts, some_rights in _matched(
            lefts, rights, lambda element: self._by_identity[id(element)]
        ):
            if same:
                pairs += zip(some_lefts, some_rights, strict=True)
                continue
            for same_key, left_part, right_part in _matched(some_lefts, some_rights, _alike):
                if same_key:
                    pairs += zip(left_part, right_part, strict=True)
                else:
                    pairs += [(left, None) for left in left_part]
                    pairs += [(None, right) for right in right_part]
        return pairs

    def _moved(self, left_only: list[Element], right_only: list[Element]) -> dict[int, Element]:
        """Return pairs of what is left: by `id` of either, the element of the first tree."""
        found: dict[int, Element] = {}
        keys: tuple[Callable[[Element], Hashable], ...] = (
            lambda element: self._by_identity[id(element)],
            _alike,
        )
        for key in keys:
            waiting: dict[Hashable, list[Element]] = {}
            for left in left_only:
                if id(left) not in found and not isinstance(left, Value | List):
                    waiting.setdefault(key(left), []).append(left)
            for right in right_only:
                if id(right) not in found and (lefts := waiting.get(key(right))):
                    left = lefts.pop(0)
                    found[id(left)] = found[id(right)] = left
        return found

    def _alone(
        self, element: Element, change: Literal["added", "removed"], path: tuple[str, ...]
    ) -> Difference:
        inner = (*path, _name(element))
        children = tuple(self._alone(child, change, inner) for child in element.children)
        if change == "removed":
            return Difference(change, inner, self._side(element, 0), None, children)
        return Difference(change, inner, None, self._side(element, 1), children)

    def _side(self, element: Element, side: int) -> Side:
        return Side(_head(element), element.line + self._offsets[side], _inline(element))


def _matched(
    lefts: Sequence[Element], rights: Sequence[Element], key: Callable[[Element], Hashable]
) -> Iterator[tuple[bool, list[Element], list[Element]]]:
    """Yield runs of elements: whether their keys are equal, and those of both sides."""
    left_keys, right_keys = list(map(key, lefts)), list(map(key, rights))
    frequent_too = len(lefts) * len(rights) <= MANY
    matcher = SequenceMatcher(None, left_keys, right_keys, autojunk=not frequent_too)
    for tag, left_start, left_end, right_start, right_end in matcher.get_opcodes():
        some = list(lefts[left_start:left_end]), list(rights[right_start:right_end])
        yield tag == "equal", *some


def _alike(element: Element) -> Hashable:
    """Return what two elements share whose contents are compared: the key, or that both are `{`."""
    if isinstance(element, Value):
        return id(element)  # a value without a key has nothing in common with another value
    return type(element) is List, element.key


def _name(element: Element) -> str:
    if element.key is not None:
        return element.key
    return "{ }" if isinstance(element, List) else element.value or ""


def _head(element: Element) -> str:
    """Return an element without its children, as the game's files write it."""
    parts = [getattr(element, "word", None)]
    if element.key is not None:
        quoted = getattr(element, "key_kind", "") == "string"
        parts += [f'"{element.key}"' if quoted else element.key, element.op]
    value = getattr(element, "value", None)
    if value is not None:
        parts.append(f'"{value}"' if getattr(element, "kind", "") == "string" else value)
    parts.append(getattr(element, "tag", None))
    if "children" in element.__struct_fields__ and value is None:
        parts.append("{")
    return " ".join(part for part in parts if part)


def _has_braces(head: str) -> bool:
    return head == "{" or head.endswith(" {")


def _inline(element: Element) -> str | None:
    head = _head(element)
    if not _has_braces(head):
        return head
    if any(child.children or _has_braces(_head(child)) for child in element.children):
        return None
    if (
        any(not isinstance(child, Value) for child in element.children)
        and len(element.children) > 1
    ):
        return None
    text = " ".join([head, *map(_head, element.children), "}"])
    return text if len(text) <= INLINE_WIDTH else None


def _rows(difference: Difference, depth: int) -> Iterator[Row]:
    change, left, right = difference.change, difference.left, difference.right
    if left is None and right is None:
        for child in difference.children:
            yield from _rows(child, depth)
        return
    indent = "  " * depth
    lines = left.line if left else None, right.line if right else None

    def row(change: Change, text: Callable[[Side], str], *lines: int | None) -> Row:
        texts = [indent + text(side) if side and text(side) else "" for side in (left, right)]
        return Row(change, texts[0], texts[1], *lines)

    if all(side.inline for side in (left, right) if side):
        yield row(change, lambda side: side.inline or "", *lines)
        return
    # The row of a block has no change of its own if only its children have some.
    own = change
    if change == "changed" and left and right and left.head == right.head:
        own = "equal"
    yield row(own, lambda side: side.head, *lines)
    for child in difference.children:
        yield from _rows(child, depth + 1)
    if any(_has_braces(side.head) for side in (left, right) if side):
        yield row(own, lambda side: "}" if _has_braces(side.head) else "", None, None)


def _folded(found: list[Row], context: int) -> list[Row]:
    kept = [False] * len(found)
    for at, row in enumerate(found):
        if row.change != "equal":
            first, last = max(0, at - context), min(len(found), at + context + 1)
            kept[first:last] = [True] * (last - first)
    kept[:1] = [True]
    shown: list[Row] = []
    left_out: list[Row] = []
    for row, keep in zip(found, kept, strict=True):
        if keep:
            shown += _left_out(left_out)
            shown.append(row)
            left_out = []
        else:
            left_out.append(row)
    return shown + _left_out(left_out)


def _left_out(equal: list[Row]) -> list[Row]:
    if len(equal) < 2:
        return equal
    text = f"… {counted(len(equal), 'equal line')}"
    return [Row("equal", text, text, None, None)]
