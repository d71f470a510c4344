"""Syntax trees as typed nodes, decoded from the JSON that the parsers write.

    from ck3parse.parser import parse_bytes

    tree = parse_bytes(b"trait = { index = 1 }", "traits.txt", dialect="ck3").tree
    for node in tree.find("index"):
        print(node.line, node.value)

Each dialect has its own classes: `Root`, `Block`, `Assign`, `Value`, `List` and `Directive` for
`ck3`, and the ones that begin with `Raven` for `ck3raven`. What two dialects have in common has the
same name in both, so that code which only needs that works with either. A list of nodes is in the
order of the file.

The children of a root are decoded one by one when they are first used, and `find` decodes only
those that contain the key.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, TypeVar, cast, overload

import msgspec

from ck3parse.errors import Ck3parseError

Kind = Literal[
    "identifier",
    "string",
    "number",
    "date",
    "bool",
    "param",
    "variable",
    "expression",
    "operator",
]
"""What a key or a value of dialect `ck3` is."""

RavenKind = Literal[
    "identifier",
    "string",
    "number",
    "bool",
    "param",
    "scripted_value",
    "inline_expression",
    "operator",
]
"""What a value of dialect `ck3raven` is."""

Span = tuple[int, int]
"""The first byte of a place in the file, and the byte after it. The first byte of a file is 0."""


_T = TypeVar("_T")


class TreeError(Ck3parseError):
    """An AST cannot be decoded."""


class Node(msgspec.Struct, frozen=True, gc=False, tag_field="_type"):
    """Base class of the nodes of all dialects."""


class Ck3Node(Node, frozen=True, gc=False):
    """Base class of the nodes of dialect `ck3`."""

    def walk(self) -> "Iterator[Root | Element]":
        """Yield this node and every node inside it, in the order of the file."""
        return cast("Iterator[Root | Element]", _walk(self))

    def find(self, key: str) -> "Iterator[Block | Assign | Directive]":
        """Yield every node inside this one that has a key, at any depth.

        Args:
            key: the key as the node has it: without the quotes of a string.
        """
        return cast("Iterator[Block | Assign | Directive]", _find(self, key))


class _Placed(Ck3Node, frozen=True, gc=False, kw_only=True):
    """A node of dialect `ck3` that is a part of the file."""

    # Each node lists all its fields in the order of its JSON, in which they decode fastest.

    def text(self, data: bytes, encoding: str | None = None) -> str:
        """Return the text of this node as it stands in the file.

        Args:
            data: the bytes of the file.
            encoding: a codec of Python. Default: UTF-16 if the file begins with its byte order
                mark, otherwise UTF-8. Invalid bytes become U+FFFD.
        """
        return source_text(data, cast("Element", self).span, encoding)


class Value(_Placed, frozen=True, gc=False, kw_only=True, tag="value"):
    """A scalar that stands alone, as in a list of names.

    Attributes:
        value: the scalar; of a string, what is between the quotes.
        kind: what it is.
        params: the names of the parameters that an identifier contains: `has_$NAME$`.
        span: its place in the file, with the quotes of a string.
        line: the line where it starts, from 1.
        column: the column where it starts, in code points from 1.
    """

    key: ClassVar[None] = None
    children: ClassVar[tuple[()]] = ()

    value: str
    kind: Kind
    params: tuple[str, ...] = ()
    span: Span
    line: int
    column: int


class Assign(_Placed, frozen=True, gc=False, kw_only=True, tag="assign"):
    """A key with an operator and a scalar: `key = value`.

    Attributes:
        key: the key; of a string, what is between the quotes.
        key_kind: what the key is.
        key_params: as the `params` of a value.
        key_span: the place of the key in the file.
        op: the operator.
        value: the scalar; of a string, what is between the quotes.
        kind: what the value is.
        params: the names of the parameters that an identifier contains: `has_$NAME$`.
        value_span: the place of the value in the file, with the quotes of a string.
        span: the place from the key to the end of the value.
        line: the line of the key, from 1.
        column: the column of the key, in code points from 1.
    """

    children: ClassVar[tuple[()]] = ()

    key: str
    key_kind: Kind = "identifier"
    key_params: tuple[str, ...] = ()
    key_span: Span
    op: str
    value: str
    kind: Kind
    params: tuple[str, ...] = ()
    value_span: Span
    span: Span
    line: int
    column: int


class Block(_Placed, frozen=True, gc=False, kw_only=True, tag="block"):
    """A key with an operator and braces: `key = { … }`, or `key = rgb { … }`.

    Attributes:
        key: the key; of a string, what is between the quotes.
        key_kind: what the key is.
        key_params: as the `params` of a value.
        key_span: the place of the key in the file.
        op: the operator.
        tag: the word right before the brace, such as `rgb`, or `None`.
        span: the place from the key to the closing brace.
        line: the line of the key, from 1.
        column: the column of the key, in code points from 1.
        children: the nodes between the braces.
    """

    key: str
    key_kind: Kind = "identifier"
    key_params: tuple[str, ...] = ()
    key_span: Span
    op: str
    tag: str | None = None
    span: Span
    line: int
    column: int
    children: "list[Element]"


class List(_Placed, frozen=True, gc=False, kw_only=True, tag="list"):
    """Braces without a key: `{ … }`.

    Attributes:
        span: the place from brace to brace.
        line: the line of the opening brace, from 1.
        column: the column of the opening brace, in code points from 1.
        children: the nodes between the braces.
    """

    key: ClassVar[None] = None

    span: Span
    line: int
    column: int
    children: "list[Element]"


class Directive(_Placed, frozen=True, gc=False, kw_only=True, tag="directive"):
    """A word that begins with `@:`, such as `@:insert`, with the element after it on its line.

    Attributes:
        word: the word, with `@:`.
        key: the key of that element, or `None`.
        key_kind: what the key is.
        key_params: as the `params` of a value.
        key_span: the place of the key in the file, or `None`.
        op: the operator after the key, or `None`.
        tag: as for a block.
        value: the element if it is a scalar, or the value after the operator, or `None`.
        kind: what the value is, or `None`.
        params: as for a value.
        value_span: the place of the value in the file, or `None`.
        span: the place from the `@:` to the end of the element.
        line: the line where it starts, from 1.
        column: the column where it starts, in code points from 1.
        children: the nodes between the braces of the element.
    """

    word: str
    key: str | None = None
    key_kind: Kind = "identifier"
    key_params: tuple[str, ...] = ()
    key_span: Span | None = None
    op: str | None = None
    tag: str | None = None
    value: str | None = None
    kind: Kind | None = None
    params: tuple[str, ...] = ()
    value_span: Span | None = None
    span: Span
    line: int
    column: int
    children: "list[Element]" = []


Element = Block | Assign | Value | List | Directive
"""A node of dialect `ck3` inside a root, a block or a list."""


class Root(Ck3Node, frozen=True, gc=False, tag="root"):
    """The whole file.

    Attributes:
        encoding: what the bytes of the file are: `utf-8-bom`, `utf-8`, `windows-1252`, `utf-16` or
            `invalid`.
        children: the nodes that are in no braces. Each is decoded when it is first used.
        comments: the places of the comments, if they were asked for.
    """

    key: ClassVar[None] = None

    encoding: str
    children: Sequence[Element]
    comments: list[Span] = []


class RavenNode(Node, frozen=True, gc=False):
    """Base class of the nodes of dialect `ck3raven`."""

    def walk(self) -> "Iterator[RavenRoot | RavenElement]":
        """Yield this node and every node inside it, in the order of the file.

        The value of an assignment is a part of it, and not yielded by itself.
        """
        return cast("Iterator[RavenRoot | RavenElement]", _walk(self))

    def find(self, key: str) -> "Iterator[RavenBlock | RavenAssign]":
        """Yield every node inside this one that has a key, at any depth.

        Args:
            key: the key as the node has it: without the quotes of a string.
        """
        return cast("Iterator[RavenBlock | RavenAssign]", _find(self, key))


class RavenValue(RavenNode, frozen=True, gc=False, tag="value", rename={"kind": "value_type"}):
    """A scalar: one that stands alone, or the value of an assignment.

    Attributes:
        value: the scalar; of a string, its text with escapes resolved.
        kind: what it is.
        line: the line where it starts, from 1.
        column: the column where it starts, in code points from 1.
    """

    key: ClassVar[None] = None
    children: ClassVar[tuple[()]] = ()

    value: str
    kind: RavenKind
    line: int
    column: int


class RavenAssign(
    RavenNode,
    frozen=True,
    gc=False,
    tag="assignment",
    rename={"op": "operator", "node": "value"},
):
    """A key with an operator and a scalar: `key = value`.

    Attributes:
        key: the key.
        op: the operator.
        line: the line of the key, from 1.
        column: the column of the key, in code points from 1.
        node: the value with its own place.
    """

    children: ClassVar[tuple[()]] = ()

    key: str
    op: str
    line: int
    column: int
    node: RavenValue

    @property
    def value(self) -> str:
        """The scalar; of a string, its text with escapes resolved."""
        return self.node.value

    @property
    def kind(self) -> RavenKind:
        """What the value is."""
        return self.node.kind


class RavenBlock(
    RavenNode,
    frozen=True,
    gc=False,
    tag="block",
    rename={"key": "name", "op": "operator"},
):
    """A key with an operator and braces: `key = { … }`.

    Attributes:
        key: the key.
        op: the operator.
        line: the line of the key, from 1.
        column: the column of the key, in code points from 1.
        children: the nodes between the braces.
    """

    key: str
    op: str
    line: int
    column: int
    children: "list[RavenElement]"


class RavenList(RavenNode, frozen=True, gc=False, tag="list", rename={"children": "items"}):
    """Braces without a key: `{ … }`.

    Attributes:
        line: the line of the opening brace, from 1.
        column: the column of the opening brace, in code points from 1.
        children: the nodes between the braces.
    """

    key: ClassVar[None] = None

    line: int
    column: int
    children: "list[RavenElement]"


RavenElement = RavenBlock | RavenAssign | RavenValue | RavenList
"""A node of dialect `ck3raven` inside a root, a block or a list."""


class RavenRoot(RavenNode, frozen=True, gc=False, tag="root"):
    """The whole file.

    Attributes:
        filename: the name that the parser was given.
        children: the nodes that are in no braces. Each is decoded when it is first used.
    """

    key: ClassVar[None] = None

    filename: str
    children: Sequence[RavenElement]


Tree = Root | RavenRoot
"""The root of a tree of either dialect."""


def decode(ast_json: bytes | str) -> Tree:
    """Return the tree of an AST of either dialect.

    Args:
        ast_json: the AST as JSON, as a parser, a result or the store has it.

    Raises:
        TreeError: it is not an AST, or its braces are nested too deeply.
    """
    encoded = ast_json.encode() if isinstance(ast_json, str) else ast_json
    root = _checked(_decode_root, encoded)
    if root.encoding is not None:
        children = _Children(encoded, root.children, _decode_element)
        return Root(root.encoding, children, root.comments)
    return RavenRoot(root.filename, _Children(encoded, root.children, _decode_raven_element))


def source_text(data: bytes, span: Span, encoding: str | None = None) -> str:
    """Return the text of a place in a file.

    Args:
        data: the bytes of the file.
        span: the place.
        encoding: as for `Value.text`.
    """
    if encoding is None:
        encoding = _UTF_16.get(data[:2], "utf-8")
    return data[span[0] : span[1]].decode(encoding, "replace")


class _AnyRoot(msgspec.Struct, tag="root", tag_field="_type"):
    children: list[msgspec.Raw]
    filename: str = ""
    encoding: str | None = None
    comments: list[Span] = []


_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_decode_root = msgspec.json.Decoder(_AnyRoot).decode
_decode_element = msgspec.json.Decoder(Element).decode
_decode_raven_element = msgspec.json.Decoder(RavenElement).decode


class _Children(Sequence[_T]):
    """The children of a root, each of them JSON until it is first used."""

    __slots__ = ("_decode", "_items", "_root")

    def __init__(
        self, root: bytes, encoded: Sequence[msgspec.Raw], decode: Callable[[Any], _T]
    ) -> None:
        self._root = root
        self._items: list[Any] = list(encoded)
        self._decode = decode

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> list[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | list[_T]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        item = self._items[index]
        if type(item) is msgspec.Raw:
            item = self._items[index] = _checked(self._decode, item)
        return cast("_T", item)

    def containing(self, quoted: bytes) -> Iterator[_T]:
        """Yield the children whose JSON contains some bytes, and those that are decoded already."""
        # Most files contain no rare key, and one search is faster than one for each child.
        somewhere = quoted in self._root
        for index, item in enumerate(self._items):
            if type(item) is not msgspec.Raw or (somewhere and quoted in bytes(item)):
                yield self[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


def _walk(start: Any) -> Iterator[Any]:
    yield start
    for child in start.children:
        pending = [child]
        while pending:
            node = pending.pop()
            yield node
            if node.children:
                pending += node.children[::-1]


def _find(start: Any, key: str) -> Iterator[Any]:
    children: Any = start.children
    if isinstance(children, _Children) and _is_itself_in_json(key):
        children = children.containing(f'"{key}"'.encode())
    for child in children:
        for node in _walk(child):
            if node.key == key:
                yield node


def _is_itself_in_json(text: str) -> bool:
    """Return whether each JSON string of a text is that text between quotes."""
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _checked(decode: Callable[[Any], _T], encoded: Any) -> _T:
    try:
        return decode(encoded)
    except RecursionError:
        raise TreeError(
            "the braces are nested too deeply for typed nodes, which allow a few hundred levels:"
            " read the JSON of this tree in another way"
        ) from None
    except msgspec.DecodeError as error:  # also for a wrong type
        raise TreeError(f"this is not an AST of ck3parse: {error}") from error
