"""`ck3parse show`: shows the AST of one file."""

import os
import sys
from collections.abc import Iterator
from typing import NoReturn

import click
import msgspec
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from ck3parse.check.excerpt import excerpt, printable
from ck3parse.cli import streams
from ck3parse.config import read_settings
from ck3parse.errors import ExitCode
from ck3parse.files.names import printable_name
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.parser import ParseOutcome, parse_bytes

MAX_DRAWN = 2_000
"""A drawn tree ends after this many nodes, which take a second to draw."""

_STDIN = "-"
_PIPE_WIDTH = 1_000
_STYLES = {
    "string": "green",
    "number": "cyan",
    "bool": "magenta",
    "param": "yellow",
    "scripted_value": "yellow",
    "inline_expression": "yellow",
}


class _Node(msgspec.Struct, tag_field="_type"):
    """A node of the AST.

    The content of a node stays JSON until it is drawn, because most of a large file never is.
    """


class _Value(_Node, tag="value"):
    value: str
    value_type: str


class _Assignment(_Node, tag="assignment"):
    key: str
    operator: str
    line: int
    value: _Value


class _Block(_Node, tag="block"):
    name: str
    operator: str
    line: int
    children: list[msgspec.Raw]


class _List(_Node, tag="list"):
    line: int
    items: list[msgspec.Raw]


_Element = _Value | _Assignment | _Block | _List
_decode_element = msgspec.json.Decoder(_Element).decode


class _Root(_Node, tag="root"):
    filename: str
    children: list[msgspec.Raw]


@click.command(
    name="show",
    epilog="""\b
Examples:
  ck3parse show common/traits/00_traits.txt
  ck3parse show --depth 1 events/my_events.txt
  ck3parse show events/my_events.txt | jq .children[0].name

\b
Exit codes: 0 shown, 1 the file cannot be read or parsed, 2 wrong usage, 4 the output
cannot be written, 141 the program that reads the output is gone.""",
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--format",
    "output",
    type=click.Choice(["tree", "json"]),
    help="How to show it.  [default: a tree in a terminal or with --depth, otherwise JSON]",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Draw only N levels of the tree.",
)
@click.option("--name", help="The filename in the root of the AST.  [default: FILE]")
def command(file: str, output: str | None, depth: int | None, name: str | None) -> None:
    """Show the syntax tree of FILE, or of standard input if FILE is -.

    In a terminal it is drawn as a tree, otherwise written as JSON. The file is parsed by this
    process, without a broker or a worker.
    """
    if output == "json" and depth is not None:
        raise click.UsageError("--depth needs --format tree: JSON always has the whole tree")
    if output is None:
        output = "tree" if depth is not None or sys.stdout.isatty() else "json"
    default_name = "<stdin>" if file == _STDIN else printable_name(file).replace(os.sep, "/")
    # A drawn name must be printable; in JSON it can have any bytes.
    name = printable_name(name) if name is not None and output == "tree" else name
    limits = read_settings()
    data = _read(file, limits.max_file_bytes)
    outcome = parse_bytes(data, default_name if name is None else name, max_depth=limits.max_depth)
    if outcome.ast_json is None:
        _fail(default_name, data, outcome)
    if output == "json":
        # Not concatenated, because it can be a gigabyte.
        streams.write_bytes(outcome.ast_json, b"\n")
    else:
        _draw(outcome.ast_json, outcome.node_count, depth)


def _read(file: str, max_bytes: int) -> bytes:
    try:
        if file != _STDIN:
            return read_script(file, max_bytes=max_bytes)
    except CannotReadError as error:
        _stop(f"{printable_name(file)}: {error.message}")
    data = streams.read(max_bytes)
    if len(data) > max_bytes:
        _stop(f"standard input has more than {max_bytes:,} bytes (CK3PARSE_MAX_FILE_BYTES)")
    return data


def _stop(sentence: str) -> NoReturn:
    streams.say(printable(sentence))
    sys.exit(ExitCode.SOME_FAILED)


def _fail(shown_name: str, data: bytes, outcome: ParseOutcome) -> NoReturn:
    line, column = outcome.line, outcome.column
    if line is None or column is None:
        _stop(f"{shown_name}: {outcome.error_type}: {outcome.error}")
    place = f"{shown_name}:{line}:{column}"
    streams.say(printable(f"{place}: {outcome.error_type}: {outcome.error}"))
    for text in excerpt(data, line, column):
        streams.say(f"  {text}")
    sys.exit(ExitCode.SOME_FAILED)


def _draw(ast_json: bytes, node_count: int, depth: int | None) -> None:
    try:
        root = msgspec.json.decode(ast_json, type=_Root)
    except RecursionError:
        _stop("the tree is nested too deeply to be drawn: use --format json")
    tree, drawn = _tree(root, depth)
    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else _PIPE_WIDTH)
    console.print(tree)
    if drawn < node_count:
        rest = f"… and {node_count - drawn:,} more nodes; --format json shows all of them"
        console.print(Text(rest, style="dim"))


def _tree(root: _Root, depth: int | None) -> tuple[Tree, int]:
    """Return the tree to draw, and how many nodes of the AST it has."""
    tree = Tree(Text(printable(root.filename), style="bold"), guide_style="dim")
    drawn = 1
    open_branches: list[tuple[Tree, Iterator[msgspec.Raw]]] = [(tree, iter(root.children))]
    while open_branches and drawn < MAX_DRAWN:
        branch, elements = open_branches[-1]
        encoded = next(elements, None)
        if encoded is None:
            open_branches.pop()
            continue
        element = _decode_element(encoded)
        inner = _children(element)
        cut = len(inner) if len(open_branches) == depth else 0
        added = branch.add(_label(element, cut))
        drawn += 2 if isinstance(element, _Assignment) else 1
        if inner and not cut:
            open_branches.append((added, iter(inner)))
    return tree, drawn


def _children(element: _Element) -> list[msgspec.Raw]:
    if isinstance(element, _Block):
        return element.children
    return element.items if isinstance(element, _List) else []


def _label(element: _Element, cut: int) -> Text:
    label = Text(no_wrap=True, overflow="ellipsis")
    match element:
        case _Value():
            _add_value(label, element)
            return label
        case _Assignment():
            label.append(printable(element.key), style="blue")
            label.append(f" {element.operator} ", style="dim")
            _add_value(label, element.value)
        case _Block():
            label.append(printable(element.name), style="bold blue")
            label.append(f" {element.operator} {{{'…' if cut else ''}}}", style="dim")
        case _List():
            label.append("{…}" if cut else "{}", style="dim")
    if cut:
        label.append(f" {cut:,} inside", style="dim")
    label.append(f"  :{element.line}", style="dim")
    return label


def _add_value(label: Text, value: _Value) -> None:
    text = printable(value.value)
    if value.value_type == "string":
        text = f'"{text}"'
    label.append(text, style=_STYLES.get(value.value_type, ""))
