"""The layout of help: it fits the terminal, and no word is broken."""

import re
import shutil
from collections.abc import Iterable
from typing import Any

import click

_NARROWEST = 20
_STACKED = 30
"""If descriptions would have fewer columns, they stand below what they describe."""
_SHORT = 4
"""What has at most as many columns stands beside its explanation."""
_BREAK = re.compile(r"(?<=[\s|])(?=\S)")
"""Where a line may end: at a blank, and after the `|` of a choice."""


class HelpFormatter(click.HelpFormatter):
    r"""Writes help as click does, but for terminals of any width.

    click assumes at least 50 columns, cuts long words, and leaves lines after `\b` as they are,
    which a narrow terminal breaks within words.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        columns = shutil.get_terminal_size().columns
        self.width = max(min(columns - 2, self.width), _NARROWEST)

    def write_text(self, text: str) -> None:
        r"""Write paragraphs. One that starts with `\b` keeps its line ends."""
        indent = " " * self.current_indent
        width = self.width - self.current_indent
        shown = []
        for paragraph in re.split(r"\n[ \t]*\n", text):
            if paragraph.lstrip().startswith("\b"):
                lines = paragraph.lstrip().removeprefix("\b").strip("\n").splitlines()
                shown.append(_kept(lines, width))
            else:
                shown.append(_filled(_one_line(paragraph), width))
        blocks = ("".join(f"{indent}{line}\n" for line in lines) for lines in shown)
        self.write("\n".join(blocks))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write terms with their descriptions, side by side if there is room."""
        rows = list(rows)
        width = self.width - self.current_indent
        column = min(max((len(term) for term, _ in rows), default=0), col_max) + col_spacing
        if width - column < _STACKED:
            column = 4
        indent = " " * self.current_indent
        for term, description in rows:
            head = _filled(term, width, "  ")
            body = _filled(_one_line(description), width - column)
            if len(head) == 1 and len(term) <= column - col_spacing and body:
                self.write(f"{indent}{term:{column}}{body.pop(0)}\n")
            else:
                self.write("".join(f"{indent}{line}\n" for line in head))
            self.write("".join(f"{indent}{'':{column}}{line}\n" for line in body))


class HelpGroup(click.Group):
    """A group whose help has the first sentence of each command, where click cuts it short."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands."""
        del ctx
        longest = 1_000
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, each.get_short_help_str(longest)) for name, each in self.commands.items()]
            )


class HelpContext(click.Context):
    """The context of a command whose help is laid out so."""

    formatter_class = HelpFormatter


def _kept(lines: list[str], width: int) -> list[str]:
    """Return lines that stay as they are if there is room for all of them."""
    if all(len(line) <= width for line in lines):
        return lines
    if not any(line.startswith(" ") for line in lines):  # prose
        return _filled(" ".join(lines), width)
    parts: list[str] = []
    joined: list[str] = []
    for line in lines:
        if joined and _indent(line) > _indent(joined[-1]) > 0:  # it goes on here
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
    for line in joined:
        start = " " * _indent(line)
        # An example and what it does: the latter goes to a line of its own.
        words, *remark = re.split(r" {2,}", line.strip(), maxsplit=1)
        if remark and len(line) <= width:
            parts.append(line)
            continue
        if remark and len(words) <= _SHORT:  # an item of a list
            head = f"{start}{words}  "
            parts += _filled(remark[0], width, " " * len(head), head)
            continue
        parts += _filled(words, width, start + "    ", start)
        if remark:
            parts += _filled(remark[0], width, start + "    ", start + "    ")
    return parts


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text.strip())


def _filled(text: str, width: int, later: str = "", first: str = "") -> list[str]:
    """Return a text in lines of at most some columns, unless a single word has more."""
    lines = [first]
    indent = first
    for word in _BREAK.split(text):
        if len(lines[-1]) > len(indent) and len(lines[-1] + word.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append(later)
            indent = later
        lines[-1] += word
    lines[-1] = lines[-1].rstrip()
    return [line for line in lines if line.strip()]
