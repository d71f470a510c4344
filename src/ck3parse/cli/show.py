"""`ck3parse show`: shows the AST of one file."""

import os
import re
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NoReturn, get_args

import click
import msgspec
from rich.text import Text
from rich.tree import Tree as Drawing

from ck3parse import tree
from ck3parse.cli import streams
from ck3parse.cli.output_format import chosen_format
from ck3parse.config import read_settings
from ck3parse.errors import ExitCode
from ck3parse.files.names import printable_name
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.lint.excerpt import excerpts, printable
from ck3parse.messages import Diagnostic, DialectName, Mode
from ck3parse.parser import ParseOutcome, parser_in_use
from ck3parse.plurals import counted

MAX_DRAWN = 2_000
"""A drawn tree ends after this many nodes, which take a second to draw."""

_STDIN = "-"
_PIPE_WIDTH = 1_000
_STYLES = {
    "string": "green",
    "number": "cyan",
    "date": "bright_cyan",
    "bool": "magenta",
    "param": "yellow",
    "variable": "yellow",
    "expression": "yellow",
    "scripted_value": "yellow",
    "inline_expression": "yellow",
}
_USUAL_ENCODINGS = ("utf-8", "utf-8-bom")
_INDENT = "    "
_SEVERITY_STYLES = {"error": "bold red", "warning": "bright_yellow"}
_PARAM = re.compile(r"\$[^$]+\$")
_LINE_END = re.compile(rb"\r\n?|\n")


@click.command(
    name="show",
    epilog="""\b
Examples:
  ck3parse show common/traits/00_traits.txt
  ck3parse show --depth 1 events/my_events.txt
  ck3parse show --dialect ck3raven events/my_events.txt
  ck3parse show events/my_events.txt | jq .children[0].key

\b
Exit codes: 0 shown, 1 the file cannot be read or has errors, 2 wrong usage, 4 the output
cannot be written, 141 the program that reads the output is gone.""",
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--format",
    "output",
    type=click.Choice(["tree", "json", "python"]),
    help="How to show it: drawn as a tree, as JSON, or as Python with the types of ck3parse.tree."
    "  [default: a tree in a terminal or with --depth, otherwise JSON]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--dialect",
    type=click.Choice(get_args(DialectName)),
    help="Which syntax tree to show: script as the game reads it, or what qbuilder uses.  [default:"
    " CK3PARSE_DIALECT, or ck3]",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Draw only N levels of the tree.",
)
@click.option("--name", help="The name of the file for the parser.  [default: FILE]")
def command(
    file: str,
    output: str | None,
    as_json: bool,
    dialect: DialectName | None,
    depth: int | None,
    name: str | None,
) -> None:
    """Show the syntax tree of FILE, or of standard input if FILE is -.

    In a terminal it is drawn as a tree, otherwise written as JSON. The tree of a file with errors
    has its sound parts, with each error where it is. The file is parsed by this process, without a
    broker or a worker.
    """
    output = chosen_format(output, json=as_json)
    if output in ("json", "python") and depth is not None:
        raise click.UsageError("--depth needs --format tree: the others always have the whole tree")
    if output is None:
        output = "tree" if depth is not None or sys.stdout.isatty() else "json"
    default_name = "<stdin>" if file == _STDIN else printable_name(file).replace(os.sep, "/")
    # A drawn name must be printable; in JSON it can have any bytes.
    name = printable_name(name) if name is not None and output == "tree" else name
    name = default_name if name is None else name
    settings = read_settings().given(dialect=dialect)
    parser = parser_in_use()
    dialect = settings.dialect or parser.newest_dialect
    parser.version_of(dialect)
    data = _read(file, settings.max_file_bytes)
    # The JSON of `ck3raven` is what qbuilder stores, which has none of a broken file.
    mode: Mode = "recover" if output == "tree" else "strict"
    outcome = parser.parse(data, name, mode=mode, max_depth=settings.max_depth, dialect=dialect)
    if outcome.ast_json is None:
        _report(default_name, data, [_first_error(outcome)])
        sys.exit(ExitCode.SOME_FAILED)
    try:
        if output == "json":
            # Not concatenated, because it can be a gigabyte.
            streams.write_bytes(outcome.ast_json, b"\n")
        elif output == "python":
            for line in _as_python(tree.decode(outcome.ast_json)):
                streams.write(line)
        else:
            _draw(tree.decode(outcome.ast_json), name, outcome, data, depth)
    except tree.TreeError:
        _stop("the tree is nested too deeply to be drawn: use --format json")
    if not outcome.success:
        _report(default_name, data, outcome.diagnostics or [_first_error(outcome)])
        sys.exit(ExitCode.SOME_FAILED)


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


def _first_error(outcome: ParseOutcome) -> Diagnostic:
    """Return the first error of a parse that lists none."""
    line, column = outcome.line or 1, outcome.column or 1
    kind, message = outcome.error_type or "", outcome.error or ""
    return Diagnostic(line, column, line, column + 1, "error", kind, message)


def _report(shown_name: str, data: bytes, diagnostics: Sequence[Diagnostic]) -> None:
    """Write errors and warnings to standard error, each with the line where it is."""
    places = [(each.line, each.column) for each in diagnostics]
    for each, lines in zip(diagnostics, excerpts(data, places), strict=True):
        place = f"{shown_name}:{each.line}:{each.column}"
        streams.say(printable(f"{place}: {each.code}: {each.message}"))
        for text in lines:
            streams.say(f"  {text}")


def _as_python(root: tree.Tree) -> Iterator[str]:
    """Yield the lines of an expression whose value is the tree, without its default values."""
    levels: list[tuple[Iterator[Any], str]] = [(iter((root,)), "")]
    while levels:
        nodes, end = levels[-1]
        node = next(nodes, None)
        if node is None:
            levels.pop()
            if levels:
                yield f"{_INDENT * (len(levels) - 1)}{end}"
            continue
        indent = _INDENT * (len(levels) - 1)
        comma = "," if indent else ""
        values = ", ".join(
            f"{field}={getattr(node, field)!r}"
            for field, default in _fields(type(node).__name__)
            if getattr(node, field) != default
        )
        if node.children:
            yield f"{indent}{type(node).__name__}({values}{values and ', '}children=["
            levels.append((iter(node.children), f"]){comma}"))
        else:
            if "children" in node.__struct_fields__:
                values += ", children=[]"
            yield f"{indent}{type(node).__name__}({values}){comma}"


@cache
def _fields(kind: str) -> list[tuple[str, Any]]:
    """Return the fields of a kind of node and their defaults, without its children."""
    return [
        (field.name, [] if field.default_factory is list else field.default)
        for field in msgspec.structs.fields(getattr(tree, kind))
        if field.name != "children"
    ]


def _draw(
    root: tree.Tree, name: str, outcome: ParseOutcome, data: bytes, depth: int | None
) -> None:
    drawing, drawn = _drawing(root, name, _Errors(outcome.diagnostics, data), depth)
    terminal = sys.stdout.isatty()
    console = streams.console(highlight=False, width=None if terminal else _PIPE_WIDTH)
    console.print(drawing)
    if drawn < outcome.node_count:
        rest = counted(outcome.node_count - drawn, "more node")
        console.print(Text(f"… and {rest}; --format json shows all of them", style="dim"))


class _Errors:
    """The errors and warnings of a file, each drawn once, where it is.

    Args:
        diagnostics: in order of place.
        data: the bytes of the file.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic], data: bytes) -> None:
        self._waiting = deque(diagnostics)
        self._line_starts = [0]
        if diagnostics:
            self._line_starts += [match.end() for match in _LINE_END.finditer(data)]

    def draw_before(self, branch: Drawing, node: Any) -> None:
        """Draw those before the beginning of a node."""
        self._draw(branch, (node.line, node.column))

    def draw_inside(self, branch: Drawing, node: Any) -> None:
        """Draw those before the end of a node. A node of `ck3raven` does not know where it ends."""
        span = getattr(node, "span", None)
        if self._waiting and span:
            line = bisect_right(self._line_starts, span[1] - 1)
            self._draw(branch, (line, span[1] - self._line_starts[line - 1]))

    def draw_rest(self, branch: Drawing) -> None:
        """Draw all that are left."""
        self._draw(branch, None)

    def _draw(self, branch: Drawing, end: tuple[int, int] | None) -> None:
        while self._waiting and (end is None or _place(self._waiting[0]) < end):
            each = self._waiting.popleft()
            label = Text(no_wrap=True, overflow="ellipsis")
            label.append(f"{each.code} ", style=_SEVERITY_STYLES[each.severity])
            label.append(printable(each.message), style=_SEVERITY_STYLES[each.severity])
            label.append(f"  :{each.line}:{each.column}", style="dim")
            branch.add(label)


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    return diagnostic.line, diagnostic.column


def _drawing(root: tree.Tree, name: str, errors: _Errors, depth: int | None) -> tuple[Drawing, int]:
    """Return the tree to draw, and how many nodes of the AST it has."""
    label = Text(printable(name), style="bold")
    if isinstance(root, tree.Root) and root.encoding not in _USUAL_ENCODINGS:
        label.append(f"  {root.encoding}", style="dim")
    drawing = Drawing(label, guide_style="dim")
    drawn = 1
    open_branches: list[tuple[Drawing, Any, Iterator[Any]]] = [(drawing, None, iter(root.children))]
    while open_branches and drawn < MAX_DRAWN:
        branch, parent, nodes = open_branches[-1]
        node = next(nodes, None)
        if node is None:
            if parent is not None:
                errors.draw_inside(branch, parent)
            open_branches.pop()
            continue
        errors.draw_before(branch, node)
        cut = len(node.children) if len(open_branches) == depth else 0
        added = branch.add(_label(node, cut))
        # The value of an assignment of `ck3raven` is a node of its own.
        drawn += 2 if isinstance(node, tree.RavenAssign) else 1
        if node.children and not cut:
            open_branches.append((added, node, iter(node.children)))
        elif _has_braces(node):
            errors.draw_inside(added, node)
    errors.draw_rest(drawing)
    return drawing, drawn


def _has_braces(node: Any) -> bool:
    if isinstance(node, tree.Directive):
        return bool(node.children) or (node.op is not None and node.value is None)
    return "children" in node.__struct_fields__


def _label(node: Any, cut: int) -> Text:
    """Return a node as the game has it, and the line where it starts unless it is a lone value."""
    label = Text(no_wrap=True, overflow="ellipsis")
    has_braces = _has_braces(node)
    if isinstance(node, tree.Directive):
        label.append(printable(node.word), style="bold yellow")
    if node.key is not None:
        label.append(" " if label else "")
        style = "bold blue" if has_braces else "blue"
        _add_scalar(label, node.key, getattr(node, "key_kind", "identifier"), style)
        label.append(f" {node.op}", style="dim")
    if tag := getattr(node, "tag", None):
        label.append(f" {printable(tag)}", style="bright_magenta")
    if has_braces:
        label.append(" " if label else "")
        label.append("{…}" if cut else "{}", style="dim")
        label.append(f" {cut:,} inside" if cut else "", style="dim")
    elif node.value is not None:
        label.append(" " if label else "")
        _add_scalar(label, node.value, node.kind, _STYLES.get(node.kind, ""))
    if not isinstance(node, tree.Value | tree.RavenValue):
        label.append(f"  :{node.line}", style="dim")
    return label


def _add_scalar(label: Text, scalar: str, kind: str, style: str) -> None:
    text = printable(scalar)
    start = len(label)
    label.append(f'"{text}"' if kind == "string" else text, style=style)
    if kind == "identifier":
        for match in _PARAM.finditer(text):
            label.stylize(_STYLES["param"], start + match.start(), start + match.end())
